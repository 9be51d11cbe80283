/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XFS, versions 4 and 5 ("XFS Algorithms & Data Structures"; the kernel's xfs_format.h and
 * xfs_log_format.h). Big-endian. Each allocation group (AG) has a B-tree of its free extents by
 * their first block, "bnobt", which its header AGF names. What is not in there is used: also the
 * blocks that are kept for the trees themselves (AGFL), and the log.
 *
 * It is clean if the newest record of the log is that of an unmount: the one with the highest LSN,
 * among those that are not empty. All of the log is read to find it.
 *
 * The tree counts if each block of it has its place, level, order and checksum (version 5), each
 * key is that of what is below it, and the blocks of all records are as many as AGF says. The sum
 * over all AGs must be that of the superblock.
 */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/kinds.h"
#include "platform/person.h"

enum {
	SECTOR_BYTES = 512, /* of the log, and of addresses in blocks of the tree */
	LEVELS_MAX = 8,
	LOG_PART = 65536,
	LOG_SECTORS_MAX = 1 << 22, /* 2 GiB */
	CRC_SUPER = 0xe0,
	CRC_AGF = 0xd8,
	CRC_BLOCK = 0x34,
	UNMOUNT = 0x20, /* flag of an operation in the log */
	LOG_VERSION_2 = 2,
	LOG_CYCLE_BYTES = 32768, /* of a record, for which a header has cycle numbers */
};

enum {
	VERSION_BITS_KNOWN = 0xfdff,
	FEATURES2_LAZY = 0x2,
	FEATURES2_KNOWN = 0x38a,
	RO_COMPAT_KNOWN = 0xf,
	INCOMPAT_META_UUID = 0x4,
	INCOMPAT_NEEDSREPAIR = 0x10,
	INCOMPAT_KNOWN = 0xff,
};

struct xfs {
	struct blk *blk;
	uint32_t version, block_shift, sector_bytes;
	uint64_t n_blocks, n_free;
	uint32_t n_groups, group_blocks, group_shift;
	bool lazy; /* the superblock's free blocks include those of the trees */
	uint8_t uuid[16], log_uuid[16];
	uint64_t log_start, log_blocks; /* blocks from the start of the file system */

	/* the group that is being read */
	uint32_t group, length, root, n_levels, group_free;
	/* how much of it was counted, all up to `next`, an absolute block */
	uint64_t next, counted;
	bool counting;
	/* one block of each level of the tree, and which; 0: none */
	uint64_t loaded[LEVELS_MAX];
	uint8_t nodes[];
};

/* A part of the tree that is walked: blocks of the group; bit `bit` of `bits` is block `first`. */
struct walk {
	uint64_t first, end;
	uint64_t n_free; /* found in it */
	uint8_t *bits;
	uint64_t bit;
};

static uint64_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return bytes_from_be(bytes + offset, n);
}

static uint32_t get32(const uint8_t *bytes, size_t offset)
{
	return (uint32_t)bytes_from_be(bytes + offset, 4);
}

/* Checksums are the only numbers that are little-endian, and count as zero in themselves. */
static bool crc_is_right(const uint8_t *bytes, size_t n, size_t at)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(crc32c(0, bytes, at), zeros, 4);

	return bytes_from_le(bytes + at, 4) == crc32c(crc, bytes + at + 4, n - at - 4);
}

static enum status damaged(struct error *why)
{
	return fail(why, ST_UNSUPPORTED, "its tables are damaged: run xfs_repair");
}

/* ---- The superblock ---- */

static bool xfs_recognise(const struct fs_view *view)
{
	return memcmp(view->head, "XFSB", 4) == 0;
}

/* Takes the fields. False: some of them are impossible. */
static bool parse(const struct fs_view *view, struct xfs *xfs)
{
	const uint8_t *super = view->head;
	uint64_t log = get(super, 0x30, 8), block_bytes = get(super, 4, 4), log_group;
	bool meta_uuid;

	xfs->blk = view->blk;
	xfs->version = super[0x65] & 15;
	xfs->n_blocks = get(super, 8, 8);
	xfs->group_blocks = get32(super, 0x54);
	xfs->n_groups = get32(super, 0x58);
	xfs->sector_bytes = (uint32_t)get(super, 0x66, 2);
	xfs->group_shift = super[0x7c];
	xfs->n_free = get(super, 0x90, 8);
	xfs->lazy = xfs->version == 5 || (get32(super, 0xc8) & FEATURES2_LAZY) != 0;
	if (!is_power_of_two(block_bytes) || block_bytes < 512 || block_bytes > 65536 ||
	    !is_power_of_two(xfs->sector_bytes) || xfs->sector_bytes < 512 ||
	    xfs->sector_bytes > 32768 || xfs->n_groups == 0 || xfs->group_shift > 31 ||
	    xfs->group_blocks == 0 || (xfs->group_blocks - 1) >> xfs->group_shift != 0 ||
	    xfs->n_blocks >> 48 != 0 || div_up(xfs->n_blocks, xfs->group_blocks) != xfs->n_groups)
		return false;
	xfs->block_shift = fs_log2(block_bytes);
	log_group = log >> xfs->group_shift;
	xfs->log_blocks = get32(super, 0x60);
	if (log_group >= xfs->n_groups)
		return false;
	xfs->log_start = log_group * xfs->group_blocks +
			 (log & ((UINT64_C(1) << xfs->group_shift) - 1));
	meta_uuid = xfs->version == 5 && (get32(super, 0xd8) & INCOMPAT_META_UUID) != 0;
	memcpy(xfs->log_uuid, super + 0x20, 16);
	memcpy(xfs->uuid, super + (meta_uuid ? 0xf8 : 0x20), 16);
	return range_ok(xfs->log_start, xfs->log_blocks, xfs->n_blocks);
}

static void look_features(const uint8_t *super, const struct xfs *xfs, struct fs *ret)
{
	uint32_t more = (uint32_t)get(super, 0x64, 2) & ~(uint32_t)VERSION_BITS_KNOWN;
	uint32_t incompat = xfs->version == 5 ? get32(super, 0xd8) : 0;

	more |= get32(super, 0xc8) & ~(uint32_t)FEATURES2_KNOWN;
	if (xfs->version == 5)
		more |= get32(super, 0xd0) | (get32(super, 0xd4) & ~(uint32_t)RO_COMPAT_KNOWN) |
			(incompat & ~(uint32_t)INCOMPAT_KNOWN);
	if (more != 0 || (xfs->version != 4 && xfs->version != 5))
		fs_note(ret, "it has features that this program does not know");
	if (xfs->version == 5 && !crc_is_right(super, xfs->sector_bytes, CRC_SUPER))
		fs_note(ret, "the checksum of its superblock is wrong: run xfs_repair");
	if ((incompat & INCOMPAT_NEEDSREPAIR) != 0 || super[0x7e] != 0)
		fs_note(ret, "it is marked to be repaired: run xfs_repair");
	if (xfs->version == 5 && get32(super, 0xdc) != 0)
		fs_note(ret, "it was not unmounted: mount and unmount it");
	if (get(super, 0x30, 8) == 0)
		fs_note(ret, "its journal is on another device");
	if (get(super, 0x18, 8) != 0)
		fs_note(ret, "it has a realtime section, of which this program knows nothing");
}

static enum status xfs_look(const struct fs_view *view, struct fs *ret)
{
	struct xfs xfs;

	ret->type = "XFS";
	fs_label_utf8(ret, view->head + 0x6c, 12);
	fs_uuid_text(ret, view->head + 0x20);
	if (!parse(view, &xfs)) {
		fs_note(ret, "its superblock is damaged: run xfs_repair");
		return ST_OK;
	}
	ret->size = xfs.n_blocks << xfs.block_shift;
	ret->has_used = xfs.n_free <= xfs.n_blocks;
	ret->used = ret->has_used ? (xfs.n_blocks - xfs.n_free) << xfs.block_shift : 0;
	if (ret->size > view->blk->size)
		fs_note(ret, "it is larger than the space it is in");
	look_features(view->head, &xfs, ret);
	return ST_OK;
}

/* ---- The log ---- */

/* Looks for the newest record; *ret_sector is where its header is. ST_CORRUPT: there is none. */
static enum status find_newest(const struct xfs *xfs, uint8_t *part, uint32_t n_sectors,
			       uint32_t *ret_sector)
{
	uint64_t newest = 0, start = xfs->log_start << xfs->block_shift;

	for (uint32_t i = 0; i < n_sectors; i++) {
		uint64_t at = (uint64_t)i * SECTOR_BYTES;
		const uint8_t *header = part + at % LOG_PART;
		uint64_t lsn;

		if (at % LOG_PART == 0) {
			uint64_t left = (uint64_t)(n_sectors - i) * SECTOR_BYTES;
			enum status st = platform_cancelled() ? ST_CANCELLED : ST_OK;

			if (st == ST_OK)
				st = blk_read(xfs->blk, start + at, part,
					      (size_t)min_u64(left, LOG_PART));
			if (st != ST_OK)
				return st;
		}
		/* Ahead of the newest, the kernel stamps headers without contents. */
		if (get32(header, 0) != 0xfeedbabe || get32(header, 0xc) == 0)
			continue;
		lsn = get(header, 0x10, 8);
		if ((lsn & 0xffffffff) != i || memcmp(header + 0x130, xfs->log_uuid, 16) != 0)
			return ST_CORRUPT;
		if (lsn > newest) {
			newest = lsn;
			*ret_sector = i;
		}
	}
	return newest > 0 ? ST_OK : ST_CORRUPT;
}

/* Reads a sector of the log, which is a ring. */
static enum status read_log(const struct xfs *xfs, uint32_t sector, uint32_t n_sectors, uint8_t *to)
{
	return blk_read(xfs->blk,
			(xfs->log_start << xfs->block_shift) +
				(uint64_t)(sector % n_sectors) * SECTOR_BYTES,
			to, SECTOR_BYTES);
}

static enum status check_log(const struct xfs *xfs, struct fs *fs, struct error *why)
{
	uint64_t log_sectors = (xfs->log_blocks << xfs->block_shift) / SECTOR_BYTES;
	uint32_t n_sectors = (uint32_t)min_u64(log_sectors, LOG_SECTORS_MAX), sector = 0, n, cycle;
	uint8_t *part = io_alloc(LOG_PART);
	uint8_t header[SECTOR_BYTES], operation[SECTOR_BYTES];
	enum status st = ST_NO_MEMORY;

	if (part != NULL)
		st = find_newest(xfs, part, n_sectors, &sector);
	io_free(part, LOG_PART);
	if (st == ST_OK && log_sectors != n_sectors)
		st = ST_CORRUPT;
	if (st == ST_OK)
		st = read_log(xfs, sector, n_sectors, header);
	if (st != ST_OK)
		return st == ST_CANCELLED ? fail(why, st, "%s", status_text(st)) : st;
	n = (get32(header, 8) & LOG_VERSION_2) != 0
		    ? (uint32_t)max_u64(div_up(get32(header, 0x140), LOG_CYCLE_BYTES), 1)
		    : 1;
	st = read_log(xfs, sector + n, n_sectors, operation);
	/* The log stamps each sector with the cycle, which the end of the ring counts up. */
	cycle = get32(header, 4) + (sector + n >= n_sectors);
	if (st == ST_OK && get32(operation, 0) != cycle)
		return fail(why, ST_UNSUPPORTED, "its log is damaged: run xfs_repair");
	if (st == ST_OK && (get32(header, 0x28) != 1 || (operation[9] & UNMOUNT) == 0)) {
		fs->binds = FS_BINDS_SWAP;
		return fail(why, ST_UNSUPPORTED,
			    "it was not unmounted: shut its system down, or mount and unmount it");
	}
	return st;
}

/* ---- Allocation groups ---- */

static uint64_t group_start(const struct xfs *xfs, uint32_t group)
{
	return (uint64_t)group * xfs->group_blocks;
}

/* Reads the AGF, and makes the group the one that is read. */
static enum status read_group(struct xfs *xfs, uint32_t group, uint8_t *agf, struct error *why)
{
	uint64_t start = group_start(xfs, group);
	uint64_t length = min_u64(xfs->group_blocks, xfs->n_blocks - start);
	enum status st;

	/* the sector after the copy of the superblock */
	st = blk_read(xfs->blk, (start << xfs->block_shift) + xfs->sector_bytes, agf,
		      xfs->sector_bytes);
	if (st != ST_OK)
		return st;
	if (memcmp(agf, "XAGF", 4) != 0 || get32(agf, 4) != 1 || get32(agf, 8) != group ||
	    get32(agf, 0xc) != length ||
	    (xfs->version == 5 && (memcmp(agf + 0x40, xfs->uuid, 16) != 0 ||
				   !crc_is_right(agf, xfs->sector_bytes, CRC_AGF))))
		return damaged(why);
	xfs->group = group;
	xfs->length = (uint32_t)length;
	xfs->root = get32(agf, 0x10);
	xfs->n_levels = get32(agf, 0x1c);
	xfs->group_free = get32(agf, 0x34);
	if (xfs->n_levels == 0 || xfs->n_levels > LEVELS_MAX || xfs->group_free > length)
		return damaged(why);
	return ST_OK;
}

/* Whether a block of the tree is what its place demands. */
static bool is_node(const struct xfs *xfs, const uint8_t *node, uint32_t block, uint32_t level,
		    uint32_t n_max)
{
	uint64_t sector = (group_start(xfs, xfs->group) + block) << xfs->block_shift;

	if (get(node, 4, 2) != level || get(node, 6, 2) > n_max)
		return false;
	if (xfs->version == 4)
		return memcmp(node, "ABTB", 4) == 0;
	return memcmp(node, "AB3B", 4) == 0 && get(node, 0x10, 8) == sector / SECTOR_BYTES &&
	       memcmp(node + 0x20, xfs->uuid, 16) == 0 && get32(node, 0x30) == xfs->group &&
	       crc_is_right(node, (size_t)1 << xfs->block_shift, CRC_BLOCK);
}

/* Takes the free extents of a leaf whose first block is `low`, and whose last are before `high`. */
static bool take_leaf(const struct xfs *xfs, const uint8_t *records, uint64_t n, uint64_t low,
		      uint64_t high, struct walk *walk)
{
	uint64_t log = xfs->log_start - group_start(xfs, xfs->group), end = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t from = get32(records, (size_t)i * 8), to, count;

		count = get32(records, (size_t)i * 8 + 4);
		/* Extents that touch would be one. */
		if (i > 0 ? from <= end : low > 0 && from != low)
			return false;
		end = from + count;
		/* The superblock, AGF, AGI and AGFL are before all. */
		if (count == 0 || end > high ||
		    from << xfs->block_shift < UINT64_C(4) * xfs->sector_bytes ||
		    (group_start(xfs, xfs->group) <= xfs->log_start &&
		     from < log + xfs->log_blocks && end > log))
			return false;
		from = max_u64(from, walk->first);
		to = min_u64(end, walk->end);
		if (from >= to)
			continue;
		walk->n_free += to - from;
		fs_bits_clear(walk->bits, walk->bit + (from - walk->first), to - from);
	}
	return true;
}

static enum status walk_block(struct xfs *xfs, uint32_t block, uint32_t level, uint64_t low,
			      uint64_t high, struct walk *walk, struct error *why)
{
	size_t bytes = (size_t)1 << xfs->block_shift, header = xfs->version == 4 ? 16 : 56;
	uint8_t *node = xfs->nodes + level * bytes;
	uint32_t n_max = (uint32_t)((bytes - header) / (level == 0 ? 8 : 12));
	uint64_t absolute = group_start(xfs, xfs->group) + block, n;
	enum status st = ST_OK;

	if (block == 0 || block >= xfs->length)
		return damaged(why);
	if (xfs->loaded[level] != absolute) {
		xfs->loaded[level] = 0;
		st = blk_read(xfs->blk, absolute << xfs->block_shift, node, bytes);
		if (st != ST_OK)
			return st;
		if (!is_node(xfs, node, block, level, n_max))
			return damaged(why);
		xfs->loaded[level] = absolute;
	}
	n = get(node, 6, 2);
	if (level == 0)
		return take_leaf(xfs, node + header, n, low, high, walk) ? ST_OK : damaged(why);
	for (uint32_t i = 0; st == ST_OK && i < n; i++) {
		const uint8_t *keys = node + header, *pointers = keys + (size_t)n_max * 8;
		uint64_t key = get32(keys, (size_t)i * 8);
		uint64_t next = i + 1 < n ? get32(keys, (size_t)i * 8 + 8) : high;

		if (key >= next || next > high || (i == 0 && low > 0 && key != low))
			return damaged(why);
		if (next > walk->first && key < walk->end)
			st = walk_block(xfs, get32(pointers, (size_t)i * 4), level - 1, key, next,
					walk, why);
	}
	return st;
}

/* ---- The map ---- */

/* Adds up what is free in the group, as long as its pieces come one after the other. */
static enum status count(struct xfs *xfs, const struct walk *walk, struct error *why)
{
	uint64_t start = group_start(xfs, xfs->group);

	if (walk->first == 0)
		xfs->counted = 0;
	xfs->counting = walk->first == 0 || (xfs->counting && xfs->next == start + walk->first);
	xfs->next = start + walk->end;
	xfs->counted += walk->n_free;
	if (xfs->counting && walk->end == xfs->length && xfs->counted != xfs->group_free)
		return damaged(why);
	return ST_OK;
}

static enum status xfs_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			    struct error *why)
{
	struct xfs *xfs = map->kind_data;
	uint64_t end = first + n;
	uint8_t *agf = xfs->nodes + ((size_t)LEVELS_MAX << xfs->block_shift);
	enum status st = ST_OK;

	fs_bits_set(bits, 0, n);
	for (uint64_t at = first; st == ST_OK && at < end;) {
		uint32_t group = (uint32_t)(at / xfs->group_blocks);
		uint64_t start = group_start(xfs, group);
		struct walk walk = { .first = at - start, .bits = bits, .bit = at - first };

		st = read_group(xfs, group, agf, why);
		if (st != ST_OK)
			break;
		walk.end = min_u64(end - start, xfs->length);
		st = walk_block(xfs, xfs->root, xfs->n_levels - 1, 0, xfs->length, &walk, why);
		if (st == ST_OK)
			st = count(xfs, &walk, why);
		at = start + walk.end;
	}
	return st;
}

/* The counts of all groups make that of the superblock. */
static enum status check_counts(struct xfs *xfs, struct error *why)
{
	uint8_t *agf = xfs->nodes + ((size_t)LEVELS_MAX << xfs->block_shift);
	uint64_t n_free = 0;

	for (uint32_t i = 0; i < xfs->n_groups; i++) {
		enum status st = read_group(xfs, i, agf, why);

		if (st != ST_OK)
			return st;
		n_free += (uint64_t)xfs->group_free + get32(agf, 0x30) + get32(agf, 0x3c);
	}
	if (xfs->lazy && n_free != xfs->n_free)
		return fail(why, ST_UNSUPPORTED,
			    "it counts %ju free blocks, and has %ju: run xfs_repair", xfs->n_free,
			    n_free);
	return ST_OK;
}

static enum status xfs_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	uint64_t block_bytes = get(view->head, 4, 4); /* xfs_look() has checked it */
	struct xfs *xfs = mem_alloc(sizeof *xfs + (size_t)block_bytes * LEVELS_MAX +
				    (size_t)get(view->head, 0x66, 2));
	enum status st;

	if (xfs == NULL)
		return ST_NO_MEMORY;
	map->kind_data = xfs;
	(void)parse(view, xfs);
	map->shift = xfs->block_shift;
	map->n_units = xfs->n_blocks;
	map->load = xfs_load;
	st = check_log(xfs, map->fs, why);
	return st == ST_OK ? check_counts(xfs, why) : st;
}

const struct fs_kind fs_kind_xfs = {
	.recognise = xfs_recognise,
	.look = xfs_look,
	.open = xfs_open,
};
