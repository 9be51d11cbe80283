#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/qcow2.h"

/* Section "Bitmap directory": followed by extra data and the name, and padded to a multiple of 8 bytes. */
struct disk_bitmap {
	be64 table_offset;
	be32 table_entries;
	be32 flags;
	uint8_t type;
	uint8_t granularity_bits;
	uint8_t name_bytes[2];
	be32 extra_bytes;
};
_Static_assert(sizeof(struct disk_bitmap) == 24, "");
_Static_assert(offsetof(struct disk_bitmap, granularity_bits) == 17, "");

enum { TYPE_DIRTY_TRACKING = 1, GRANULARITY_BITS_MIN = 9, GRANULARITY_BITS_MAX = 31 };

static enum status read_failed(struct error *err, enum status st)
{
	return fail(err, st, "reading the bitmap directory: %s", status_text(st));
}

/* Reads the entry at `*at` and moves on to the next; `end` is that of the directory. */
static enum status read_entry(struct blk *file, uint64_t *at, uint64_t end, struct qcow2_bitmap *bitmap, struct error *err)
{
	struct disk_bitmap disk;
	size_t name_bytes;
	uint64_t rest;
	enum status st;

	if (!range_ok(*at, sizeof disk, end))
		return fail(err, ST_CORRUPT, "the bitmap directory is too short for the bitmaps it should have");
	st = blk_read_padded(file, *at, &disk, sizeof disk);
	if (st != ST_OK)
		return read_failed(err, st);
	*at += sizeof disk;
	name_bytes = bytes_from_be(disk.name_bytes, 2);
	rest = (uint64_t)be32_get(disk.extra_bytes) + name_bytes;
	if (name_bytes == 0 || name_bytes > QCOW2_BITMAP_NAME_MAX || !range_ok(*at, rest, end))
		return fail(err, ST_CORRUPT, "the bitmap directory has an entry with a name of %zu and extra data of %u bytes",
			    name_bytes, be32_get(disk.extra_bytes));
	if (disk.type != TYPE_DIRTY_TRACKING || disk.granularity_bits < GRANULARITY_BITS_MIN ||
	    disk.granularity_bits > GRANULARITY_BITS_MAX)
		return fail(err, ST_CORRUPT, "the bitmap directory has an entry of type %u with a granularity of 2^%u bytes",
			    disk.type, disk.granularity_bits);
	bitmap->name = mem_alloc(name_bytes + 1);
	if (bitmap->name == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(file, *at + be32_get(disk.extra_bytes), bitmap->name, name_bytes);
	if (st != ST_OK)
		return read_failed(err, st);
	bitmap->flags = be32_get(disk.flags);
	bitmap->in_use = (bitmap->flags & QCOW2_BITMAP_FLAG_IN_USE) != 0;
	bitmap->automatic = (bitmap->flags & QCOW2_BITMAP_FLAG_AUTO) != 0;
	bitmap->table_offset = be64_get(disk.table_offset);
	bitmap->table_entries = be32_get(disk.table_entries);
	bitmap->granularity_bytes = (uint64_t)1 << disk.granularity_bits;
	*at = min_u64(round_up(*at + rest, 8), end);
	return ST_OK;
}

enum status qcow2_bitmaps_read(struct blk *file, const struct qcow2_header *header, struct qcow2_bitmap **ret, struct error *err)
{
	uint64_t at = header->bitmaps.directory_offset;
	uint64_t end = at + header->bitmaps.directory_bytes; /* checked with the extension */
	enum status st = ST_OK;

	*ret = NULL;
	if (header->bitmaps.n == 0)
		return ST_OK;
	*ret = mem_alloc(header->bitmaps.n * sizeof **ret); /* at most 65535 */
	if (*ret == NULL)
		return fail_no_memory(err);
	for (uint32_t i = 0; st == ST_OK && i < header->bitmaps.n; i++)
		st = read_entry(file, &at, end, &(*ret)[i], err);
	return st;
}

void qcow2_bitmaps_free(struct qcow2_bitmap *bitmaps, size_t n)
{
	for (size_t i = 0; bitmaps != NULL && i < n; i++)
		mem_free(bitmaps[i].name);
	mem_free(bitmaps);
}

uint64_t qcow2_bitmaps_bytes(const struct qcow2_bitmap *bitmaps, size_t n, uint64_t disk_bytes, uint64_t cluster_bytes)
{
	uint64_t bytes = 0, directory_bytes = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t n_clusters = div_up(div_up(div_up(disk_bytes, bitmaps[i].granularity_bytes), 8), cluster_bytes);

		if (bitmaps[i].in_use) /* nobody knows whether it is complete: it is not copied */
			continue;
		bytes += n_clusters * cluster_bytes + round_up(n_clusters * 8, cluster_bytes);
		directory_bytes += round_up(sizeof(struct disk_bitmap) + text_length(bitmaps[i].name), 8);
	}
	return bytes + round_up(directory_bytes, cluster_bytes);
}
