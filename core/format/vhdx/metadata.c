/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The metadata region ([MS-VHDX] 2.6): a table of items, each with an identifier, a place in the
 * region and flags. Items that are not known are passed over, unless they are required. What the
 * known ones say decides how the BAT is laid out; all of it is checked here.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/vhdx/image.h"

const struct guid vhdx_item_parameters = { { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3,
					     0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b } };
const struct guid vhdx_item_size = { { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11,
				       0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 } };
const struct guid vhdx_item_id = { { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45, 0x93, 0xef,
				     0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46 } };
const struct guid vhdx_item_logical = { { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba,
					  0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f } };
const struct guid vhdx_item_physical = { { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44, 0x9c,
					   0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56 } };
const struct guid vhdx_item_locator = { { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab,
					  0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c } };

enum item { PARAMETERS, SIZE, ID, LOGICAL, PHYSICAL, LOCATOR, N_ITEMS };

static const struct {
	const struct guid *id;
	const char *name;
	uint32_t bytes; /* 0: any */
} items[N_ITEMS] = {
	[PARAMETERS] = { &vhdx_item_parameters, "file parameters", 8 },
	[SIZE] = { &vhdx_item_size, "virtual disk size", 8 },
	[ID] = { &vhdx_item_id, "virtual disk id", 16 },
	[LOGICAL] = { &vhdx_item_logical, "logical sector size", 4 },
	[PHYSICAL] = { &vhdx_item_physical, "physical sector size", 4 },
	[LOCATOR] = { &vhdx_item_locator, "parent locator", 0 },
};

/* Where the items are in the file; 0 bytes: there is none. */
struct places {
	struct {
		uint64_t offset;
		uint32_t bytes;
	} item[N_ITEMS];
};

static enum item find_item(const struct vhdx_disk_item *disk)
{
	enum item i = 0;

	if ((le32_get(disk->flags) & VHDX_ITEM_USER) != 0)
		return N_ITEMS;
	while (i < N_ITEMS && !guid_equal(&disk->id, items[i].id))
		i++;
	return i;
}

static enum status take_item(const struct vhdx_image *v, size_t n,
			     const struct vhdx_disk_item *disk, struct places *ret,
			     struct error *err)
{
	uint32_t offset = le32_get(disk->offset), bytes = le32_get(disk->bytes);
	enum item i = find_item(disk);
	char id[GUID_TEXT];

	guid_print(&disk->id, id);
	if (i == N_ITEMS && (le32_get(disk->flags) & VHDX_ITEM_REQUIRED) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "its metadata table, entry %zu: the item {%s} is required, and unknown",
			    n, id);
	if (i == N_ITEMS)
		return ST_OK;
	if (ret->item[i].bytes != 0)
		return fail(err, ST_CORRUPT, "its metadata table, entry %zu: a second %s", n,
			    items[i].name);
	if (bytes == 0 || bytes > VHDX_ITEM_BYTES_MAX ||
	    (items[i].bytes != 0 && bytes != items[i].bytes))
		return fail(err, ST_CORRUPT, "its metadata table, entry %zu: %u bytes for the %s",
			    n, bytes, items[i].name);
	if (offset < VHDX_TABLE_BYTES || !range_ok(offset, bytes, v->metadata.bytes))
		return fail(err, ST_CORRUPT,
			    "its metadata table, entry %zu: the %s, %u bytes at 0x%x, is not in "
			    "the metadata region",
			    n, items[i].name, bytes, offset);
	ret->item[i].offset = v->metadata.offset + offset;
	ret->item[i].bytes = bytes;
	return ST_OK;
}

static enum status find_items(const struct vhdx_image *v, struct places *ret, struct error *err)
{
	uint8_t *raw = mem_alloc(VHDX_TABLE_BYTES);
	uint64_t n;
	enum status st;

	if (raw == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(v->file, v->metadata.offset, raw, VHDX_TABLE_BYTES);
	n = bytes_from_le(raw + 10, 2);
	if (st != ST_OK)
		error_set(err, "reading its metadata table: %s", status_text(st));
	else if (memcmp(raw, "metadata", 8) != 0)
		st = fail(err, ST_CORRUPT, "its metadata table, at 0x%jx, has no signature",
			  v->metadata.offset);
	else if (n > VHDX_ENTRIES_MAX)
		st = fail(err, ST_CORRUPT,
			  "its metadata table has %ju entries, and there can be %d", n,
			  VHDX_ENTRIES_MAX);
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		struct vhdx_disk_item disk;

		memcpy(&disk, raw + (i + 1) * sizeof disk, sizeof disk);
		st = take_item(v, i, &disk, ret, err);
	}
	mem_free(raw);
	for (enum item i = 0; st == ST_OK && i < LOCATOR; i++)
		if (ret->item[i].bytes == 0 && i != ID)
			st = fail(err, ST_CORRUPT, "its metadata has no %s", items[i].name);
	return st;
}

static enum status read_number(const struct vhdx_image *v, const struct places *places, enum item i,
			       uint64_t *ret, struct error *err)
{
	uint8_t raw[8];
	size_t n = places->item[i].bytes;
	enum status st = blk_read_padded(v->file, places->item[i].offset, raw, n);

	*ret = bytes_from_le(raw, n);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "reading its %s: %s", items[i].name, status_text(st));
}

static bool is_sector_size(uint64_t bytes)
{
	return bytes == 512 || bytes == 4096;
}

/* The sizes of blocks, sectors and the disk. */
static enum status take_sizes(struct vhdx_image *v, uint64_t parameters, uint64_t size,
			      uint64_t logical, uint64_t physical, struct error *err)
{
	uint64_t block = parameters & UINT32_MAX, flags = parameters >> 32;

	if (!is_power_of_two(block) || block < VHDX_MIB || block > VHDX_BLOCK_MAX)
		return fail(err, ST_CORRUPT,
			    "its block size, %ju, is not a power of two from 1 MiB to 256 MiB",
			    block);
	if ((flags & ~(uint64_t)(VHDX_LEAVE_ALLOCATED | VHDX_HAS_PARENT)) != 0)
		return fail(err, ST_UNSUPPORTED, "its file parameters have unknown flags (0x%jx)",
			    flags);
	if (!is_sector_size(logical) || !is_sector_size(physical))
		return fail(err, ST_CORRUPT, "its %s sector size, %ju, is neither 512 nor 4096",
			    is_sector_size(logical) ? "physical" : "logical",
			    is_sector_size(logical) ? physical : logical);
	if (size > VHDX_SIZE_MAX)
		return fail(err, ST_TOO_LARGE, "its disk of %ju bytes is larger than 64 TiB", size);
	if (size % logical != 0)
		return fail(err, ST_CORRUPT,
			    "its disk of %ju bytes does not consist of whole sectors of %ju bytes",
			    size, logical);
	v->image.size = size;
	v->image.cluster_bytes = v->block_bytes = (uint32_t)block;
	v->sector_bytes = (uint32_t)logical;
	v->has_parent = (flags & VHDX_HAS_PARENT) != 0;
	v->leaves_allocated = (flags & VHDX_LEAVE_ALLOCATED) != 0 && !v->has_parent;
	v->n_blocks = div_up(size, block);
	v->chunk_blocks = VHDX_CHUNK_SECTORS * logical / block;
	v->n_entries = vhdx_entries(v->n_blocks, v->chunk_blocks, v->has_parent);
	if (v->n_entries > v->bat.bytes / 8)
		return fail(err, ST_CORRUPT,
			    "its disk of %ju bytes takes a BAT of %ju entries, but its BAT has "
			    "0x%jx bytes",
			    size, v->n_entries, v->bat.bytes);
	return ST_OK;
}

static enum status read_locator(struct vhdx_image *v, const struct places *places,
				struct error *err)
{
	size_t n = places->item[LOCATOR].bytes; /* at most 1 MiB, checked */
	uint8_t *item;
	enum status st;

	if (!v->has_parent)
		return ST_OK;
	if (n == 0)
		return fail(err, ST_CORRUPT, "it has a parent, but its metadata has no %s",
			    items[LOCATOR].name);
	item = mem_alloc(n);
	if (item == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(v->file, places->item[LOCATOR].offset, item, n);
	if (st != ST_OK)
		error_set(err, "reading its %s: %s", items[LOCATOR].name, status_text(st));
	else
		st = vhdx_locator_read(v, item, n, err);
	mem_free(item);
	return st;
}

enum status vhdx_metadata_read(struct vhdx_image *v, struct error *err)
{
	struct places places = { 0 };
	uint64_t parameters, size, logical, physical;
	enum status st = find_items(v, &places, err);

	if (st == ST_OK)
		st = read_number(v, &places, PARAMETERS, &parameters, err);
	if (st == ST_OK)
		st = read_number(v, &places, SIZE, &size, err);
	if (st == ST_OK)
		st = read_number(v, &places, LOGICAL, &logical, err);
	if (st == ST_OK)
		st = read_number(v, &places, PHYSICAL, &physical, err);
	if (st == ST_OK)
		st = take_sizes(v, parameters, size, logical, physical, err);
	if (st != ST_OK)
		return st;
	v->size_at = places.item[SIZE].offset;
	return read_locator(v, &places, err);
}
