/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/progress.h"

#include "base/range.h"
#include "platform/clock.h"
#include "platform/person.h"

enum {
	ONE_PERCENT = 100,
	ALL = 100 * ONE_PERCENT,
	SECOND = 1000000000,
	COLUMNS = 79,
	HOUR = 3600,
	LOST_MAX = 9999,
	SPEED_MAX = 99999
};

static bool silent(const struct progress *progress)
{
	return progress == NULL || progress->out == NULL;
}

static uint32_t position(const struct progress *progress)
{
	uint64_t done = progress->done, total = progress->total;

	if (done >= total)
		return ALL;
	if (total > UINT64_MAX / ALL) { /* so large that what is cut off does not show */
		done /= ALL;
		total /= ALL;
	}
	return (uint32_t)(done * ALL / total);
}

/* ---- what stands in the line ---- */

/* "12.3", of a unit of 2^shift bytes. */
static void say_number(struct out *out, uint64_t bytes, int shift)
{
	uint64_t whole = bytes >> shift, rest = bytes - (whole << shift);

	out_printf(out, "%ju", whole);
	if (shift > 0)
		out_printf(out, ".%ju", (rest >> (shift - 10)) * 10 >> 10);
}

/* "12.3/476.9 GiB" */
static void say_bytes(const struct progress *progress, struct out *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int power = 0;

	while (progress->phase_total >> (10 * power) >= 1000)
		power++;
	out_text(out, " ");
	say_number(out, progress->phase_done, 10 * power);
	out_text(out, "/");
	say_number(out, progress->phase_total, 10 * power);
	out_printf(out, " %s", units[power]);
}

/*
 * ", 123 MB/s, 12:34 left", as fast as it went in the last seconds. Nothing while that is not a
 * second.
 */
static void say_speed(const struct progress *progress, uint64_t now, struct out *out)
{
	size_t oldest = progress->n_marks > PROGRESS_MARKS ? progress->n_marks - PROGRESS_MARKS : 0;
	uint64_t ns = now - progress->mark[oldest % PROGRESS_MARKS].ns,
		 moved = progress->moved - progress->mark[oldest % PROGRESS_MARKS].moved;
	uint64_t speed = ns >= SECOND ? moved / (ns / 1000) : 0,
		 per_ms = ns >= SECOND ? moved / (ns / 1000000) : 0, left;

	if (progress->n_marks == 0 || ns < SECOND)
		return;
	if (speed < 10)
		out_printf(out, ", %ju.%ju MB/s", speed, moved / (ns / 10000) % 10);
	else
		out_printf(out, ", %ju MB/s", min_u64(speed, SPEED_MAX));
	if (per_ms == 0)
		return;
	left = (progress->total - progress->done) / per_ms / 1000;
	if (left >= HOUR)
		out_printf(out, ", %juh%02jum left", min_u64(left / HOUR, 99), left % HOUR / 60);
	else
		out_printf(out, ", %ju:%02ju left", left / 60, left % 60);
}

static void show(struct progress *progress, uint32_t at)
{
	uint64_t now = platform_nanoseconds();
	char text[COLUMNS + 1];
	struct out_buffer line;

	out_buffer_init(&line, text, sizeof text);
	out_printf(&line.out, "    (%u.%02u/100%%)", at / ONE_PERCENT, at % ONE_PERCENT);
	if (progress->phase != NULL)
		out_printf(&line.out, " %s", progress->phase);
	if (progress->phase_total > 0) {
		say_bytes(progress, &line.out);
		say_speed(progress, now, &line.out);
	}
	if (progress->lost > 0)
		out_printf(&line.out, ", %ju%s lost", min_u64(progress->lost, LOST_MAX),
			   progress->lost > LOST_MAX ? "+" : "");
	out_text(progress->out, text);
	if (line.length < progress->width) /* what stood there */
		out_spaces(progress->out, progress->width - line.length);
	out_text(progress->out, "\r");
	progress->width = line.length;
	progress->shown = at;
	progress->shown_ns = now;
	if (progress->n_marks == 0 ||
	    now - progress->mark[(progress->n_marks - 1) % PROGRESS_MARKS].ns >= SECOND) {
		progress->mark[progress->n_marks % PROGRESS_MARKS].ns = now;
		progress->mark[progress->n_marks++ % PROGRESS_MARKS].moved = progress->moved;
	}
}

void progress_begin(struct progress *progress, uint64_t total)
{
	if (!silent(progress))
		*progress = (struct progress){ .out = progress->out,
					       .total = total,
					       .begun = true };
}

void progress_phase(struct progress *progress, const char *phase, uint64_t bytes)
{
	if (silent(progress))
		return;
	progress->phase = phase;
	progress->phase_total = bytes;
	progress->phase_done = 0;
	progress->n_marks = 0;
	/* it begins with nothing, also of nothing */
	show(progress, progress->width == 0 ? 0 : position(progress));
}

/* Moves on, and shows it if it has moved far enough. */
static void move(struct progress *progress, uint64_t n)
{
	uint32_t at;

	progress->done += min_u64(n, progress->total - progress->done);
	progress->phase_done += min_u64(n, progress->phase_total - progress->phase_done);
	at = position(progress);
	if (at >= progress->shown + ONE_PERCENT || (at == ALL && progress->shown < ALL))
		show(progress, at);
}

void progress_advance(struct progress *progress, uint64_t n)
{
	if (silent(progress))
		return;
	progress->moved += n;
	move(progress, n);
}

void progress_skip(struct progress *progress, uint64_t n)
{
	if (!silent(progress))
		move(progress, n);
}

bool progress_cancelled(struct progress *progress)
{
	if (!silent(progress) && progress->begun &&
	    platform_nanoseconds() - progress->shown_ns >= SECOND)
		show(progress, position(progress));
	return platform_cancelled();
}

void progress_end(struct progress *progress)
{
	if (silent(progress) || !progress->begun)
		return;
	out_text(progress->out, "\n");
	progress->begun = false;
}
