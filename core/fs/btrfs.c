/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Btrfs on one device (the kernel's btrfs_tree.h, "On-disk Format" of btrfs' documentation). It
 * divides the device into chunks, most of them of 1 GiB, and allocates in these. The map is that of
 * the chunks: what belongs to none is unused, what belongs to one is used, whether it is or not.
 *
 * So only the chunk tree is read, and it does not matter whether the file system was unmounted: it
 * is copied on write, and the log of what was synced since the last commit lies in chunks as well.
 * Free space inside of chunks would need the trees that change with every write.
 *
 * The tree is found by the array of system chunks in the superblock. Each node must have its place,
 * level, generation and checksum (CRC-32C only), and the sizes of all chunks must be what the
 * superblock calls allocated. The first MiB and the copies of the superblock are always used.
 */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/kinds.h"

enum {
	SUPER_AT = 0x10000,
	SUPER_BYTES = 4096,
	UNIT_SHIFT = 12,
	FLAGS_KNOWN = 3,
	COMPAT_RO_KNOWN = 0xf,
	INCOMPAT_KNOWN = 0x77f,
	INCOMPAT_METADATA_UUID = 0x400,
	ARRAY_BYTES_MAX = 2048,
	NODE_HEADER = 0x65,
	NODE_BYTES_MAX = 65536,
	LEVELS_MAX = 4,
	KEY_BYTES = 17,
	ITEM_BYTES = KEY_BYTES + 8,
	POINTER_BYTES = KEY_BYTES + 16,
	CHUNK_TREE = 3, /* owner of its nodes */
	KEY_DEVICE = 216,
	KEY_CHUNK = 228,
	CHUNK_BYTES = 48, /* before the stripes */
	STRIPE_BYTES = 32,
	TYPE_DUP = 0x20,
	TYPE_KNOWN = TYPE_DUP | 7, /* data, system, metadata */
	EXTENTS_MAX = 1 << 20,
};

/* A part of the device that belongs to a chunk, in bytes. */
struct extent_of_chunk {
	uint64_t start, length;
};

struct btrfs {
	const uint8_t *super;
	struct blk *blk;
	uint32_t node_bytes;
	uint64_t device_bytes, chunk_bytes; /* of the device; of it, in chunks */
	uint8_t *nodes;                     /* one of each level */
	uint64_t n_devices;                 /* found in the tree */
	size_t n, capacity;                 /* extents found, of which so many have room */
	uint64_t sum;                       /* bytes of all */
	struct extent_of_chunk *extents;
};

/* What remains of it for an open map. */
struct chunks {
	size_t n;
	struct extent_of_chunk extents[];
};

static uint64_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return bytes_from_le(bytes + offset, n);
}

static uint32_t get32(const uint8_t *bytes, size_t offset)
{
	return (uint32_t)bytes_from_le(bytes + offset, 4);
}

static bool btrfs_recognise(const struct fs_view *view)
{
	return memcmp(view->head + SUPER_AT + 0x40, "_BHRfS_M", 8) == 0;
}

/* ---- The superblock ---- */

static bool is_sound(const uint8_t *super)
{
	uint64_t node_bytes = get32(super, 0x94);

	return get(super, 0x30, 8) == SUPER_AT && is_power_of_two(node_bytes) &&
	       node_bytes >= 4096 && node_bytes <= NODE_BYTES_MAX &&
	       get32(super, 0xa0) <= ARRAY_BYTES_MAX && super[0xc7] < LEVELS_MAX &&
	       get(super, 0xd1, 8) >> 60 == 0;
}

static enum status btrfs_look(const struct fs_view *view, struct fs *ret)
{
	const uint8_t *super = view->head + SUPER_AT;
	uint64_t incompat = get(super, 0xbc, 8);

	ret->type = "Btrfs";
	fs_label_utf8(ret, super + 0x12b, 256);
	fs_uuid_text(ret, super + 0x20);
	ret->size = get(super, 0xd1, 8);
	ret->used = get(super, 0x78, 8);
	ret->has_used = true;
	if (get(super, 0xc4, 2) != 0)
		fs_note(ret, "its checksums are of a kind that this program does not know");
	if (get32(super, 0) != crc32c(0, super + 0x20, SUPER_BYTES - 0x20) || !is_sound(super))
		fs_note(ret, "its superblock is damaged: run btrfs check");
	if (get(super, 0x88, 8) != 1)
		fs_note(ret, "it has more than one device");
	if ((get(super, 0x38, 8) & ~(uint64_t)FLAGS_KNOWN) != 0 || get(super, 0xac, 8) != 0 ||
	    (get(super, 0xb4, 8) & ~(uint64_t)COMPAT_RO_KNOWN) != 0 ||
	    (incompat & ~(uint64_t)INCOMPAT_KNOWN) != 0)
		fs_note(ret, "it has features that this program does not know");
	if (ret->size > view->blk->size)
		fs_note(ret, "it is larger than the space it is in");
	return ST_OK;
}

/* ---- Chunks ---- */

static enum status damaged(struct error *why)
{
	return fail(why, ST_UNSUPPORTED, "its chunk tree is damaged: run btrfs check");
}

/* Returns the number of stripes of a chunk, 0: it is not one that is known here. */
static uint64_t n_stripes(const uint8_t *chunk, uint64_t n_bytes)
{
	uint64_t n = n_bytes >= CHUNK_BYTES ? get(chunk, 44, 2) : 0, type;

	if (n == 0 || n_bytes < CHUNK_BYTES + n * STRIPE_BYTES)
		return 0;
	type = get(chunk, 24, 8);
	return (type & ~(uint64_t)TYPE_KNOWN) == 0 && n == ((type & TYPE_DUP) != 0 ? 2 : 1) ? n : 0;
}

/* Takes the extents of a chunk. False: it is not one that is known here. */
static bool take_chunk(struct btrfs *b, const uint8_t *chunk, uint64_t n_bytes)
{
	uint64_t length = n_bytes >= CHUNK_BYTES ? get(chunk, 0, 8) : 0;
	uint64_t n = n_stripes(chunk, n_bytes);

	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *stripe = chunk + CHUNK_BYTES + i * STRIPE_BYTES;
		uint64_t start = get(stripe, 8, 8);

		/* device, place, and the device's UUID, as the superblock has them */
		if (get(stripe, 0, 8) != get(b->super, 0xc9, 8) ||
		    memcmp(stripe + 16, b->super + 0xc9 + 66, 16) != 0 || length == 0 ||
		    !range_ok(start, length, b->device_bytes) ||
		    (start | length) % (1 << UNIT_SHIFT) != 0 || b->n == EXTENTS_MAX)
			return false;
		if (b->n < b->capacity)
			b->extents[b->n] = (struct extent_of_chunk){ start, length };
		b->n++;
		b->sum += length;
	}
	return n > 0;
}

/* Finds where a node is on the device, by the array of system chunks in the superblock. */
static bool find_node(const struct btrfs *b, uint64_t logical, uint64_t *ret)
{
	const uint8_t *array = b->super + 0x32b;
	uint64_t left = get32(b->super, 0xa0);

	while (left > KEY_BYTES) {
		const uint8_t *chunk = array + KEY_BYTES;
		uint64_t n = n_stripes(chunk, left - KEY_BYTES), start = get(array, 9, 8), bytes;

		if (n == 0 || array[8] != KEY_CHUNK)
			return false;
		if (logical >= start && range_ok(logical - start, b->node_bytes, get(chunk, 0, 8)))
			return add_ok(get(chunk, CHUNK_BYTES + 8, 8), logical - start, ret);
		bytes = KEY_BYTES + CHUNK_BYTES + n * STRIPE_BYTES;
		array += bytes;
		left -= bytes;
	}
	return false;
}

static enum status read_node(const struct btrfs *b, uint64_t logical, uint64_t generation,
			     uint32_t level, uint8_t *node, struct error *why)
{
	bool other = (get(b->super, 0xbc, 8) & INCOMPAT_METADATA_UUID) != 0;
	uint64_t at, n, item = level == 0 ? ITEM_BYTES : POINTER_BYTES;
	enum status st;

	if (!find_node(b, logical, &at) || !range_ok(at, b->node_bytes, b->device_bytes))
		return damaged(why);
	st = blk_read(b->blk, at, node, b->node_bytes);
	if (st != ST_OK)
		return st;
	n = get32(node, 0x60);
	if (get32(node, 0) != crc32c(0, node + 0x20, b->node_bytes - 0x20) ||
	    memcmp(node + 0x20, b->super + (other ? 0x23b : 0x20), 16) != 0 ||
	    get(node, 0x30, 8) != logical || get(node, 0x50, 8) != generation ||
	    get(node, 0x58, 8) != CHUNK_TREE || node[0x64] != level || n == 0 ||
	    n > (b->node_bytes - NODE_HEADER) / item)
		return damaged(why);
	return ST_OK;
}

static bool take_item(struct btrfs *b, const uint8_t *node, const uint8_t *item)
{
	uint64_t at = get32(item, KEY_BYTES), n = get32(item, KEY_BYTES + 4);

	if (!range_ok(at, n, b->node_bytes - NODE_HEADER))
		return false;
	if (item[8] == KEY_DEVICE) {
		b->n_devices++;
		return get(item, 9, 8) == get(b->super, 0xc9, 8);
	}
	return item[8] == KEY_CHUNK && take_chunk(b, node + NODE_HEADER + at, n);
}

static enum status walk(struct btrfs *b, uint64_t logical, uint64_t generation, uint32_t level,
			struct error *why)
{
	uint8_t *node = b->nodes + (size_t)level * b->node_bytes;
	enum status st = read_node(b, logical, generation, level, node, why);
	uint32_t n = st == ST_OK ? get32(node, 0x60) : 0;

	for (uint32_t i = 0; st == ST_OK && i < n; i++) {
		const uint8_t *item = node + NODE_HEADER;

		item += (size_t)i * (level == 0 ? ITEM_BYTES : POINTER_BYTES);
		if (level > 0)
			st = walk(b, get(item, KEY_BYTES, 8), get(item, KEY_BYTES + 8, 8),
				  level - 1, why);
		else if (!take_item(b, node, item))
			st = damaged(why);
	}
	return st;
}

/* Walks the whole tree; the number of extents is known afterwards. */
static enum status read_tree(struct btrfs *b, struct error *why)
{
	enum status st;

	b->n = 0;
	b->n_devices = b->sum = 0;
	st = walk(b, get(b->super, 0x58, 8), get(b->super, 0xa4, 8), b->super[0xc7], why);
	if (st == ST_OK && (b->n_devices != 1 || b->sum != b->chunk_bytes))
		st = damaged(why);
	return st;
}

/* ---- The map ---- */

/* Sets what is in the piece of a part of the device; returns how many units these are. */
static uint64_t set(const struct extent_of_chunk *extent, uint64_t first, uint32_t n, uint8_t *bits)
{
	uint64_t from = max_u64(extent->start >> UNIT_SHIFT, first);
	uint64_t to = min_u64((extent->start + extent->length) >> UNIT_SHIFT, first + n);

	if (from >= to)
		return 0;
	fs_bits_set(bits, from - first, to - from);
	return to - from;
}

static enum status btrfs_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			      struct error *why)
{
	/* the first MiB, and 64 KiB for each further copy of the superblock */
	static const struct extent_of_chunk always[] = {
		{ 0, 1 << 20 },
		{ 64 << 20, 1 << 16 },
		{ UINT64_C(256) << 30, 1 << 16 },
		{ UINT64_C(1) << 50, 1 << 16 },
	};
	const struct chunks *chunks = map->kind_data;
	uint64_t n_set = 0;

	for (size_t i = 0; i < chunks->n; i++)
		n_set += set(&chunks->extents[i], first, n, bits);
	if (fs_bits_count(bits, n) != n_set) /* two overlap */
		return damaged(why);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		(void)set(&always[i], first, n, bits);
	return ST_OK;
}

static enum status btrfs_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	const uint8_t *super = view->head + SUPER_AT;
	struct btrfs b = {
		.super = super,
		.blk = view->blk,
		.node_bytes = get32(super, 0x94),
		.device_bytes = get(super, 0xd1, 8),
		.chunk_bytes = get(super, 0xd9, 8),
	};
	size_t nodes_bytes = (size_t)b.node_bytes * (super[0xc7] + 1u);
	struct chunks *chunks = NULL;
	enum status st = ST_NO_MEMORY;

	b.nodes = io_alloc(nodes_bytes);
	if (b.nodes != NULL)
		st = read_tree(&b, why);
	if (st == ST_OK) {
		b.capacity = b.n;
		chunks = mem_alloc(sizeof *chunks + b.capacity * sizeof *chunks->extents);
		map->kind_data = chunks;
		st = chunks == NULL ? ST_NO_MEMORY : ST_OK;
	}
	if (st == ST_OK) {
		b.extents = chunks->extents;
		st = read_tree(&b, why);
		chunks->n = b.n < b.capacity ? b.n : b.capacity;
		if (st == ST_OK && b.n != b.capacity)
			st = ST_IO; /* it was read twice, and differs */
	}
	io_free(b.nodes, nodes_bytes);
	map->shift = UNIT_SHIFT;
	map->n_units = b.device_bytes >> UNIT_SHIFT;
	map->load = btrfs_load;
	return st;
}

const struct fs_kind fs_kind_btrfs = {
	.recognise = btrfs_recognise,
	.look = btrfs_look,
	.open = btrfs_open,
};
