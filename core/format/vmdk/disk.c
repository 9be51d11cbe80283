/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk: what is read and written is divided among the extents, which lie one after the other.
 *
 * Before an image is changed for the first time, its descriptor gets a new content ID, so that
 * images whose parent it is no longer accept it; and before an extent with grains is, its header
 * notes that it was not closed cleanly. The note goes with the next flush, when everything is on
 * the medium: so a flag that is set says that the two copies of the tables may differ, and opening
 * for writing makes them alike.
 */
#include "base/check.h"
#include "base/hex.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "format/new_guid.h"
#include "format/vmdk/image.h"

/* The extent that has the byte at `offset` of the disk. */
static struct vmdk_extent *extent_at(const struct vmdk_image *v, uint64_t offset)
{
	size_t low = 0, high = v->n_extents;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (v->extent[middle].disk_offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &v->extent[low];
}

/* Bytes from `offset` on, of `len`, that are in the extent. */
static uint64_t left_in(const struct vmdk_extent *extent, uint64_t offset, uint64_t len)
{
	return min_u64(len, extent->disk_offset + extent->size - offset);
}

/* ---- reading ---- */

static enum status read_part(struct vmdk_extent *extent, uint64_t inside, void *buf, size_t len)
{
	switch (extent->kind) {
	case VMDK_FLAT:
		return blk_read_padded(vmdk_file(extent), extent->flat_offset + inside, buf, len);
	case VMDK_ZEROS:
		memset(buf, 0, len);
		return ST_OK;
	default:
		return block_map_read(&extent->map, inside, buf, len);
	}
}

static enum status vmdk_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct vmdk_image *v = vmdk_of((struct image *)blk);
	uint8_t *to = buf;
	enum status st = v->stream != NULL ? vmdk_stream_settle(v) : ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, to += n, len -= n) {
		struct vmdk_extent *extent = extent_at(v, offset);

		n = (size_t)left_in(extent, offset, len);
		st = read_part(extent, offset - extent->disk_offset, to, n);
	}
	return st;
}

static enum status flat_extent(struct vmdk_extent *extent, uint64_t inside, uint64_t len,
			       struct extent *ret)
{
	struct blk *file = vmdk_file(extent);
	uint64_t at = extent->flat_offset + inside;
	enum status st = ST_OK;

	*ret = (struct extent){ .length = len, .allocated = true, .zero = true };
	if (at < file->size)
		st = blk_extent(file, at, min_u64(len, file->size - at), ret);
	/* as in qemu-img: a hole of the file is data of the image that are zeros */
	ret->allocated = ret->data = ret->has_offset = true;
	ret->offset = vmdk_data_offset(extent) + at;
	return st;
}

/*
 * Grains that are decompressed elsewhere than by sparse_unpack() begin with a unit of the image and
 * have all of its bytes.
 */
static void hide_odd_grains(const struct vmdk_extent *extent, uint64_t inside, struct extent *ret)
{
	const struct image *image = &extent->vmdk->image;
	uint64_t grain = extent->sparse.grain_bytes;

	if (!ret->compressed)
		return;
	ret->has_offset = false; /* of bytes of the disk, as in qemu-img */
	ret->compressed = grain == image->unit_bytes && extent->disk_offset % grain == 0 &&
			  range_ok(round_down(inside, grain), grain, extent->size);
}

static enum status vmdk_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct vmdk_image *v = vmdk_of((struct image *)blk);
	struct vmdk_extent *extent = extent_at(v, offset);
	uint64_t inside = offset - extent->disk_offset;
	enum status st = v->stream != NULL ? vmdk_stream_settle(v) : ST_OK;

	if (st != ST_OK)
		return st;
	len = left_in(extent, offset, len);
	if (extent->kind == VMDK_FLAT)
		return flat_extent(extent, inside, len, ret);
	if (extent->kind == VMDK_ZEROS) {
		*ret = (struct extent){ .length = len, .allocated = true, .zero = true };
		return ST_OK;
	}
	st = block_map_extent(&extent->map, inside, len, ret);
	if (st == ST_OK)
		hide_odd_grains(extent, inside, ret);
	return st;
}

uint64_t vmdk_step(const struct image *image, uint64_t offset)
{
	const struct vmdk_image *v = const_vmdk(image);
	const struct vmdk_extent *extent;
	uint64_t left;

	if (offset >= image->size)
		return UINT64_MAX;
	extent = extent_at(v, offset);
	left = left_in(extent, offset, UINT64_MAX);
	if (extent->sparse.grain_bytes == 0)
		return left;
	return min_u64(left, extent->sparse.grain_bytes -
				     (offset - extent->disk_offset) % extent->sparse.grain_bytes);
}

/* ---- writing ---- */

/* Another content ID, of as many digits as there are. */
static enum status change_cid(struct vmdk_image *v)
{
	struct vmdk_descriptor *d = &v->descriptor;
	struct blk *file = v->image.file[0].blk;
	struct guid guid;
	char digits[9];
	struct out_buffer out;
	uint32_t cid;
	enum status st;

	if (v->cid_changed || !v->has_descriptor)
		return ST_OK;
	new_guid(v->image.name, 0, &guid);
	cid = (uint32_t)bytes_from_le(guid.b, 4);
	out_buffer_init(&out, digits, sizeof digits);
	out_printf(&out.out, "%08x", cid);
	st = blk_write(file, v->descriptor_offset + d->cid_at, digits + 8 - d->cid_digits,
		       d->cid_digits);
	if (st == ST_OK)
		st = blk_flush(file);
	if (st != ST_OK)
		return st;
	d->cid = d->cid_digits == 8 ? cid : cid & ((UINT32_C(1) << 4 * d->cid_digits) - 1);
	v->cid_changed = true;
	return ST_OK;
}

enum status vmdk_write_unclean(struct vmdk_extent *extent, bool unclean)
{
	uint8_t byte = unclean;
	enum status st = blk_write(vmdk_file(extent), VMDK_UNCLEAN_AT, &byte, 1);

	if (st == ST_OK)
		st = blk_flush(vmdk_file(extent));
	if (st == ST_OK)
		extent->unclean = unclean;
	return st;
}

enum status vmdk_begin_change(struct vmdk_extent *extent)
{
	enum status st = change_cid(extent->vmdk);

	extent->changed = true;
	if (st == ST_OK && extent->kind == VMDK_SPARSE && !extent->sparse.compressed &&
	    !extent->unclean)
		st = vmdk_write_unclean(extent, true);
	return st;
}

static enum status vmdk_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct vmdk_image *v = vmdk_of((struct image *)blk);
	const uint8_t *from = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, from += n, len -= n) {
		struct vmdk_extent *extent = extent_at(v, offset);
		uint64_t inside = offset - extent->disk_offset;

		n = (size_t)left_in(extent, offset, len);
		st = vmdk_begin_change(extent);
		if (st == ST_OK)
			st = extent->kind == VMDK_FLAT
				     ? blk_write(vmdk_file(extent), extent->flat_offset + inside,
						 from, n)
				     : block_map_write(&extent->map, inside, from, n);
	}
	return st;
}

/* Zeros in one extent; `store`: whatever shows through there. */
static enum status zero_part(struct vmdk_extent *extent, uint64_t inside, uint64_t len, bool store)
{
	enum status st = vmdk_begin_change(extent);

	if (st != ST_OK)
		return st;
	if (extent->kind == VMDK_FLAT)
		return blk_write_zeros(vmdk_file(extent), extent->flat_offset + inside, len);
	return store ? block_map_store_zeros(&extent->map, inside, len)
		     : block_map_zero(&extent->map, inside, len);
}

static enum status zero(struct vmdk_image *v, uint64_t offset, uint64_t len, bool store)
{
	enum status st = ST_OK;

	for (uint64_t n; st == ST_OK && len > 0; offset += n, len -= n) {
		struct vmdk_extent *extent = extent_at(v, offset);

		n = left_in(extent, offset, len);
		st = zero_part(extent, offset - extent->disk_offset, n, store);
	}
	return st;
}

static enum status vmdk_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	return zero(vmdk_of((struct image *)blk), offset, len, false);
}

/* Of a flat extent of a new image, which is as long as what was written so far. */
static enum status flush_flat(struct vmdk_extent *extent)
{
	struct blk *file = vmdk_file(extent);
	uint64_t end = extent->flat_offset + extent->size;
	enum status st = file->size < end ? blk_resize(file, end, PREALLOC_OFF) : ST_OK;

	return st == ST_OK ? blk_flush(file) : st;
}

static bool is_short(const struct vmdk_extent *extent)
{
	return extent->kind == VMDK_FLAT &&
	       vmdk_file(extent)->size < extent->flat_offset + extent->size;
}

static enum status vmdk_flush(struct blk *blk)
{
	struct vmdk_image *v = vmdk_of((struct image *)blk);
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++) {
		struct vmdk_extent *extent = &v->extent[i];

		if (!extent->changed && !is_short(extent))
			continue;
		st = extent->kind == VMDK_FLAT ? flush_flat(extent) : block_map_flush(&extent->map);
		extent->changed = st != ST_OK;
	}
	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++)
		if (v->extent[i].unclean)
			st = vmdk_write_unclean(&v->extent[i], false);
	return st == ST_OK ? blk_flush(v->image.file[0].blk) : st;
}

/* ---- streams ---- */

static enum status stream_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	return vmdk_stream_write(vmdk_of((struct image *)blk), offset, buf, len);
}

static enum status stream_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	return vmdk_stream_zero(vmdk_of((struct image *)blk), offset, len);
}

static enum status stream_flush(struct blk *blk)
{
	return vmdk_stream_flush(vmdk_of((struct image *)blk));
}

/* ---- loading ---- */

/* The parent must be as it was when this image was made. */
static enum status check_parent(const struct vmdk_image *v, struct error *err)
{
	const struct image *parent = v->image.backing;

	if (parent == NULL)
		return ST_OK;
	if (parent->format != v->image.format)
		return fail(err, ST_UNSUPPORTED,
			    "its parent %s is an image of format %s, but only a vmdk can be one",
			    parent->name, parent->format->name);
	if (const_vmdk(parent)->descriptor.cid != v->descriptor.parent_cid)
		return fail(err, ST_CORRUPT,
			    "its parent %s has the CID %08x, but parentCID is %08x: the parent was "
			    "changed since this image was made, or is another file",
			    parent->name, const_vmdk(parent)->descriptor.cid,
			    v->descriptor.parent_cid);
	return ST_OK;
}

static void init_map(struct vmdk_extent *extent)
{
	struct vmdk_image *v = extent->vmdk;

	if (extent->sparse.grain_bytes == 0 || extent->map.ops != NULL)
		return;
	extent->map = (struct block_map){
		.ops = extent->kind == VMDK_SE_SPARSE ? &vmdk_se_sparse_ops : &vmdk_sparse_ops,
		.file = vmdk_file(extent),
		.image = &v->image,
		.disk_offset = extent->disk_offset,
		.data_offset = vmdk_data_offset(extent),
		.size = extent->size,
		.block_bytes = extent->sparse.grain_bytes,
		.zero_state = (extent->sparse.flags & VMDK_FLAG_ZEROED) != 0,
	};
	extent->next = round_up(max_u64(vmdk_file(extent)->size, extent->sparse.overhead),
				extent->sparse.grain_bytes);
}

enum status vmdk_prepare_maps(struct vmdk_image *v, struct error *err)
{
	enum status st = vmdk_read_directories(v, err);

	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++)
		init_map(&v->extent[i]);
	return st;
}

/* What decompressing needs. */
static enum status prepare_unpacking(struct vmdk_image *v, struct error *err)
{
	uint32_t grain = 0;

	for (size_t i = 0; i < v->n_extents; i++)
		if (v->extent[i].sparse.compressed)
			grain = (uint32_t)max_u64(grain, v->extent[i].sparse.grain_bytes);
	if (grain == 0)
		return ST_OK;
	v->image.has_packed = true;
	v->image.compression = CODEC_ZLIB;
	v->codec = codec_open(CODEC_ZLIB, CODEC_ONLY_DECOMPRESS);
	v->packed = mem_alloc(2 * (size_t)grain);
	return v->codec != NULL && v->packed != NULL ? ST_OK : fail_no_memory(err);
}

static const char *why_read_only(const struct vmdk_extent *extent)
{
	const struct vmdk_sparse *sparse = &extent->sparse;

	if (extent->read_only)
		return "is read-only (RDONLY)";
	if (extent->kind == VMDK_ZEROS)
		return "is zeros (ZERO)";
	if (extent->kind == VMDK_COWD || extent->kind == VMDK_SE_SPARSE)
		return "is of a kind that efi-img only reads (VMFSSPARSE, SESPARSE)";
	if (extent->kind == VMDK_FLAT)
		return NULL;
	if (sparse->compressed)
		return "is compressed";
	if (sparse->version == 3)
		return "has version 3, whose tracking of changes efi-img cannot keep up";
	if (sparse->table_entries != VMDK_TABLE_ENTRIES)
		return "has grain tables of another size than 512 entries";
	for (uint64_t i = 0; i < sparse->n_tables; i++)
		if (extent->directory[i] == 0 ||
		    (extent->redundant_directory != NULL && extent->redundant_directory[i] == 0))
			return "lacks grain tables";
	return NULL;
}

static enum status check_tables(const struct vmdk_image *v, size_t i, struct error *err)
{
	uint32_t misplaced;
	enum status st = vmdk_find_misplaced_table(&v->extent[i], &misplaced);

	if (st != ST_OK)
		return fail_no_memory(err);
	return misplaced == 0
		       ? ST_OK
		       : fail(err, ST_CORRUPT,
			      "its extent %zu has a grain table at sector %ju, where something "
			      "else lies, so that it cannot be written; convert the image to a new "
			      "one",
			      i, (uintmax_t)misplaced);
}

static enum status check_writable(const struct vmdk_image *v, struct error *err)
{
	enum status st = ST_OK;

	if (!v->has_descriptor)
		return fail(err, ST_UNSUPPORTED,
			    "it is one extent of an image, and can only be written through the "
			    "descriptor that names it");
	if (v->descriptor.tracks_changes)
		return fail(err, ST_UNSUPPORTED,
			    "its descriptor has a changeTrackPath: VMware notes there what was "
			    "changed, which efi-img cannot; convert the image to a new one");
	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++) {
		const char *why = why_read_only(&v->extent[i]);

		if (why != NULL)
			return fail(err, ST_UNSUPPORTED,
				    "its extent %zu %s, so that it cannot be written; convert the "
				    "image to a new one",
				    i, why);
		if (v->extent[i].kind == VMDK_SPARSE)
			st = check_tables(v, i, err);
		else if (vmdk_shares_bytes(v, i) != i)
			st = fail(err, ST_CORRUPT,
				  "its extents %zu and %zu have the same bytes of a file, so that "
				  "it "
				  "cannot be written; convert the image to a new one",
				  vmdk_shares_bytes(v, i), i);
	}
	return st;
}

/*
 * Refuses an image with entries that lead past the end of the file, where new grains will lie, or
 * to a grain of another entry: a write would change other places of the disk as well.
 */
static enum status check_entries(struct vmdk_image *v, struct error *err)
{
	struct check_result result = { 0 };
	enum status st = vmdk_check(&v->image, NULL, &result, err);

	if (st != ST_OK || result.corruptions == 0)
		return st;
	return fail(err, ST_CORRUPT,
		    "%ju entries of its grain tables are wrong (\"check\" lists them, \"check -r "
		    "all\" repairs what it can), so that it cannot be written; convert the "
		    "image to a new one",
		    result.corruptions);
}

static enum status load_writable(struct vmdk_image *v, struct error *err)
{
	static const struct blk_ops ops = {
		.read = vmdk_read,
		.write = vmdk_write,
		.zero = vmdk_zero,
		.extent = vmdk_extent,
		.flush = vmdk_flush,
		.close = image_close_blk,
	};
	static const struct blk_ops stream_ops = {
		.read = vmdk_read,
		.write = stream_write,
		.zero = stream_zero,
		.extent = vmdk_extent,
		.flush = stream_flush,
		.close = image_close_blk,
	};
	uint64_t repaired;
	enum status st;

	if (v->n_extents == 1 && v->extent[0].sparse.compressed && v->has_descriptor) {
		v->image.blk.ops = &stream_ops;
		return vmdk_stream_open(v, err);
	}
	st = check_writable(v, err);
	if (st == ST_OK && v->image.dirty)
		st = vmdk_repair_tables(v, &repaired, err);
	if (st == ST_OK)
		st = check_entries(v, err);
	for (size_t i = 0; i < v->n_extents; i++) /* the next flush takes the notes back */
		v->extent[i].unclean = v->extent[i].sparse.unclean;
	v->image.blk.ops = &ops;
	return st;
}

enum status vmdk_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = vmdk_read,
						 .extent = vmdk_extent,
						 .close = image_close_blk };
	struct vmdk_image *v = vmdk_of(image);
	enum status st = check_parent(v, err);

	if (st == ST_OK)
		st = vmdk_prepare_maps(v, err);
	if (st == ST_OK)
		st = prepare_unpacking(v, err);
	image->blk.ops = &read_ops;
	return st == ST_OK && image->mode == OPEN_WRITE ? load_writable(v, err) : st;
}
