/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating a qcow image, with the same bytes as qemu-img: the header, the name of the backing file,
 * and an L1 table of zeros in whole pieces of 512 bytes. Clusters have 4 KiB and L2 tables 512
 * entries; with a backing file, of which less is copied so when a part of a cluster is written, 512
 * bytes and 4096 entries.
 *
 * Write order: from the front to the end. The caller keeps back the first sector until the rest is
 * on the medium, so that until then the file is no image.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow/image.h"

/* In the order in which qemu-img lists them when it says what it formats. */
const struct create_option qcow_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "backing_file",
	  .type = OPTION_TEXT,
	  .help = "the image that shows where this one has nothing" },
	{ .name = "backing_fmt", .type = OPTION_TEXT, .help = "format of the backing file" },
	{ 0 },
};

static enum status make_header(const struct create_request *request, struct qcow_header *ret,
			       struct error *err)
{
	const char *name = request->backing_name;
	size_t n = name != NULL ? text_length(name) : 0;

	*ret = (struct qcow_header){
		.backing_at = n > 0 ? QCOW_HEADER_BYTES : 0,
		.backing_bytes = (uint32_t)n,
		.size = request->size,
		.cluster_bits = n > 0 ? 9 : 12,
		.l2_bits = n > 0 ? 12 : 9,
		.l1_offset = round_up(QCOW_HEADER_BYTES + n, QCOW_ENTRY_BYTES),
	};
	if (n > QCOW_BACKING_NAME_MAX)
		return fail(err, ST_TOO_LARGE, "the name of a backing file can have %d bytes",
			    QCOW_BACKING_NAME_MAX);
	if (request->size == 0)
		return fail(err, ST_INVALID, "a disk in a qcow image cannot have 0 bytes");
	if (qcow_l1_entries(ret) > QCOW_L1_ENTRIES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is more than a qcow image can have",
			    request->size);
	return ST_OK;
}

/* All of the tables and clusters that there are in a new file. */
static uint64_t file_bytes(const struct qcow_header *h)
{
	return h->l1_offset + round_up(qcow_l1_entries(h) * QCOW_ENTRY_BYTES, QCOW_SECTOR_BYTES);
}

enum status qcow_plan(const struct create_request *request, struct create_plan *ret,
		      struct error *err)
{
	struct qcow_header h;
	enum status st = make_header(request, &h, err);

	return st == ST_OK
		       ? create_plan_add(ret, request->file_name, file_bytes(&h), PREALLOC_OFF, err)
		       : st;
}

/* qemu-img has no such measure: header, tables, and the disk in whole clusters. */
enum status qcow_measure(const struct create_request *request, const struct image *source,
			 struct image_measure *ret, struct error *err)
{
	struct qcow_header h;
	uint64_t data;
	enum status st = make_header(request, &h, err);
	/* It is not known how much of what the source shows is in the backing file already. */
	bool all = source != NULL && request->backing_name != NULL;

	if (st != ST_OK)
		return st;
	data = round_up(h.size, qcow_cluster_bytes(&h));
	*ret = (struct image_measure){
		.full_bytes = round_up(file_bytes(&h), qcow_cluster_bytes(&h)) +
			      qcow_l1_entries(&h) * qcow_l2_bytes(&h) + data,
		.data_bytes = data,
		.block_bytes = all ? 0 : (uint32_t)qcow_cluster_bytes(&h),
	};
	return ST_OK;
}

enum status qcow_write_files(const struct create_request *request, struct blk *const file[],
			     struct error *err)
{
	uint8_t bytes[QCOW_HEADER_BYTES + QCOW_BACKING_NAME_MAX];
	struct qcow_header h;
	uint64_t n;
	enum status st = make_header(request, &h, err);

	if (st != ST_OK)
		return st;
	n = QCOW_HEADER_BYTES + h.backing_bytes;
	qcow_header_encode(&h, bytes);
	if (h.backing_bytes > 0)
		memcpy(bytes + QCOW_HEADER_BYTES, request->backing_name, h.backing_bytes);
	st = blk_write(file[0], 0, bytes, (size_t)n);
	if (st == ST_OK)
		st = blk_write_zeros(file[0], n, file_bytes(&h) - n);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}
