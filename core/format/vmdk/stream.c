/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing streamOptimized extents, in one pass over the disk from its beginning to its end.
 *
 *   header | descriptor | grains of the first table | table | grains of the second table | table |
 *   ... | directory | footer | end of stream
 *
 * Each grain begins with a marker (its place on the disk, its length), and each other part with a
 * marker of a sector that says what it is. Tables without grains are left out, and so are grains of
 * zeros. The header says that the directory is at the end: the footer, a second header, has its
 * place. This is what VMware writes and what all readers take; QEMU and others, which write a
 * directory before the grains and leave markers and footer out, make files that some refuse.
 *
 * Write order: from the front to the end; a flush writes everything that follows the grains, and
 * the next grain is written over that. So after a flush the file is whole, and before it the footer
 * is missing, which every reader notices. A grain that is not written as a whole by one call is
 * kept in memory until a later one is begun; what is finished cannot be changed.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/vmdk/image.h"

struct vmdk_stream {
	struct codec *codec;
	uint8_t *grain;        /* the one that is being filled */
	uint8_t *packed;       /* room for a grain with its marker, in whole sectors */
	bool filling, settled; /* settled: it was written as it is now */
	uint64_t index;        /* of that grain */
	uint64_t length;       /* of it in the file, once it is settled */
	uint64_t next;         /* the first grain that can still be written */
	uint64_t end;          /* where in the file the next grain, or the one being filled, goes */
	uint64_t table_index;
	bool table_used;
	le32 table[VMDK_TABLE_ENTRIES];
};

enum { TABLE_SECTORS = VMDK_TABLE_BYTES / VMDK_SECTOR };

static uint32_t grain_bytes(const struct vmdk_image *v)
{
	return v->extent[0].sparse.grain_bytes;
}

/* Room for a grain that does not get smaller, its marker, and the rest of a sector. */
static size_t packed_bytes(const struct vmdk_image *v)
{
	return grain_bytes(v) + grain_bytes(v) / 8 + 2 * VMDK_SECTOR;
}

/* ---- what follows the grains ---- */

static uint8_t *put_marker(uint8_t *to, uint64_t value, uint32_t type)
{
	struct vmdk_marker marker = { .value = le64_of(value), .type = le32_of(type) };

	memcpy(to, &marker, sizeof marker);
	return to + VMDK_SECTOR;
}

static uint64_t directory_bytes(const struct vmdk_sparse *sparse)
{
	return round_up(sparse->n_tables * 4, VMDK_SECTOR);
}

/*
 * The directory (NULL: all zeros), footer and end, for a directory whose marker is at `at`. `to`
 * has zeros.
 */
static void put_end(const struct vmdk_sparse *sparse, const uint32_t *directory, uint64_t at,
		    uint8_t *to)
{
	struct vmdk_sparse footer = *sparse;
	struct vmdk_disk_header header;

	to = put_marker(to, directory_bytes(sparse) / VMDK_SECTOR, VMDK_MARKER_DIRECTORY);
	for (uint64_t i = 0; directory != NULL && i < sparse->n_tables; i++)
		bytes_to_le(to + 4 * i, 4, directory[i]);
	to += directory_bytes(sparse);
	to = put_marker(to, 1, VMDK_MARKER_FOOTER);
	footer.directory_at_end = false;
	footer.directory = at + VMDK_SECTOR;
	vmdk_header_make(&footer, &header);
	memcpy(to, &header, sizeof header);
	/* the marker of the end is a sector of zeros */
}

static uint64_t end_bytes(const struct vmdk_sparse *sparse)
{
	return UINT64_C(4) * VMDK_SECTOR + directory_bytes(sparse);
}

static enum status write_end(struct blk *file, const struct vmdk_sparse *sparse,
			     const uint32_t *directory, uint64_t at)
{
	size_t n = (size_t)end_bytes(sparse);
	uint8_t *bytes = io_alloc(n);
	enum status st;

	if (bytes == NULL)
		return ST_NO_MEMORY;
	memset(bytes, 0, n);
	put_end(sparse, directory, at, bytes);
	st = blk_write(file, at, bytes, n);
	io_free(bytes, n);
	return st;
}

enum status vmdk_stream_write_empty(struct blk *file, const struct vmdk_sparse *sparse,
				    uint64_t *ret_end)
{
	*ret_end = sparse->overhead + end_bytes(sparse);
	return write_end(file, sparse, NULL, sparse->overhead);
}

/* The table of the current grains, at `at`. */
static enum status write_table(struct vmdk_image *v, uint64_t at)
{
	struct vmdk_stream *s = v->stream;
	uint8_t bytes[VMDK_SECTOR + VMDK_TABLE_BYTES] = { 0 };
	enum status st;

	memcpy(put_marker(bytes, TABLE_SECTORS, VMDK_MARKER_TABLE), s->table, sizeof s->table);
	st = blk_write(vmdk_file(&v->extent[0]), at, bytes, sizeof bytes);
	if (st == ST_OK)
		v->extent[0].directory[s->table_index] = (uint32_t)(at / VMDK_SECTOR) + 1;
	return st;
}

/* ---- grains ---- */

/* Writes a grain whose compressed data is in s->packed, after room for the marker. */
static enum status write_grain(struct vmdk_image *v, uint64_t index, size_t n)
{
	struct vmdk_stream *s = v->stream;
	uint64_t sector = index * (grain_bytes(v) / VMDK_SECTOR), sectors;
	size_t bytes = (size_t)round_up(VMDK_GRAIN_MARKER_BYTES + n, VMDK_SECTOR);
	enum status st;

	sectors = s->end / VMDK_SECTOR;
	if (sectors + (bytes + sizeof s->table) / VMDK_SECTOR + 1 > UINT32_MAX)
		return ST_TOO_LARGE;
	bytes_to_le(s->packed, 8, sector);
	bytes_to_le(s->packed + 8, 4, n);
	memset(s->packed + VMDK_GRAIN_MARKER_BYTES + n, 0, bytes - VMDK_GRAIN_MARKER_BYTES - n);
	st = blk_write(vmdk_file(&v->extent[0]), s->end, s->packed, bytes);
	if (st != ST_OK)
		return st;
	s->table[index % VMDK_TABLE_ENTRIES] = le32_of((uint32_t)sectors);
	s->table_used = true;
	s->length = bytes;
	return ST_OK;
}

enum status vmdk_stream_settle(struct vmdk_image *v)
{
	struct vmdk_stream *s = v->stream;
	size_t n;
	enum status st;

	if (!s->filling || s->settled)
		return ST_OK;
	st = codec_compress(s->codec, s->grain, grain_bytes(v), s->packed + VMDK_GRAIN_MARKER_BYTES,
			    packed_bytes(v) - VMDK_SECTOR, &n);
	CHECK(st != ST_NO_SPACE); /* bytes that do not get smaller are stored */
	if (st == ST_OK)
		st = write_grain(v, s->index, n);
	s->settled = st == ST_OK;
	return st;
}

/* Ends the grain that is being filled, and the table if `index` is not of it. */
static enum status advance(struct vmdk_image *v, uint64_t index)
{
	struct vmdk_stream *s = v->stream;
	enum status st = vmdk_stream_settle(v);

	if (st != ST_OK)
		return st;
	if (s->filling) {
		s->end += s->length;
		s->next = s->index + 1;
		s->filling = false;
	}
	if (index < s->next)
		return ST_UNSUPPORTED;
	if (index / VMDK_TABLE_ENTRIES == s->table_index)
		return ST_OK;
	if (s->table_used) {
		st = write_table(v, s->end);
		if (st != ST_OK)
			return st;
		s->end += VMDK_SECTOR + VMDK_TABLE_BYTES;
	}
	memset(s->table, 0, sizeof s->table);
	s->table_used = false;
	s->table_index = index / VMDK_TABLE_ENTRIES;
	return vmdk_begin_change(&v->extent[0]);
}

/* Bytes of the disk that are in a grain; the last one may have less than the others. */
static uint64_t bytes_in(const struct vmdk_image *v, uint64_t index)
{
	return min_u64(grain_bytes(v), v->image.size - index * grain_bytes(v));
}

static enum status begin_grain(struct vmdk_image *v, uint64_t index)
{
	struct vmdk_stream *s = v->stream;
	enum status st;

	if (s->filling && s->index == index)
		return ST_OK;
	st = advance(v, index);
	if (st == ST_OK)
		st = vmdk_begin_change(&v->extent[0]);
	if (st != ST_OK)
		return st;
	memset(s->grain, 0, grain_bytes(v));
	st = image_read_backing(&v->image, index * grain_bytes(v), s->grain,
				(size_t)bytes_in(v, index));
	s->index = index;
	s->filling = st == ST_OK;
	s->settled = false;
	return st;
}

/* Bytes of one grain; NULL: zeros. */
static enum status write_in(struct vmdk_image *v, uint64_t offset, const void *buf, size_t n)
{
	struct vmdk_stream *s = v->stream;
	enum status st = begin_grain(v, offset / grain_bytes(v));

	if (st != ST_OK)
		return st;
	s->settled = false;
	if (buf != NULL)
		memcpy(s->grain + offset % grain_bytes(v), buf, n);
	else
		memset(s->grain + offset % grain_bytes(v), 0, n);
	return ST_OK;
}

enum status vmdk_stream_write(struct vmdk_image *v, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, from += n, len -= n) {
		n = (size_t)min_u64(len, grain_bytes(v) - offset % grain_bytes(v));
		st = write_in(v, offset, from, n);
	}
	return st;
}

/* What has no grain is zeros, unless something shows through. */
enum status vmdk_stream_zero(struct vmdk_image *v, uint64_t offset, uint64_t len)
{
	struct vmdk_stream *s = v->stream;
	enum status st = ST_OK;

	for (uint64_t n; st == ST_OK && len > 0; offset += n, len -= n) {
		uint64_t index = offset / grain_bytes(v);
		bool filled = s->filling && s->index == index;
		uint32_t entry = 0;

		n = min_u64(len, grain_bytes(v) - offset % grain_bytes(v));
		if (!filled && index < s->next)
			st = vmdk_read_entry(&v->extent[0], false, index, &entry);
		if (st == ST_OK && (filled || entry != 0 || v->image.backing != NULL))
			st = write_in(v, offset, NULL, (size_t)n);
	}
	return st;
}

enum status vmdk_stream_write_compressed(struct image *image, uint64_t offset, const void *packed,
					 size_t n)
{
	struct vmdk_image *v = vmdk_of(image);
	uint64_t index = offset / grain_bytes(v);
	enum status st;

	if (v->stream == NULL)
		return ST_UNSUPPORTED;
	CHECK(n <= packed_bytes(v) - VMDK_SECTOR);
	st = advance(v, index);
	if (st == ST_OK)
		st = vmdk_begin_change(&v->extent[0]);
	if (st != ST_OK)
		return st;
	memcpy(v->stream->packed + VMDK_GRAIN_MARKER_BYTES, packed, n);
	st = write_grain(v, index, n);
	if (st == ST_OK) {
		v->stream->end += v->stream->length;
		v->stream->next = index + 1;
	}
	return st;
}

uint8_t *vmdk_stream_table(const struct vmdk_extent *extent, uint64_t index)
{
	struct vmdk_stream *s = extent->vmdk->stream;

	return s != NULL && index / VMDK_TABLE_ENTRIES == s->table_index ? s->table[0].b : NULL;
}

enum status vmdk_stream_flush(struct vmdk_image *v)
{
	struct vmdk_stream *s = v->stream;
	struct vmdk_extent *extent = &v->extent[0];
	uint64_t at;
	enum status st = vmdk_stream_settle(v);

	if (st != ST_OK || !extent->changed)
		return st == ST_OK ? blk_flush(vmdk_file(extent)) : st;
	at = s->end + (s->filling ? s->length : 0);
	if (s->table_used) {
		st = write_table(v, at);
		at += VMDK_SECTOR + VMDK_TABLE_BYTES;
	}
	if (st == ST_OK)
		st = write_end(vmdk_file(extent), &extent->sparse, extent->directory, at);
	if (st == ST_OK)
		st = blk_flush(vmdk_file(extent));
	extent->changed = st != ST_OK;
	return st;
}

/* ---- opening ---- */

static enum status check_empty(const struct vmdk_image *v, struct error *err)
{
	const struct vmdk_sparse *sparse = &v->extent[0].sparse;

	if (!sparse->directory_at_end || (sparse->flags & VMDK_FLAG_MARKERS) == 0 ||
	    sparse->table_entries != VMDK_TABLE_ENTRIES || v->extent[0].read_only)
		return fail(err, ST_UNSUPPORTED,
			    "it is a stream (streamOptimized) of another program, which cannot be "
			    "written; convert to a new image");
	for (uint64_t i = 0; i < sparse->n_tables; i++)
		if (v->extent[0].directory[i] != 0)
			return fail(err, ST_UNSUPPORTED,
				    "it is a stream (streamOptimized), which is written once, from "
				    "its beginning to its end, and has data already; convert to a "
				    "new image");
	return ST_OK;
}

enum status vmdk_stream_open(struct vmdk_image *v, struct error *err)
{
	struct vmdk_stream *s;
	enum status st = check_empty(v, err);

	if (st != ST_OK)
		return st;
	s = v->stream = mem_alloc(sizeof *s);
	if (s == NULL)
		return fail_no_memory(err);
	s->end = v->extent[0].sparse.overhead;
	/* for what did not get smaller at a better level (engine/pack.h), and for guests */
	s->codec = codec_open(CODEC_ZLIB, 1);
	s->grain = mem_alloc(grain_bytes(v));
	s->packed = io_alloc(packed_bytes(v));
	v->image.packs = true;
	return s->codec != NULL && s->grain != NULL && s->packed != NULL ? ST_OK
									 : fail_no_memory(err);
}

void vmdk_stream_close(struct vmdk_image *v)
{
	struct vmdk_stream *s = v->stream;

	if (s == NULL)
		return;
	codec_close(s->codec);
	mem_free(s->grain);
	io_free(s->packed, packed_bytes(v));
	mem_free(s);
	v->stream = NULL;
}
