/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An observer of a copy that reports its parts as events.
 */
#include "cli/copy_watch.h"

static void take_piece(struct observer *observer, uint64_t offset, const uint8_t *bytes, uint64_t n,
		       const uint64_t result[static OBSERVER_RESULTS])
{
	struct events *events = ((struct copy_watch *)observer)->events;

	(void)result;
	events->part(events, bytes != NULL ? PART_DATA : PART_ZERO, offset, n);
}

static void take_lost(struct observer *observer, const struct lost_range *range)
{
	struct events *events = ((struct copy_watch *)observer)->events;

	events->part(events, PART_UNREADABLE, range->offset, range->length);
}

static void take_read_back(struct observer *observer, uint64_t end)
{
	struct copy_watch *watch = (struct copy_watch *)observer;

	if (end > watch->read_back)
		watch->events->part(watch->events, PART_READ_BACK, watch->read_back,
				    end - watch->read_back);
	watch->read_back = end;
}

static const struct observer_ops ops = {
	.piece = take_piece,
	.lost = take_lost,
	.read_back = take_read_back,
};

struct observer *copy_watch_begin(struct copy_watch *watch, const struct console *console)
{
	*watch = (struct copy_watch){ .observer = { &ops }, .events = console->events };
	return watch->events != NULL && watch->events->part != NULL ? &watch->observer : NULL;
}
