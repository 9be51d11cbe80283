/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a Parallels image: read, and held against itself and the file. What comes later
 * relies on it: the BAT lies in the file, before the data, and has an entry for each cluster of the
 * disk; all places fit into 64 bits.
 */
#include "format/parallels/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"

const char parallels_magic_old[] = "WithoutFreeSpace", parallels_magic_ext[] = "WithouFreSpacExt";

static bool is_ext(const struct parallels_image *p)
{
	return memcmp(p->header.magic, parallels_magic_ext, PARALLELS_MAGIC_BYTES) == 0;
}

static enum status take_sizes(struct parallels_image *p, struct error *err)
{
	const struct parallels_header *h = &p->header;
	uint32_t sectors = le32_get(h->cluster_sectors);
	uint64_t disk_sectors = le64_get(h->n_sectors);

	if (le32_get(h->version) != PARALLELS_VERSION)
		return fail(err, ST_UNSUPPORTED,
			    "it has version %u of the format Parallels, and only 2 is supported",
			    le32_get(h->version));
	if (sectors == 0 || sectors > PARALLELS_CLUSTER_SECTORS_MAX)
		return fail(err, ST_CORRUPT,
			    "its clusters have %u sectors, and 1 to %u are possible", sectors,
			    PARALLELS_CLUSTER_SECTORS_MAX);
	p->n_entries = le32_get(h->n_entries);
	if (p->n_entries > PARALLELS_ENTRIES_MAX)
		return fail(err, ST_CORRUPT, "its BAT has %ju entries, and %u are the most",
			    p->n_entries, PARALLELS_ENTRIES_MAX);
	if (!is_ext(p))
		disk_sectors &= UINT32_MAX;
	p->cluster_bytes = (uint64_t)sectors * PARALLELS_SECTOR_BYTES;
	p->entry_bytes = is_ext(p) ? p->cluster_bytes : PARALLELS_SECTOR_BYTES;
	if (disk_sectors > SIZE_LIMIT / PARALLELS_SECTOR_BYTES - 1 ||
	    div_up(disk_sectors, sectors) > p->n_entries)
		return fail(err, ST_CORRUPT,
			    "its disk of %ju sectors does not fit into the %ju clusters of %u "
			    "sectors that its BAT is for",
			    disk_sectors, p->n_entries, sectors);
	p->image.size = disk_sectors * PARALLELS_SECTOR_BYTES;
	return ST_OK;
}

static enum status take_places(struct parallels_image *p, struct error *err)
{
	uint64_t sector = le32_get(p->header.data_sector);

	p->bat_end = PARALLELS_HEADER_BYTES + p->n_entries * PARALLELS_ENTRY_BYTES;
	p->data_start = sector != 0 ? sector * PARALLELS_SECTOR_BYTES
				    : round_up(p->bat_end, PARALLELS_SECTOR_BYTES);
	if (p->data_start < p->bat_end)
		return fail(err, ST_CORRUPT,
			    "its data begins in sector %ju, before the end of its BAT at offset "
			    "%ju",
			    sector, p->bat_end);
	if (parallels_file(p)->size < p->bat_end)
		return fail(err, ST_CORRUPT,
			    "the file is cut short: it has %ju bytes, and its BAT ends at %ju",
			    parallels_file(p)->size, p->bat_end);
	return ST_OK;
}

enum status parallels_read_header(struct parallels_image *p, struct error *err)
{
	enum status st = blk_read_padded(parallels_file(p), 0, &p->header, sizeof p->header);

	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (!is_ext(p) && memcmp(p->header.magic, parallels_magic_old, PARALLELS_MAGIC_BYTES) != 0)
		return fail(err, ST_CORRUPT,
			    "it is no Parallels image: it begins with neither \"%s\" nor \"%s\"",
			    parallels_magic_old, parallels_magic_ext);
	st = take_sizes(p, err);
	if (st == ST_OK)
		st = take_places(p, err);
	p->was_in_use = le32_get(p->header.in_use) == PARALLELS_IN_USE;
	p->closed = !p->was_in_use ? p->header.in_use
		    : is_ext(p)    ? le32_of(PARALLELS_CLOSED)
				   : le32_of(0); /* the old kind does not say so */
	return st;
}

enum status parallels_set_in_use(struct parallels_image *p, bool in_use)
{
	enum status st;

	p->header.in_use = in_use ? le32_of(PARALLELS_IN_USE) : p->closed;
	st = blk_write(parallels_file(p), 0, &p->header, sizeof p->header);
	return st == ST_OK ? blk_flush(parallels_file(p)) : st;
}
