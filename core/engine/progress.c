/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Progress of a job: counts what the device has accepted, and decides when that is worth an event.
 *
 * The speed is that of the last PROGRESS_MARKS seconds of the phase: once a second the amount moved
 * so far is kept as a mark, and the oldest mark is what the present is compared with. What is
 * skipped counts for the position and not for the speed, so that a sparse disk does not promise a
 * speed that its data will not keep. The time left is for all phases at the speed of the present
 * one.
 *
 * No text is made here: events are values (progress.h).
 */
#include "engine/progress.h"

#include "base/range.h"
#include "platform/clock.h"
#include "platform/person.h"

enum { SECOND = 1000000000, MILLISECOND = 1000000, MS_PER_SECOND = 1000 };

static bool is_silent(const struct progress *progress)
{
	return progress == NULL || progress->sink == NULL;
}

static uint32_t position(const struct progress *progress)
{
	uint64_t done = progress->done, total = progress->total;

	if (done >= total)
		return PROGRESS_ALL;
	if (total > UINT64_MAX / PROGRESS_ALL) { /* the digits that are cut off do not show */
		done /= PROGRESS_ALL;
		total /= PROGRESS_ALL;
	}
	return (uint32_t)(done * PROGRESS_ALL / total);
}

/* Sets speed and time left. They stay unknown until the phase is a second old. */
static void measure(const struct progress *progress, uint64_t now, struct progress_event *event)
{
	size_t oldest = progress->n_marks > PROGRESS_MARKS ? progress->n_marks - PROGRESS_MARKS : 0;
	uint64_t ns = now - progress->mark[oldest % PROGRESS_MARKS].ns,
		 moved = progress->moved - progress->mark[oldest % PROGRESS_MARKS].moved, per_ms;

	if (progress->n_marks == 0 || ns < SECOND)
		return;
	per_ms = moved / (ns / MILLISECOND);
	event->bytes_per_second = per_ms * MS_PER_SECOND; /* ns >= SECOND: no overflow */
	if (per_ms > 0)
		event->seconds_left = (progress->total - progress->done) / per_ms / MS_PER_SECOND;
}

static void set_mark(struct progress *progress, uint64_t now)
{
	if (progress->n_marks > 0 &&
	    now - progress->mark[(progress->n_marks - 1) % PROGRESS_MARKS].ns < SECOND)
		return;
	progress->mark[progress->n_marks % PROGRESS_MARKS].ns = now;
	progress->mark[progress->n_marks++ % PROGRESS_MARKS].moved = progress->moved;
}

static void report(struct progress *progress, uint32_t at, bool is_end)
{
	uint64_t now = platform_nanoseconds();
	struct progress_event event = {
		.is_end = is_end,
		.position = at,
		.phase = progress->phase,
		.bytes_done = progress->phase_done,
		.bytes = progress->phase_total,
		.total = progress->total,
		.bytes_per_second = PROGRESS_UNKNOWN,
		.seconds_left = PROGRESS_UNKNOWN,
		.lost = progress->lost,
	};

	measure(progress, now, &event);
	progress->sink->take(progress->sink, &event);
	progress->reported = at;
	progress->reported_ns = now;
	progress->has_reported = true;
	set_mark(progress, now);
}

void progress_begin(struct progress *progress, uint64_t total)
{
	if (!is_silent(progress))
		*progress = (struct progress){ .sink = progress->sink,
					       .total = total,
					       .has_begun = true };
}

void progress_phase(struct progress *progress, const char *phase, uint64_t bytes)
{
	if (is_silent(progress))
		return;
	progress->phase = phase;
	progress->phase_total = bytes;
	progress->phase_done = 0;
	progress->n_marks = 0;
	/* The first event is 0 % even where there is nothing to do. */
	report(progress, progress->has_reported ? position(progress) : 0, false);
}

static void move(struct progress *progress, uint64_t n)
{
	uint32_t at;

	progress->done += min_u64(n, progress->total - progress->done);
	progress->phase_done += min_u64(n, progress->phase_total - progress->phase_done);
	at = position(progress);
	if (at >= progress->reported + PROGRESS_ONE_PERCENT ||
	    (at == PROGRESS_ALL && progress->reported < PROGRESS_ALL))
		report(progress, at, false);
}

void progress_advance(struct progress *progress, uint64_t n)
{
	if (is_silent(progress))
		return;
	progress->moved += n;
	move(progress, n);
}

void progress_skip(struct progress *progress, uint64_t n)
{
	if (!is_silent(progress))
		move(progress, n);
}

bool progress_cancelled(struct progress *progress)
{
	if (!is_silent(progress) && progress->has_begun &&
	    platform_nanoseconds() - progress->reported_ns >= SECOND)
		report(progress, position(progress), false);
	return platform_cancelled();
}

void progress_end(struct progress *progress)
{
	if (is_silent(progress) || !progress->has_begun)
		return;
	report(progress, progress->reported, true);
	progress->has_begun = false;
}
