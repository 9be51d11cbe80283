/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating a qcow2 image.
 *
 *   cluster 0: header | refcount table | refcount blocks | L1 table | L2 tables and data clusters,
 *   if preallocated
 *
 * Write order: from the front to the end. The caller keeps back the first sector until the rest is
 * on the medium, so that until then the file is no image.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/image.h"
#include "platform/person.h"

static const char *const compat_names[] = { "1.1", "v3", "0.10", "v2", NULL };
enum { COMPAT_FIRST_V2 = 2 };

static const char *const prealloc_modes[] = { "off", "metadata", "falloc", "full", NULL };
enum { MODE_OFF, MODE_METADATA, MODE_FALLOC, MODE_FULL };

/* In the order in which qemu-img lists them when it says what it formats. */
const struct create_option qcow2_create_options[] = {
	{ .name = "cluster_size",
	  .type = OPTION_SIZE,
	  .default_text = "65536",
	  .help = "size of a cluster: a power of two, 512 to 2M" },
	{ .name = "extended_l2",
	  .type = OPTION_BOOL,
	  .default_text = "off",
	  .help = "32 subclusters in each cluster (16k and larger)" },
	{ .name = "preallocation",
	  .type = OPTION_CHOICE,
	  .choices = prealloc_modes,
	  .help = "off, metadata, falloc (space reserved), full (written)" },
	{ .name = "compression_type",
	  .type = OPTION_CHOICE,
	  .default_text = "zlib",
	  .choices = qcow2_compression_names,
	  .help = "how clusters are compressed: zlib or zstd" },
	{ .name = "compression_level",
	  .type = OPTION_NUMBER,
	  .help = "effort: 1 to 9 with zlib (default 2), to 19 with zstd (default 3)" },
	{ .name = "size",
	  .type = OPTION_SIZE,
	  .amendable = true,
	  .help = "size of the virtual disk" },
	{ .name = "compat",
	  .type = OPTION_CHOICE,
	  .choices = compat_names,
	  .amendable = true,
	  .help = "version: 1.1, or 0.10 for QEMU older than 1.1" },
	{ .name = "backing_file",
	  .type = OPTION_TEXT,
	  .amendable = true,
	  .help = "the image that shows where this one has nothing" },
	{ .name = "backing_fmt",
	  .type = OPTION_TEXT,
	  .amendable = true,
	  .help = "format of the backing file" },
	{ .name = "data_file",
	  .type = OPTION_TEXT,
	  .amendable = true,
	  .help = "another file that holds the data of the disk" },
	{ .name = "data_file_raw",
	  .type = OPTION_BOOL,
	  .amendable = true,
	  .help = "the data file is a raw image of the disk at all times" },
	{ .name = "lazy_refcounts",
	  .type = OPTION_BOOL,
	  .default_text = "off",
	  .amendable = true,
	  .help = "let refcounts lag behind (repaired at the next open)" },
	{ .name = "refcount_bits",
	  .type = OPTION_NUMBER,
	  .default_text = "16",
	  .amendable = true,
	  .help = "width of a refcount: a power of two, 1 to 64" },
	{ 0 },
};

/* Where everything goes. All counts are in clusters. */
struct layout {
	struct qcow2_header header; /* texts are borrowed from the request */
	uint64_t n_refblocks;
	uint64_t n_l1;
	uint64_t n_l2;    /* 0: not preallocated */
	uint64_t n_guest; /* clusters of the virtual disk that the L2 tables map */
	uint64_t n_data;  /* of those in this file: all, or none with a data file */
	uint64_t n_total;
	enum prealloc prealloc; /* of the data, wherever it is */
};

uint32_t qcow2_version_option(const struct create_values *options)
{
	return create_value(options, "compat")->number < COMPAT_FIRST_V2 ? 3 : 2;
}

enum status qcow2_refcount_option(const struct create_values *options, uint32_t *ret_order,
				  struct error *err)
{
	uint64_t bits = create_value(options, "refcount_bits")->number;

	if (!is_power_of_two(bits) || bits > 1 << QCOW2_REFCOUNT_ORDER_MAX)
		return fail(err, ST_INVALID,
			    "option refcount_bits: %ju is not a power of two from 1 to 64", bits);
	*ret_order = (uint32_t)__builtin_ctzll(bits);
	return ST_OK;
}

static enum status check_level(const struct create_request *request, uint32_t type,
			       struct error *err)
{
	const struct create_value *level = create_value(request->options, "compression_level");
	uint64_t most = type == QCOW2_COMPRESSION_ZSTD ? CODEC_ZSTD_LEVEL_MAX
						       : CODEC_DEFLATE_LEVEL_MAX;

	if (level->text == NULL)
		return ST_OK;
	if (level->number == 0 || level->number > most)
		return fail(err, ST_INVALID,
			    "option compression_level: %ju is not a level of %s, which has 1 to "
			    "%ju",
			    level->number, qcow2_compression_names[type], most);
	if (!request->compressed)
		return fail(err, ST_INVALID,
			    "option compression_level: nothing is compressed here; it is for "
			    "convert -c");
	return ST_OK;
}

static enum status check_data_file(const struct create_request *request, const char *name,
				   bool raw_data, struct error *err)
{
	if (name != NULL && name[0] == '\0')
		return fail(err, ST_INVALID, "option data_file: the name is empty");
	if (raw_data && name == NULL)
		return fail(err, ST_INVALID, "option data_file_raw needs the option data_file");
	if (raw_data && request->backing_name != NULL)
		return fail(err, ST_INVALID,
			    "option data_file_raw cannot be used with a backing file: a raw disk "
			    "has none");
	return ST_OK;
}

/* Whether the version has all that the options ask for. */
static enum status check_version(const struct create_request *request, const struct qcow2_header *h,
				 struct error *err)
{
	if (h->version < 3 && request->bitmaps)
		return fail(err, ST_INVALID,
			    "option compat=%s: version 2 of the format has no bitmaps; use "
			    "compat=1.1",
			    create_value(request->options, "compat")->text);
	if (h->version < 3 &&
	    (h->incompatible != 0 || h->compatible != 0 || h->refcount_order != 4))
		return fail(err, ST_INVALID,
			    "option compat=%s: version 2 of the format has no %s; use compat=1.1",
			    create_value(request->options, "compat")->text,
			    (h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0 ? "extended_l2"
			    : h->data_file != NULL                              ? "data_file"
			    : h->compatible != 0                                ? "lazy_refcounts"
			    : h->refcount_order != 4 ? "refcount_bits other than 16"
						     : "compression_type other than zlib");
	return ST_OK;
}

static enum status take_options(const struct create_request *request, struct layout *layout,
				struct error *err)
{
	const struct create_values *options = request->options;
	uint64_t cluster_bytes = create_value(options, "cluster_size")->number;
	bool extended = create_value(options, "extended_l2")->on,
	     raw_data = create_value(options, "data_file_raw")->on;
	bool lazy = create_value(options, "lazy_refcounts")->on;
	struct qcow2_header *h = &layout->header;
	enum status st;

	if (!is_power_of_two(cluster_bytes) || cluster_bytes < 1 << QCOW2_CLUSTER_BITS_MIN ||
	    cluster_bytes > 1 << QCOW2_CLUSTER_BITS_MAX)
		return fail(err, ST_INVALID,
			    "option cluster_size: %ju is not a power of two from 512 to 2M",
			    cluster_bytes);
	st = qcow2_refcount_option(options, &h->refcount_order, err);
	if (st != ST_OK)
		return st;
	h->cluster_bits = (uint32_t)__builtin_ctzll(cluster_bytes);
	h->version = qcow2_version_option(options);
	h->compression_type = (uint32_t)create_value(options, "compression_type")->number;
	h->data_file = create_value(options, "data_file")->text;
	h->size = request->size;

	st = check_level(request, h->compression_type, err);
	if (st == ST_OK && extended && h->cluster_bits < QCOW2_CLUSTER_BITS_EXTENDED_MIN)
		st = fail(err, ST_INVALID,
			  "option extended_l2 needs a cluster_size of 16k or more; it is %ju",
			  cluster_bytes);
	if (st == ST_OK)
		st = check_data_file(request, h->data_file, raw_data, err);
	if (st != ST_OK)
		return st;
	h->incompatible = (h->compression_type != QCOW2_COMPRESSION_ZLIB
				   ? QCOW2_INCOMPAT_COMPRESSION
				   : 0) |
			  (extended ? QCOW2_INCOMPAT_EXTENDED_L2 : 0) |
			  (h->data_file != NULL ? QCOW2_INCOMPAT_DATA_FILE : 0);
	h->compatible = lazy ? QCOW2_COMPAT_LAZY_REFCOUNTS : 0;
	h->autoclear = raw_data ? QCOW2_AUTOCLEAR_RAW_DATA : 0;
	return check_version(request, h, err);
}

static enum status too_large(const struct qcow2_header *h, struct error *err)
{
	return fail(err, ST_TOO_LARGE,
		    "a disk of %ju bytes is more than a qcow2 image can have with clusters of %ju "
		    "bytes and these options; use a larger cluster_size (up to 2M)",
		    h->size, qcow2_cluster_bytes(h));
}

/*
 * Counts the tables and their clusters; `all`: those of all clusters of the disk, and these
 * clusters.
 */
static enum status count_tables(struct layout *layout, bool all, struct error *err)
{
	struct qcow2_header *h = &layout->header;
	uint64_t cluster_bytes = qcow2_cluster_bytes(h),
		 n_l1_entries = div_up(h->size, qcow2_l2_coverage(h));
	uint64_t n_fixed, n_reftable = 1;

	if (n_l1_entries * 8 > QCOW2_L1_BYTES_MAX)
		return too_large(h, err);
	h->l1_entries = (uint32_t)n_l1_entries;
	layout->n_l1 = div_up(n_l1_entries * 8, cluster_bytes);
	if (all) {
		layout->n_guest = div_up(h->size, cluster_bytes);
		layout->n_l2 = n_l1_entries;
		layout->n_data = h->data_file == NULL ? layout->n_guest : 0;
	}
	/*
	 * The refcount blocks count themselves and the table that lists them: repeat until nothing
	 * changes.
	 */
	n_fixed = 1 + layout->n_l1 + layout->n_l2 + layout->n_data;
	layout->n_refblocks = 1;
	for (;;) {
		uint64_t n_total = n_fixed + n_reftable + layout->n_refblocks;
		uint64_t n_refblocks = div_up(n_total, qcow2_refcounts_per_block(h));

		if (n_total == layout->n_total)
			break;
		layout->n_total = n_total;
		layout->n_refblocks = n_refblocks;
		n_reftable = div_up(n_refblocks * 8, cluster_bytes);
	}
	/* at most 2^16, with the limit on the L1 table */
	h->reftable_clusters = (uint32_t)n_reftable;
	return ST_OK;
}

static enum status count_clusters(const struct create_request *request, struct layout *layout,
				  struct error *err)
{
	struct qcow2_header *h = &layout->header;
	uint64_t mode = create_value(request->options, "preallocation")->number;
	enum status st;

	/* A raw data file is read without the L2 tables: they must map all of it from the start. */
	if (mode == MODE_OFF && (h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0)
		mode = MODE_METADATA;
	if (mode != MODE_OFF && request->backing_name != NULL &&
	    (h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) == 0)
		return fail(err, ST_INVALID,
			    "option preallocation would hide the backing file; use it with "
			    "extended_l2=on, or leave it out");
	layout->prealloc = mode == MODE_FULL     ? PREALLOC_FULL
			   : mode == MODE_FALLOC ? PREALLOC_FALLOC
						 : PREALLOC_OFF;
	st = count_tables(layout, mode != MODE_OFF, err);
	if (st == ST_OK &&
	    ((uint64_t)h->reftable_clusters << h->cluster_bits > QCOW2_REFTABLE_BYTES_MAX ||
	     layout->n_total > QCOW2_OFFSET_LIMIT >> h->cluster_bits))
		st = too_large(h, err);
	return st;
}

static enum status make_layout(const struct create_request *request, struct layout *ret,
			       struct error *err)
{
	struct qcow2_header *h = &ret->header;
	uint64_t cluster_bytes;
	enum status st;

	*ret = (struct layout){ 0 };
	st = take_options(request, ret, err);
	if (st == ST_OK)
		st = count_clusters(request, ret, err);
	if (st != ST_OK)
		return st;
	cluster_bytes = qcow2_cluster_bytes(h);
	h->reftable_offset = cluster_bytes;
	if (h->l1_entries > 0)
		h->l1_offset = h->reftable_offset +
			       (h->reftable_clusters + ret->n_refblocks) * cluster_bytes;
	/* Only the type changes: nothing is written through these, and the layout owns no text. */
	h->backing_name = (char *)(uintptr_t)request->backing_name;
	h->backing_format = (char *)(uintptr_t)request->backing_format;
	return ST_OK;
}

/* The file ends with the last byte that is not zero for certain: past it, all reads as zeros. */
static uint64_t file_bytes(const struct layout *layout)
{
	const struct qcow2_header *h = &layout->header;

	if (layout->n_l2 > 0 || layout->n_l1 == 0)
		return layout->n_total << h->cluster_bits;
	return h->l1_offset + (uint64_t)h->l1_entries * 8;
}

enum status qcow2_plan(const struct create_request *request, struct create_plan *ret,
		       struct error *err)
{
	const char *data_file;
	struct layout layout;
	uint8_t *header;
	size_t header_bytes;
	enum status st = make_layout(request, &layout, err);

	if (st == ST_OK)
		st = qcow2_header_encode(&layout.header, &header, &header_bytes, err);
	if (st != ST_OK)
		return st;
	mem_free(header); /* it fits, that was the question */
	data_file = layout.header.data_file;
	st = create_plan_add(ret, request->file_name, file_bytes(&layout),
			     layout.n_data > 0 ? layout.prealloc : PREALLOC_OFF, err);
	if (st == ST_OK && data_file != NULL)
		st = create_plan_add(ret, data_file, request->size, layout.prealloc, err);
	return st;
}

/*
 * The layout of an image with everything allocated, as qemu-img measures it: also where such an
 * image could not be made because its tables would be too large, since one that is less full can
 * be. A data file counts as if its clusters were in the image.
 */
enum status qcow2_measure(const struct create_request *request, const struct image *source,
			  struct image_measure *ret, struct error *err)
{
	uint64_t mode = create_value(request->options, "preallocation")->number;
	struct layout layout = { 0 };
	enum status st = take_options(request, &layout, err);
	/* It is not known how much of what the source shows is in the backing file already. */
	bool all = mode == MODE_FULL || mode == MODE_FALLOC ||
		   (source != NULL && request->backing_name != NULL);

	layout.header.data_file = NULL;
	if (st == ST_OK)
		st = count_tables(&layout, true, err);
	if (st != ST_OK)
		return st;
	*ret = (struct image_measure){
		.full_bytes = layout.n_total << layout.header.cluster_bits,
		.data_bytes = layout.n_data << layout.header.cluster_bits,
		.block_bytes = all ? 0 : (uint32_t)qcow2_cluster_bytes(&layout.header),
	};
	if (source != NULL && text_equal(source->format->name, "qcow2") &&
	    layout.header.version >= 3) {
		const struct qcow2_image *q = (const struct qcow2_image *)source;

		ret->has_bitmaps = q->header.version >= 3;
		ret->bitmaps_bytes = qcow2_bitmaps_bytes(source->bitmaps, source->n_bitmaps,
							 source->size,
							 qcow2_cluster_bytes(&layout.header));
	}
	if (request->bitmap != NULL && layout.header.version >= 3) {
		ret->has_bitmaps = true;
		ret->bitmaps_bytes += qcow2_bitmaps_bytes(request->bitmap, 1, request->size,
							  qcow2_cluster_bytes(&layout.header));
	}
	return ST_OK;
}

/* ---- writing ---- */

enum { WRITER_BYTES_MAX = 1 << 20 };

/* Collects header and table entries, and writes them in large pieces, one after the other. */
struct writer {
	struct blk *file;
	uint64_t offset; /* of buf in the file */
	uint8_t *buf;
	/*
	 * of buf, in bytes: no more than there is to write, for firmware may take long to free
	 * memory
	 */
	size_t capacity;
	size_t used;
};

static enum status writer_flush(struct writer *w)
{
	enum status st = platform_cancelled() ? ST_CANCELLED
					      : blk_write(w->file, w->offset, w->buf, w->used);

	w->offset += w->used;
	w->used = 0;
	return st;
}

static enum status put_bytes(struct writer *w, const uint8_t *bytes, size_t n)
{
	enum status st = ST_OK;

	while (st == ST_OK && n > 0) {
		size_t part = (size_t)min_u64(n, w->capacity - w->used);

		memcpy(w->buf + w->used, bytes, part);
		w->used += part;
		bytes += part;
		n -= part;
		if (w->used == w->capacity)
			st = writer_flush(w);
	}
	return st;
}

static enum status put_u64(struct writer *w, uint64_t value)
{
	be64 entry = be64_of(value);

	return put_bytes(w, entry.b, sizeof entry.b);
}

/* Continues at `offset`; the bytes skipped read as zeros. */
static enum status seek(struct writer *w, uint64_t offset)
{
	enum status st = writer_flush(w);

	CHECK(offset >= w->offset);
	w->offset = offset;
	return st;
}

static enum status put_zeros(struct writer *w, uint64_t n_bytes)
{
	static const uint8_t zeros[512];
	enum status st = ST_OK;

	for (; st == ST_OK && n_bytes > 0; n_bytes -= min_u64(n_bytes, sizeof zeros))
		st = put_bytes(w, zeros, (size_t)min_u64(n_bytes, sizeof zeros));
	return st;
}

static enum status put_reftable(struct writer *w, const struct layout *layout)
{
	const struct qcow2_header *h = &layout->header;
	uint64_t table_bytes = (uint64_t)h->reftable_clusters << h->cluster_bits;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < layout->n_refblocks; i++)
		st = put_u64(w, h->reftable_offset + table_bytes + (i << h->cluster_bits));
	return st == ST_OK ? put_zeros(w, table_bytes - layout->n_refblocks * 8) : st;
}

/*
 * Every cluster of the image is used once: n_total ones, then zeros to the end of the last block.
 */
static enum status put_refblocks(struct writer *w, const struct layout *layout)
{
	const struct qcow2_header *h = &layout->header;
	uint64_t n_left = layout->n_total, blocks_bytes = layout->n_refblocks << h->cluster_bits;
	uint64_t used_bytes = 0;
	enum status st = ST_OK;

	while (st == ST_OK && n_left > 0) {
		uint8_t bytes[8] = { 0 };
		size_t n_bytes = 1;

		if (h->refcount_order >= 3) { /* big-endian, of one byte or more */
			n_bytes = (size_t)1 << (h->refcount_order - 3);
			bytes[n_bytes - 1] = 1;
			n_left--;
		} else { /* several in a byte, the first one in its lowest bits */
			for (unsigned bit = 0; bit < 8 && n_left > 0;
			     bit += 1u << h->refcount_order, n_left--)
				bytes[0] |= (uint8_t)(1u << bit);
		}
		st = put_bytes(w, bytes, n_bytes);
		used_bytes += n_bytes;
	}
	return st == ST_OK ? put_zeros(w, blocks_bytes - used_bytes) : st;
}

static enum status put_l1(struct writer *w, const struct layout *layout)
{
	const struct qcow2_header *h = &layout->header;
	uint64_t l2_offset = h->l1_offset + (layout->n_l1 << h->cluster_bits);
	enum status st = ST_OK;

	if (layout->n_l2 == 0)
		return put_zeros(w, (uint64_t)h->l1_entries * 8);
	for (uint64_t i = 0; st == ST_OK && i < layout->n_l2; i++)
		st = put_u64(w, QCOW2_COPIED | (l2_offset + (i << h->cluster_bits)));
	return st;
}

static enum status put_l2_tables(struct writer *w, const struct layout *layout)
{
	const struct qcow2_header *h = &layout->header;
	bool extended = (h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
	uint64_t first_data = h->data_file != NULL ? 0 : layout->n_total - layout->n_data;
	uint64_t tables_bytes = layout->n_l2 << h->cluster_bits;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < layout->n_guest; i++) {
		st = put_u64(w, QCOW2_COPIED | (first_data + i) << h->cluster_bits);
		if (st == ST_OK && extended)
			/*
			 * space only: no subcluster is allocated, so a backing file shows through
			 */
			st = put_u64(w, 0);
	}
	return st == ST_OK ? put_zeros(w, tables_bytes - layout->n_guest * qcow2_l2_entry_bytes(h))
			   : st;
}

static enum status write_metadata(struct blk *file, const struct layout *layout,
				  const uint8_t *header, size_t header_bytes)
{
	const struct qcow2_header *h = &layout->header;
	struct writer w = { .file = file,
			    .capacity = (size_t)min_u64(file_bytes(layout), WRITER_BYTES_MAX) };
	enum status st;

	w.buf = io_alloc(w.capacity);
	if (w.buf == NULL)
		return ST_NO_MEMORY;
	st = put_bytes(&w, header, header_bytes);
	if (st == ST_OK)
		st = put_zeros(&w, h->reftable_offset - header_bytes);
	if (st == ST_OK)
		st = put_reftable(&w, layout);
	if (st == ST_OK)
		st = put_refblocks(&w, layout);
	if (st == ST_OK)
		st = put_l1(&w, layout);
	if (st == ST_OK && layout->n_l2 > 0) {
		st = seek(&w, h->l1_offset + (layout->n_l1 << h->cluster_bits));
		if (st == ST_OK)
			st = put_l2_tables(&w, layout);
	}
	if (st == ST_OK)
		st = writer_flush(&w);
	io_free(w.buf, w.capacity);
	return st;
}

enum status qcow2_write_files(const struct create_request *request, struct blk *const file[],
			      struct error *err)
{
	struct layout layout;
	uint8_t *header;
	size_t header_bytes;
	enum status st = make_layout(request, &layout, err);

	if (st == ST_OK)
		st = qcow2_header_encode(&layout.header, &header, &header_bytes, err);
	if (st != ST_OK)
		return st;
	st = write_metadata(file[0], &layout, header, header_bytes);
	if (st == ST_OK && layout.n_data > 0)
		st = blk_resize(file[0], file_bytes(&layout), layout.prealloc);
	if (st == ST_OK && layout.header.data_file != NULL)
		st = blk_resize(file[1], layout.header.size, layout.prealloc);
	mem_free(header);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}

bool qcow2_resumable(const struct create_values *options)
{
	return create_value(options, "data_file")->text == NULL;
}
