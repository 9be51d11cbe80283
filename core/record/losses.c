/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of what a copy could not read. Its memory is bounded: the first LOSSES_MAX ranges are
 * listed, the others are counted. Ranges that adjoin are one, so that a bad track is one line.
 */
#include "record/losses.h"

#include "base/range.h"
#include "engine/salvage.h"

static void add(struct observer *observer, const struct lost_range *range)
{
	struct losses *losses = (struct losses *)observer;
	struct lost_range *last =
		&losses->range[losses->n > 0 ? min_u64(losses->n - 1, LOSSES_MAX) : 0];

	losses->bytes += range->length;
	if (losses->n > 0 && last->image == range->image && last->why == range->why &&
	    last->offset + last->length == range->offset) {
		last->length += range->length;
	} else {
		losses->range[min_u64(losses->n, LOSSES_MAX)] = *range;
		losses->n++;
	}
	if (losses->progress != NULL)
		losses->progress->lost = losses->n;
}

static const struct observer_ops ops = { .lost = add };

void losses_begin(struct losses *losses, struct progress *progress)
{
	losses->observer.ops = &ops;
	losses->n = losses->bytes = 0;
	losses->progress = progress;
}

void losses_warn(const struct losses *losses, struct warnings *warnings, const char *target)
{
	for (size_t i = 0; i < losses->n && i < LOSSES_MAX; i++) {
		const struct lost_range *range = &losses->range[i];
		char place[128];
		struct out_buffer out;

		out_buffer_init(&out, place, sizeof place);
		salvage_print_place(range, &out.out);
		warn(warnings, "%s: lost: %s of the disk could not be read: %s", range->image->name,
		     place, status_text(range->why));
	}
	if (losses->n > LOSSES_MAX)
		warn(warnings, "and %ju more such ranges after them", losses->n - LOSSES_MAX);
	if (losses->bytes > 0)
		warn(warnings, "%s: %ju bytes of it are zeros because they could not be read",
		     target, losses->bytes);
}
