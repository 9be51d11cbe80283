/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads what a format is recognised by: the first and the last bytes of a file, its size and its
 * name.
 *
 * The first sector comes alone, and for a format that bears a signature in it nothing else is read:
 * on FAT, going to the end of a file walks its whole chain of clusters, and an image of which
 * another sector is damaged is still recognised. Of the other sectors, one that cannot be read, not
 * even when tried a second time, counts as zeros: a damaged file stays one that --salvage copies,
 * and every other command that reads it fails at that sector anyway.
 */
#include "format/probe.h"

#include <stddef.h>

#include "base/memory.h"
#include "base/range.h"

enum status probe_read_sector(struct blk *blk, const char *name, struct image_probe *ret)
{
	*ret = (struct image_probe){ .name = name,
				     .size = blk->size,
				     .device = blk->device != NULL };
	return blk_read_padded(blk, 0, ret->head, PROBE_SECTOR_BYTES);
}

/* Reads a range, zeros past the end of the blk and for sectors that cannot be read. */
static enum status read_sectors(struct blk *blk, uint64_t offset, uint8_t *buf, size_t len)
{
	enum status st = blk_read_padded(blk, offset, buf, len);

	for (size_t at = 0; st == ST_IO && at < len; at += PROBE_SECTOR_BYTES) {
		size_t n = (size_t)min_u64(len - at, PROBE_SECTOR_BYTES);
		enum status one = blk_read_padded(blk, offset + at, buf + at, n);

		if (one == ST_IO)
			memset(buf + at, 0, n);
		else if (one != ST_OK)
			st = one;
	}
	return st == ST_IO ? ST_OK : st;
}

enum status probe_read_rest(struct blk *blk, struct image_probe *probe)
{
	/*
	 * On the way to its end, all of a sequential blk would be read, and once more from there.
	 */
	size_t n = blk->sequential ? 0 : (size_t)min_u64(probe->size, PROBE_TAIL_BYTES);
	enum status st = read_sectors(blk, PROBE_SECTOR_BYTES, probe->head + PROBE_SECTOR_BYTES,
				      PROBE_HEAD_BYTES - PROBE_SECTOR_BYTES);

	if (st == ST_OK)
		st = read_sectors(blk, probe->size - n, probe->tail + PROBE_TAIL_BYTES - n, n);
	probe->whole = st == ST_OK;
	return st;
}
