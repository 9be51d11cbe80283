/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating a QED image: the header in the first cluster, with the name of the backing file, then an
 * L1 table of zeros. Write order: from the front to the end. The caller keeps back the first sector
 * until the rest is on the medium, so that until then the file is no image.
 *
 * Tables of one cluster, and clusters and tables so large that they map 2^64 bytes or more, are in
 * the specification, but QEMU cannot open an image that has them: they are read, and not created.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "format/qed/image.h"

enum { DEFAULT_TABLE_CLUSTERS = 4 };

/* In the order in which qemu-img lists them when it says what it formats. */
const struct create_option qed_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "backing_file",
	  .type = OPTION_TEXT,
	  .help = "the image that shows where this one has nothing" },
	{ .name = "backing_fmt", .type = OPTION_TEXT, .help = "format of the backing file" },
	{ .name = "cluster_size",
	  .type = OPTION_SIZE,
	  .default_text = "65536",
	  .help = "size of a cluster: a power of two, 4096 to 64M" },
	{ .name = "table_size",
	  .type = OPTION_SIZE,
	  .help = "clusters of an L1 or L2 table: 2, 4 (default), 8 or 16" },
	{ 0 },
};

static enum status make_header(const struct create_request *request, struct qed_header *ret,
			       struct error *err)
{
	const struct create_value *table = create_value(request->options, "table_size");
	uint64_t cluster_bytes = create_value(request->options, "cluster_size")->number,
		 table_clusters = table->text != NULL ? table->number : DEFAULT_TABLE_CLUSTERS,
		 entries, most;

	if (!is_power_of_two(cluster_bytes) || cluster_bytes < QED_CLUSTER_BYTES_MIN ||
	    cluster_bytes > QED_CLUSTER_BYTES_MAX)
		return fail(err, ST_INVALID,
			    "option cluster_size: %ju is not a power of two from 4096 to 64M",
			    cluster_bytes);
	if (table_clusters == 1)
		return fail(err, ST_UNSUPPORTED,
			    "option table_size: QEMU cannot open an image with tables of 1 "
			    "cluster; use 2 or more");
	if (!is_power_of_two(table_clusters) || table_clusters > QED_TABLE_CLUSTERS_MAX)
		return fail(err, ST_INVALID, "option table_size: %ju is not 2, 4, 8 or 16 clusters",
			    table_clusters);
	entries = table_clusters * cluster_bytes / QED_ENTRY_BYTES;
	if (!mul_ok(entries * entries, cluster_bytes, &most))
		return fail(err, ST_UNSUPPORTED,
			    "options cluster_size and table_size: QEMU cannot open an image with "
			    "tables of %ju clusters of %ju bytes; use smaller ones",
			    table_clusters, cluster_bytes);
	most = qed_size_max(cluster_bytes, table_clusters * cluster_bytes);
	if (request->size > most)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is more than a QED image can have with these "
			    "options (%ju); use a larger cluster_size or table_size",
			    request->size, most);
	*ret = (struct qed_header){
		.cluster_bytes = cluster_bytes,
		.table_bytes = table_clusters * cluster_bytes,
		.bytes = cluster_bytes,
		.l1_offset = cluster_bytes,
		.size = request->size,
	};
	return ST_OK;
}

static enum status add_backing(const struct create_request *request, struct qed_header *h,
			       struct error *err)
{
	const char *name = request->backing_name, *format = request->backing_format;
	size_t n = name != NULL ? text_length(name) : 0;

	if (n > QED_BACKING_NAME_MAX)
		return fail(err, ST_TOO_LARGE, "the name of a backing file can have %d bytes",
			    QED_BACKING_NAME_MAX);
	if (n == 0)
		return ST_OK;
	h->features = QED_BACKING |
		      (format != NULL && text_equal(format, "raw") ? QED_BACKING_RAW : 0);
	h->backing_at = QED_HEADER_BYTES;
	h->backing_bytes = (uint32_t)n;
	return ST_OK;
}

enum status qed_plan(const struct create_request *request, struct create_plan *ret,
		     struct error *err)
{
	struct qed_header h;
	enum status st = make_header(request, &h, err);

	if (st == ST_OK)
		st = add_backing(request, &h, err);
	return st == ST_OK ? create_plan_add(ret, request->file_name, h.bytes + h.table_bytes,
					     PREALLOC_OFF, err)
			   : st;
}

/* qemu-img has no such measure: header, tables, and the disk in whole clusters. */
enum status qed_measure(const struct create_request *request, const struct image *source,
			struct image_measure *ret, struct error *err)
{
	struct qed_header h;
	uint64_t tables, data;
	enum status st = make_header(request, &h, err);
	/* It is not known how much of what the source shows is in the backing file already. */
	bool all = source != NULL && request->backing_name != NULL;

	if (st != ST_OK)
		return st;
	data = round_up(h.size, h.cluster_bytes);
	tables = (1 + div_up(h.size, qed_l2_coverage(&h))) * h.table_bytes;
	*ret = (struct image_measure){
		.full_bytes = h.bytes + tables + data,
		.data_bytes = data,
		.block_bytes = all ? 0 : (uint32_t)h.cluster_bytes,
	};
	return ST_OK;
}

static enum status write_file(struct blk *file, const struct qed_header *h, const char *name)
{
	uint8_t header[QED_HEADER_BYTES + QED_BACKING_NAME_MAX];
	uint64_t n = QED_HEADER_BYTES + h->backing_bytes;
	enum status st;

	qed_header_encode(h, header);
	if (h->backing_bytes > 0)
		memcpy(header + QED_HEADER_BYTES, name, h->backing_bytes);
	st = blk_write(file, 0, header, (size_t)n);
	return st == ST_OK ? blk_write_zeros(file, n, h->bytes + h->table_bytes - n) : st;
}

enum status qed_write_files(const struct create_request *request, struct blk *const file[],
			    struct error *err)
{
	struct qed_header h;
	enum status st = make_header(request, &h, err);

	if (st == ST_OK)
		st = add_backing(request, &h, err);
	if (st != ST_OK)
		return st;
	st = write_file(file[0], &h, request->backing_name);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}
