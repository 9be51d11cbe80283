/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext2, ext3 and ext4 (the kernel's Documentation/filesystems/ext4/, e2fsprogs' ext2_fs.h). Each
 * group of blocks has a bitmap, which the group's descriptor names; with the feature "bigalloc" a
 * bit is a cluster of several blocks.
 *
 * It is clean if the superblock's state is, no orphans are left, and the journal needs no recovery;
 * a journal keeps the state at "clean" while the file system is mounted. A group counts if its
 * descriptor's checksum, its bitmap's checksum and its count of free blocks are right. The free
 * blocks of the superblock may lag, and do not count.
 *
 * The bitmap of a group that was never used (BLOCK_UNINIT) is not written. Then all of it is free
 * but the copies of superblock and descriptors, its own bitmaps and its own inode table. Tables of
 * other groups cannot lie in it: the kernel would not know of them either. Where they do, there is
 * no map. Nothing is replayed.
 *
 * A group's tables may lie in another one (flex_bg), and must be in use in that one's bitmap.
 */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/kinds.h"

enum {
	SUPER_AT = 1024,
	SUPER_BYTES = 1024,
	MAGIC = 0xef53,
	STATE_CLEAN = 1,
	STATE_ERRORS = 2,
	CHECKSUM_CRC32C = 1,
	BLOCK_UNINIT = 2,
	CACHE_BYTES = 4096, /* of descriptors */
};

/* Features. KNOWN: with them, the bitmaps are as this file reads them. */
enum {
	COMPAT_JOURNAL = 0x4,
	COMPAT_SPARSE_SUPER2 = 0x200,
	COMPAT_KNOWN = 0x1e3f,
	INCOMPAT_RECOVER = 0x4,
	INCOMPAT_JOURNAL_DEV = 0x8,
	INCOMPAT_META_BG = 0x10,
	INCOMPAT_64BIT = 0x80,
	INCOMPAT_CSUM_SEED = 0x2000,
	INCOMPAT_KNOWN = 0x3e7d2,
	INCOMPAT_EXT3 = 0x16, /* an ext3 may have these */
	RO_SPARSE_SUPER = 0x1,
	RO_GDT_CSUM = 0x10,
	RO_BIGALLOC = 0x200,
	RO_METADATA_CSUM = 0x400,
	RO_ORPHAN_PRESENT = 0x10000,
	RO_KNOWN = 0xf77f,
	RO_EXT3 = 0x7,
};

struct ext {
	uint8_t super[SUPER_BYTES];
	uint32_t compat, incompat, ro;
	uint32_t block_shift,
		ratio_shift; /* blocks of 1 << block_shift bytes, 1 << ... a cluster */
	uint64_t n_blocks, first_block;
	uint32_t group_blocks, n_groups;
	uint32_t desc_bytes, per_block; /* a descriptor; how many are in a block */
	uint32_t inode_blocks;          /* of a group's inode table */
	uint32_t seed;                  /* of checksums */
	uint64_t cached;                /* bytes: where `cache` is from; 0: nowhere */
	uint8_t cache[CACHE_BYTES];
	uint64_t bits_at; /* the block that `bits` are from; 0: none */
	uint8_t bits[];   /* of a group, for open() alone */
};

/* A group's descriptor, as numbers. */
struct group {
	uint64_t block_bitmap, inode_bitmap, inode_table;
	uint32_t n_free, bitmap_crc;
	bool uninit;
};

static uint32_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return (uint32_t)bytes_from_le(bytes + offset, n);
}

/* The kernel's crc32c(), which inverts neither at the beginning nor at the end. */
static uint32_t crc_le(uint32_t seed, const void *bytes, size_t n)
{
	return ~crc32c(~seed, bytes, n);
}

static uint16_t crc16(uint16_t crc, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc >> 1 ^ ((crc & 1) != 0 ? 0xa001 : 0));
	}
	return crc;
}

static bool has_crc(const struct ext *ext)
{
	return (ext->ro & RO_METADATA_CSUM) != 0;
}

/* ---- The superblock ---- */

static bool ext_recognise(const struct fs_view *view)
{
	const uint8_t *super = view->head + SUPER_AT;

	return get(super, 0x38, 2) == MAGIC && get(super, 0x18, 4) <= 6 &&
	       get(super, 0x4c, 4) <= 1 &&
	       (get(super, 0x28, 4) != 0 || (get(super, 0x60, 4) & INCOMPAT_JOURNAL_DEV) != 0);
}

/* Takes the fields. False: some of them are impossible. */
static bool parse(const struct fs_view *view, struct ext *ext)
{
	const uint8_t *super = memcpy(ext->super, view->head + SUPER_AT, SUPER_BYTES);
	bool dynamic = get(super, 0x4c, 4) >= 1;
	uint32_t inode_bytes = dynamic ? get(super, 0x58, 2) : 128, block_bytes;

	ext->compat = dynamic ? get(super, 0x5c, 4) : 0;
	ext->incompat = dynamic ? get(super, 0x60, 4) : 0;
	ext->ro = dynamic ? get(super, 0x64, 4) : 0;
	ext->block_shift = 10 + get(super, 0x18, 4);
	block_bytes = 1u << ext->block_shift;
	ext->first_block = get(super, 0x14, 4);
	ext->n_blocks = get(super, 0x04, 4);
	ext->desc_bytes = 32;
	if ((ext->incompat & INCOMPAT_64BIT) != 0) {
		ext->n_blocks |= (uint64_t)get(super, 0x150, 4) << 32;
		ext->desc_bytes = get(super, 0xfe, 2);
	}
	ext->group_blocks = get(super, 0x20, 4);
	ext->ratio_shift = (ext->ro & RO_BIGALLOC) != 0 ? get(super, 0x1c, 4) - get(super, 0x18, 4)
							: 0;
	ext->seed = (ext->incompat & INCOMPAT_CSUM_SEED) != 0 ? get(super, 0x270, 4)
							      : crc_le(~0u, super + 0x68, 16);
	if (!is_power_of_two(ext->desc_bytes) || ext->desc_bytes < 32 ||
	    ext->desc_bytes > SUPER_BYTES || ext->ratio_shift > 16 || inode_bytes < 128 ||
	    inode_bytes > block_bytes || get(super, 0x28, 4) > 8 * block_bytes ||
	    ext->group_blocks == 0 || ext->group_blocks % (8u << ext->ratio_shift) != 0 ||
	    ext->group_blocks >> ext->ratio_shift > block_bytes * 8 ||
	    ext->first_block != (block_bytes == 1024 && (ext->ro & RO_BIGALLOC) == 0) ||
	    ext->n_blocks <= ext->first_block || ext->n_blocks >> 48 != 0 ||
	    ext->n_blocks % (1u << ext->ratio_shift) != 0)
		return false;
	ext->n_groups = (uint32_t)div_up(ext->n_blocks - ext->first_block, ext->group_blocks);
	ext->per_block = block_bytes / ext->desc_bytes;
	ext->inode_blocks = (uint32_t)div_up((uint64_t)get(super, 0x28, 4) * inode_bytes,
					     block_bytes);
	return div_up(ext->n_blocks - ext->first_block, ext->group_blocks) <= UINT32_MAX;
}

static const char *type_of(const struct ext *ext)
{
	if ((ext->incompat & INCOMPAT_JOURNAL_DEV) != 0)
		return "ext journal";
	if ((ext->incompat & ~(uint32_t)INCOMPAT_EXT3) != 0 || (ext->ro & ~(uint32_t)RO_EXT3) != 0)
		return "ext4";
	return (ext->compat & COMPAT_JOURNAL) != 0 ? "ext3" : "ext2";
}

static void look_features(const struct ext *ext, struct fs *ret)
{
	uint32_t incompat = ext->incompat & ~(uint32_t)(INCOMPAT_KNOWN | INCOMPAT_RECOVER);
	uint32_t ro = ext->ro & ~(uint32_t)(RO_KNOWN | RO_ORPHAN_PRESENT);
	uint32_t compat = ext->compat & ~(uint32_t)COMPAT_KNOWN;

	if ((incompat | ro | compat) != 0)
		fs_note(ret, "it has features that this program does not know (%x, %x, %x)", compat,
			incompat, ro);
	if (get(ext->super, 0xe4, 4) != 0)
		fs_note(ret, "its journal is on another device");
	if (has_crc(ext) && (ext->super[0x175] != CHECKSUM_CRC32C ||
			     get(ext->super, 0x3fc, 4) != crc_le(~0u, ext->super, 0x3fc)))
		fs_note(ret, "the checksum of its superblock is wrong: run e2fsck -f");
}

static void look_clean(const struct ext *ext, struct fs *ret)
{
	uint32_t state = get(ext->super, 0x3a, 2);

	if ((state & STATE_ERRORS) != 0)
		fs_note(ret, "it has errors: run e2fsck -f");
	if (state != STATE_CLEAN || (ext->incompat & INCOMPAT_RECOVER) != 0 ||
	    (ext->ro & RO_ORPHAN_PRESENT) != 0) {
		ret->binds = FS_BINDS_SWAP;
		fs_note(ret, "it was not unmounted: shut its system down, or run e2fsck");
	}
}

static enum status ext_look(const struct fs_view *view, struct fs *ret)
{
	struct ext *ext = mem_alloc(sizeof *ext);
	uint64_t n_free;
	bool valid;

	if (ext == NULL)
		return ST_NO_MEMORY;
	valid = parse(view, ext);
	ret->type = type_of(ext);
	fs_label_utf8(ret, ext->super + 0x78, 16);
	fs_uuid_text(ret, ext->super + 0x68);
	if (!valid) {
		fs_note(ret, "its superblock is damaged: run e2fsck -f");
	} else {
		n_free = get(ext->super, 0x0c, 4);
		if ((ext->incompat & INCOMPAT_64BIT) != 0)
			n_free |= (uint64_t)get(ext->super, 0x158, 4) << 32;
		ret->size = ext->n_blocks << ext->block_shift;
		ret->has_used = n_free <= ext->n_blocks;
		ret->used = ret->has_used ? (ext->n_blocks - n_free) << ext->block_shift : 0;
		look_features(ext, ret);
		look_clean(ext, ret);
		if (ret->size > view->blk->size)
			fs_note(ret, "it is larger than the space it is in");
	}
	mem_free(ext);
	return ST_OK;
}

/* ---- Groups ---- */

static bool is_power_of(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

/* Whether a group begins with a copy of the superblock. */
static bool has_super(const struct ext *ext, uint32_t group)
{
	if (group == 0)
		return true;
	if ((ext->compat & COMPAT_SPARSE_SUPER2) != 0)
		return group == get(ext->super, 0x24c, 4) || group == get(ext->super, 0x250, 4);
	return group == 1 || (ext->ro & RO_SPARSE_SUPER) == 0 || is_power_of(group, 3) ||
	       is_power_of(group, 5) || is_power_of(group, 7);
}

static uint64_t group_start(const struct ext *ext, uint32_t group)
{
	return ext->first_block + (uint64_t)group * ext->group_blocks;
}

/* The block of its copy of the superblock; with blocks of 1024 bytes, the first one is block 1. */
static uint64_t super_block(const struct ext *ext, uint32_t group)
{
	uint64_t start = group_start(ext, group);

	return start == 0 && ext->block_shift == 10 ? 1 : start;
}

/* How many blocks of descriptors follow each superblock; the others are spread (META_BG). */
static uint32_t old_desc_blocks(const struct ext *ext)
{
	uint32_t n = (uint32_t)div_up(ext->n_groups, ext->per_block);

	return (ext->incompat & INCOMPAT_META_BG) != 0
		       ? (uint32_t)min_u64(n, get(ext->super, 0x104, 4))
		       : n;
}

/* The number of blocks at the beginning of a group, from super_block(), with these copies. */
static uint32_t copied_blocks(const struct ext *ext, uint32_t group)
{
	uint32_t old = old_desc_blocks(ext), super = has_super(ext, group);
	uint32_t in_meta = group % ext->per_block;

	if ((ext->incompat & INCOMPAT_META_BG) != 0 && group / ext->per_block >= old)
		return super + (in_meta <= 1 || in_meta == ext->per_block - 1);
	if ((ext->incompat & INCOMPAT_META_BG) == 0)
		old += get(ext->super, 0xce, 2);
	return super != 0 ? 1 + old : 0;
}

static enum status bad_group(uint32_t group, const char *what, struct error *why)
{
	return fail(why, ST_UNSUPPORTED, "%s of its group %u is wrong: run e2fsck -f", what, group);
}

/* Sets *ret to the descriptor, which is in ext->cache until the next call. */
static enum status read_desc(struct ext *ext, struct blk *blk, uint32_t group, const uint8_t **ret)
{
	uint32_t n = group / ext->per_block, holder = n * ext->per_block;
	uint64_t block = n < old_desc_blocks(ext)
				 ? super_block(ext, 0) + 1 + n
				 : super_block(ext, holder) + has_super(ext, holder);
	uint64_t at = (block << ext->block_shift) +
		      (uint64_t)(group % ext->per_block) * ext->desc_bytes;
	uint64_t start = round_down(at, CACHE_BYTES);
	enum status st = ST_OK;

	if (ext->cached != start + 1) {
		ext->cached = 0;
		st = blk_read_padded(blk, start, ext->cache, CACHE_BYTES);
		if (st == ST_OK)
			ext->cached = start + 1;
	}
	*ret = ext->cache + (at - start);
	return st;
}

static uint16_t desc_crc(const struct ext *ext, uint32_t group, const uint8_t *desc)
{
	static const uint8_t zeros[2];
	le32 number = le32_of(group);

	if (has_crc(ext)) {
		uint32_t crc = crc_le(ext->seed, &number, sizeof number);

		crc = crc_le(crc, desc, 0x1e);
		crc = crc_le(crc, zeros, 2);
		return (uint16_t)crc_le(crc, desc + 0x20, ext->desc_bytes - 0x20);
	}
	return crc16(crc16(crc16(crc16(0xffff, ext->super + 0x68, 16), number.b, 4), desc, 0x1e),
		     desc + 0x20, ext->desc_bytes - 0x20);
}

static enum status read_group(struct ext *ext, struct blk *blk, uint32_t group, struct group *ret,
			      struct error *why)
{
	bool wide = ext->desc_bytes >= 64, sums = has_crc(ext) || (ext->ro & RO_GDT_CSUM) != 0;
	const uint8_t *desc;
	enum status st = read_desc(ext, blk, group, &desc);

	if (st != ST_OK)
		return st;
	if (sums && get(desc, 0x1e, 2) != desc_crc(ext, group, desc))
		return bad_group(group, "the checksum", why);
	*ret = (struct group){
		.block_bitmap = get(desc, 0, 4) | (wide ? (uint64_t)get(desc, 0x20, 4) << 32 : 0),
		.inode_bitmap = get(desc, 4, 4) | (wide ? (uint64_t)get(desc, 0x24, 4) << 32 : 0),
		.inode_table = get(desc, 8, 4) | (wide ? (uint64_t)get(desc, 0x28, 4) << 32 : 0),
		.n_free = get(desc, 0x0c, 2) | (wide ? get(desc, 0x2c, 2) << 16 : 0),
		.bitmap_crc = get(desc, 0x18, 2) | (wide ? get(desc, 0x38, 2) << 16 : 0),
		.uninit = sums && (get(desc, 0x12, 2) & BLOCK_UNINIT) != 0,
	};
	if (!range_ok(ret->block_bitmap, 1, ext->n_blocks) ||
	    !range_ok(ret->inode_bitmap, 1, ext->n_blocks) ||
	    !range_ok(ret->inode_table, ext->inode_blocks, ext->n_blocks))
		return bad_group(group, "the descriptor", why);
	return ST_OK;
}

/* ---- Bitmaps ---- */

/* Returns how many bits of a group blocks [block, block + n) are; *ret_first is the first one. */
static uint64_t bits_of(const struct ext *ext, uint32_t group, uint64_t block, uint64_t n,
			uint64_t *ret_first)
{
	uint64_t start = group_start(ext, group), end = block + n;

	block = max_u64(block, start);
	end = min_u64(end, min_u64(start + ext->group_blocks, ext->n_blocks));
	if (block >= end)
		return 0;
	*ret_first = (block - start) >> ext->ratio_shift;
	return div_up(end - start, 1u << ext->ratio_shift) - *ret_first;
}

/* Marks blocks of which the group has all, some or none. */
static void mark(const struct ext *ext, uint32_t group, uint64_t block, uint64_t n, uint8_t *bits)
{
	uint64_t first = 0, n_bits = bits_of(ext, group, block, n, &first);

	fs_bits_set(bits, first, n_bits);
}

static void mark_own(const struct ext *ext, uint32_t group, const struct group *g, uint8_t *bits)
{
	uint64_t start = group_start(ext, group), super = super_block(ext, group);

	mark(ext, group, start, super - start + copied_blocks(ext, group), bits);
	mark(ext, group, g->block_bitmap, 1, bits);
	mark(ext, group, g->inode_bitmap, 1, bits);
	mark(ext, group, g->inode_table, ext->inode_blocks, bits);
}

static enum status ext_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			    struct error *why)
{
	struct ext *ext = map->kind_data;
	uint32_t group = (uint32_t)(first / map->piece_units), bytes = map->piece_units / 8;
	struct group g;
	enum status st = read_group(ext, map->blk, group, &g, why);

	if (st != ST_OK)
		return st;
	if (!g.uninit) {
		st = blk_read(map->blk, g.block_bitmap << ext->block_shift, bits, bytes);
		if (st != ST_OK)
			return st;
		if (has_crc(ext)) {
			uint32_t wrong = crc_le(ext->seed, bits, bytes) ^ g.bitmap_crc;

			if ((wrong & (ext->desc_bytes < 64 ? 0xffff : ~0u)) != 0)
				return bad_group(group, "the checksum of the bitmap", why);
		}
	}
	/* What is marked here and was not in the bitmap makes the count wrong. */
	mark_own(ext, group, &g, bits);
	if (n - fs_bits_count(bits, n) != g.n_free)
		return bad_group(group, "the count of free blocks", why);
	return ST_OK;
}

/*
 * Checks that blocks of tables are in use in the bitmap of a group, which has one. Its checksum is
 * not of interest before ext_load().
 */
static enum status check_marked(struct ext *ext, struct blk *blk, uint32_t group,
				const struct group *g, uint64_t block, uint64_t n,
				struct error *why)
{
	uint64_t first = 0, n_bits = bits_of(ext, group, block, n, &first);
	enum status st = ST_OK;

	if (ext->bits_at != g->block_bitmap) {
		ext->bits_at = 0;
		st = blk_read(blk, g->block_bitmap << ext->block_shift, ext->bits,
			      ext->group_blocks >> ext->ratio_shift >> 3);
		if (st != ST_OK)
			return st;
		ext->bits_at = g->block_bitmap;
	}
	for (uint64_t i = first; i < first + n_bits; i++)
		if ((ext->bits[i / 8] >> i % 8 & 1) == 0)
			return bad_group(group, "the bitmap, which calls tables unused,", why);
	return ST_OK;
}

/* Groups with blocks [block, block + n) have a bitmap with them, unless it is `group` itself. */
static enum status check_others(struct ext *ext, struct blk *blk, uint32_t group, uint64_t block,
				uint64_t n, struct error *why)
{
	for (uint64_t end = block + n; block < end;) {
		uint32_t other = block < ext->first_block ? 0
							  : (uint32_t)((block - ext->first_block) /
								       ext->group_blocks);
		struct group g;
		enum status st;

		if (other != group) {
			st = read_group(ext, blk, other, &g, why);
			if (st != ST_OK)
				return st;
			if (g.uninit)
				return bad_group(other, "the flag for an unused bitmap", why);
			st = check_marked(ext, blk, other, &g, block, end - block, why);
			if (st != ST_OK)
				return st;
		}
		block = group_start(ext, other) + ext->group_blocks;
	}
	return ST_OK;
}

static enum status check_tables(struct ext *ext, struct blk *blk, struct error *why)
{
	enum status st = ST_OK;

	for (uint32_t i = 0; st == ST_OK && i < ext->n_groups; i++) {
		struct group g;

		st = read_group(ext, blk, i, &g, why);
		if (st == ST_OK)
			st = check_others(ext, blk, i, g.block_bitmap, 1, why);
		if (st == ST_OK)
			st = check_others(ext, blk, i, g.inode_bitmap, 1, why);
		if (st == ST_OK)
			st = check_others(ext, blk, i, g.inode_table, ext->inode_blocks, why);
	}
	return st;
}

static enum status ext_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	/* ext_look() has checked it */
	size_t block_bytes = (size_t)1024 << get(view->head + SUPER_AT, 0x18, 4);
	struct ext *ext = mem_alloc(sizeof *ext + block_bytes);

	if (ext == NULL)
		return ST_NO_MEMORY;
	map->kind_data = ext;
	(void)parse(view, ext); /* it was valid for ext_look() */
	map->shift = ext->block_shift + ext->ratio_shift;
	map->start = ext->first_block << ext->block_shift;
	map->n_units = (ext->n_blocks - ext->first_block) >> ext->ratio_shift;
	map->piece_units = ext->group_blocks >> ext->ratio_shift;
	map->load = ext_load;
	return check_tables(ext, view->blk, why);
}

const struct fs_kind fs_kind_ext = {
	.recognise = ext_recognise,
	.look = ext_look,
	.open = ext_open,
};
