/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qed: the QEMU Enhanced Disk format (docs/interop/qed_spec.txt of QEMU).
 *
 *   header, with the name of the backing file | L1 table | L2 tables and clusters of data, in the
 *   order in which they were first needed
 *
 * Entry 0 of an L2 table: unallocated; 1: zeros; else the place of a cluster. All that QEMU 7.2
 * does with these images, and tables of one cluster, which QEMU creates but does not open. Refused:
 * unknown feature bits; for writing, images whose entries lead past the end of the file, because a
 * new cluster would come to lie there.
 *
 * Memory: at most 2 * TABLE_CACHE_BYTES of both tables, whatever the size of the disk. To check, a
 * bit for each cluster of the file: 2 MiB per TiB with clusters of 64 KiB.
 *
 * Write order (write.c, and format/block_map.h, format/two_level.h):
 *
 *   1. the feature QED_NEED_CHECK                                                          flush
 *   2. data, at the end of the file                                                        flush
 *   3. L2 tables, which refer to data                                                      flush
 *   4. the L1 table, which refers to L2 tables                                             flush
 *   5. QED_NEED_CHECK is cleared                                                           flush
 *
 * Steps 2 to 4 repeat while the caches fill up; 5 is done at the end of each flush of the disk. So
 * the image is consistent at every moment: a power cut leaves clusters that nothing refers to, and
 * the feature. What was not closed cleanly is checked when it is opened for writing, whoever wrote
 * it. A new image: create.c. Another backing file: header.c.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qed/image.h"

static int qed_probe(const struct image_probe *probe)
{
	return memcmp(probe->head, "QED\0", 4) == 0 ? PROBE_CERTAIN : 0;
}

static enum status qed_open(struct image *image, struct error *err)
{
	struct qed_image *q = (struct qed_image *)image;
	enum status st;

	q->file = image->file[0].blk;
	st = qed_header_read(q, err);
	if (st != ST_OK)
		return st;
	image->size = q->header.size;
	image->cluster_bytes = (uint32_t)q->header.cluster_bytes;
	image->unit_bytes = (uint32_t)min_u64(q->header.cluster_bytes, IMAGE_UNIT_MAX);
	q->end = round_down(q->file->size, q->header.cluster_bytes);
	return ST_OK;
}

static void qed_close(struct image *image)
{
	two_level_free(&((struct qed_image *)image)->tables);
}

/* ---- where clusters are ---- */

bool qed_cluster_fits(const struct qed_header *h, uint64_t offset, uint64_t end)
{
	return offset % h->cluster_bytes == 0 && offset >= h->bytes &&
	       range_ok(offset, h->cluster_bytes, end);
}

bool qed_table_fits(const struct qed_header *h, uint64_t offset, uint64_t end)
{
	return offset % h->cluster_bytes == 0 && offset >= h->bytes &&
	       range_ok(offset, h->table_bytes, end);
}

enum status qed_check_table(const struct two_level *tables, uint64_t offset)
{
	const struct qed_image *q = tables->user;

	return qed_table_fits(&q->header, offset, q->end) ? ST_OK : ST_CORRUPT;
}

/* What one entry says, without its length. */
static enum status decode(const struct qed_image *q, uint64_t entry, struct block_run *ret)
{
	*ret = (struct block_run){ .state = BLOCK_STORED, .offset = entry };
	if (entry == 0 || entry == QED_ENTRY_ZERO)
		*ret = (struct block_run){ .state = entry == 0 ? BLOCK_ABSENT : BLOCK_ZERO };
	else if (!qed_cluster_fits(&q->header, entry, q->end))
		return ST_CORRUPT;
	return ST_OK;
}

/* Whether `next` is the same as `run`, or follows it in the file, `bytes` after its beginning. */
static bool continues(const struct block_run *run, const struct block_run *next, uint64_t bytes)
{
	return next->state == run->state &&
	       (run->state != BLOCK_STORED || next->offset == run->offset + bytes);
}

enum status qed_find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	struct qed_image *q = (struct qed_image *)map->image;
	uint64_t cluster = q->header.cluster_bytes, index = offset / cluster,
		 inside = offset % cluster, end = div_up(offset + len, cluster), entry, n;
	enum status st = two_level_get(&q->tables, index, &entry, &n);

	if (st == ST_OK)
		st = decode(q, entry, ret);
	if (st != ST_OK)
		return st;
	while (index + n < end) {
		struct block_run next;
		uint64_t more;

		if (two_level_get(&q->tables, index + n, &entry, &more) != ST_OK ||
		    decode(q, entry, &next) != ST_OK || !continues(ret, &next, n * cluster))
			break; /* what is wrong there fails when it is asked for */
		n += more;
	}
	ret->length = n * cluster - inside;
	ret->offset += ret->state == BLOCK_STORED ? inside : 0;
	return ST_OK;
}

static uint64_t qed_step(const struct image *image, uint64_t offset)
{
	uint64_t coverage = qed_l2_coverage(&((const struct qed_image *)image)->header);

	return coverage - offset % coverage;
}

/* ---- loading ---- */

enum status qed_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(&qed_of(blk)->map, offset, buf, len);
}

enum status qed_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return block_map_extent(&qed_of(blk)->map, offset, len, ret);
}

static enum status qed_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = qed_read,
						 .extent = qed_extent,
						 .close = image_close_blk };
	struct qed_image *q = (struct qed_image *)image;
	const struct qed_header *h = &q->header;

	image->blk.ops = &read_ops;
	q->tables = (struct two_level){
		.ops = &qed_table_ops,
		.user = q,
		.file = q->file,
		.l1_offset = h->l1_offset,
		.l1_entries = div_up(h->size, qed_l2_coverage(h)),
		.l2_entries = qed_table_entries(h),
	};
	q->map = (struct block_map){
		.ops = &qed_block_ops,
		.file = q->file,
		.image = image,
		.size = h->size,
		.block_bytes = image->cluster_bytes,
		.zero_state = true,
	};
	if (two_level_init(&q->tables) != ST_OK)
		return fail_no_memory(err);
	return image->mode == OPEN_WRITE ? qed_load_for_writing(q, err) : ST_OK;
}

const struct image_format format_qed = {
	.name = "qed",
	.summary = "an older format of QEMU: grows with its contents, backing files",
	.instance_bytes = sizeof(struct qed_image),
	.probe = qed_probe,
	.open = qed_open,
	.close = qed_close,
	.load = qed_load,
	.step = qed_step,
	.create = {
		.options = qed_create_options,
		.backing = true,
		.plan = qed_plan,
		.measure = qed_measure,
		.write_files = qed_write_files,
	},
	.check = {
		.check = qed_check,
		.repair = qed_repair,
	},
	.change = {
		.plan_resize = qed_plan_resize,
		.make_empty = qed_make_empty,
		.set_backing = qed_set_backing,
		.store_zeros = qed_store_zeros,
	},
};
