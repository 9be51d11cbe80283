/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Space for files: whether each fits the largest file of its volume, and whether all files on one
 * volume fit its free space together, before the first of them is created.
 */
#include "edit/place.h"

#include "base/out.h"
#include "base/range.h"
#include "base/size.h"

static enum status check_limit(const struct place_need *need, struct error *err)
{
	const struct place *place = &need->place;

	if (need->size <= place->file_limit_bytes || (need->grows && need->size <= need->old_size))
		return ST_OK;
	return fail(err, ST_TOO_LARGE,
		    "%s: %ju bytes are more than a file on %s can have (%ju bytes%s); make it "
		    "smaller, use a volume with another file system, or let it grow with its "
		    "contents: -f qcow2 without preallocation",
		    need->name, need->size, place->volume_name, place->file_limit_bytes,
		    place->file_limit_bytes == UINT32_MAX ? ", the limit of FAT" : "");
}

/*
 * What the file will take of the volume. Zeros at the end cost nothing where files can be sparse,
 * unless space is to be reserved.
 */
static uint64_t needed_bytes(const struct place_need *need)
{
	const struct place *place = &need->place;
	uint64_t had = need->grows ? round_up(need->old_size, place->cluster_bytes) : 0,
		 bytes = round_up(need->size, place->cluster_bytes);

	if (place->sparse &&
	    (need->prealloc == PREALLOC_OFF || need->prealloc == PREALLOC_METADATA))
		return 0;
	return bytes > had ? bytes - had : 0;
}

static enum status check_space(const struct place_need need[], size_t i, struct error *err)
{
	const struct place *place = &need[i].place;
	uint64_t needed = 0, available = place->free_bytes;
	struct out_buffer readable;
	char text[32];

	/*
	 * Files before it on the same volume come out of the same space, and what they replace goes
	 * back to it.
	 */
	for (size_t j = 0; j <= i; j++) {
		if (need[j].place.volume != place->volume)
			continue;
		if (!add_ok(needed, needed_bytes(&need[j]), &needed))
			needed = UINT64_MAX;
		available += need[j].grows ? 0 : need[j].place.existing_bytes;
	}
	if (needed <= available)
		return ST_OK;
	out_buffer_init(&readable, text, sizeof text);
	size_print(&readable.out, available);
	return fail(err, ST_NO_SPACE, "%s: %ju bytes are needed, but only %ju (%s) are free on %s",
		    need[i].name, needed, available, text, place->volume_name);
}

enum status place_check(const struct place_need need[], size_t i, struct error *err)
{
	enum status st = check_limit(&need[i], err);

	return st == ST_OK ? check_space(need, i, err) : st;
}
