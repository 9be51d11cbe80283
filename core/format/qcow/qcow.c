/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qcow: version 1 of QEMU's first format (block/qcow.c of QEMU; libqcow's "QCOW image file format",
 * version 1).
 *
 *   header | name of the backing file | L1 table | L2 tables and clusters of data, in the order in
 *   which they were first needed
 *
 * Entry 0 of a table: unallocated. An entry of an L2 table with bit 63 is a compressed cluster: so
 * many bytes of raw deflate as the cluster_bits below say, at the offset in the rest; they follow
 * each other byte by byte. Neither refcounts nor a cluster of zeros: what is written over stays in
 * the file as waste, and zeros over a backing file are stored.
 *
 * All that QEMU 7.2 does with these images but encryption: images with AES are described, nothing
 * else. Besides, `rebase`, and a check. Clusters and tables that do not lie in the file as a whole
 * are errors; QEMU reads zeros there. For writing, images with errors are refused, because a new
 * cluster could come to lie where an entry leads past the end of the file.
 *
 * Memory: at most 2 * TABLE_CACHE_BYTES of both tables, whatever the size of the disk. To check,
 * two bits for each cluster of the file: 64 MiB per TiB with clusters of 4 KiB.
 *
 * Write order (format/block_map.h, format/two_level.h): data, at the end of the file; flush; L2
 * tables; flush; L1 table; flush. Whenever the power goes, every table refers to what is there;
 * what nothing refers to is waste. QEMU lets the L1 table refer to a new L2 table before that is
 * zeroed, and writes data after the table. A new image: create.c. Another backing file: header.c.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow/image.h"

static int qcow_probe(const struct image_probe *probe)
{
	return bytes_from_be(probe->head, 4) == QCOW_MAGIC && bytes_from_be(probe->head + 4, 4) == 1
		       ? PROBE_CERTAIN
		       : 0;
}

static enum status qcow_open(struct image *image, struct error *err)
{
	struct qcow_image *q = (struct qcow_image *)image;
	enum status st;

	q->file = image->file[0].blk;
	st = qcow_header_read(q, err);
	if (st != ST_OK)
		return st;
	image->size = round_down(q->header.size, 512); /* QEMU counts whole sectors */
	image->cluster_bytes = image->unit_bytes = (uint32_t)qcow_cluster_bytes(&q->header);
	image->encrypted = q->header.crypt != QCOW_CRYPT_NONE;
	q->end = q->file->size;
	return ST_OK;
}

static void qcow_close(struct image *image)
{
	struct qcow_image *q = (struct qcow_image *)image;

	two_level_free(&q->tables);
	codec_close(q->codec);
	mem_free(q->packed);
}

/* ---- where clusters are ---- */

enum status qcow_check_table(const struct two_level *tables, uint64_t offset)
{
	const struct qcow_image *q = tables->user;

	return offset % QCOW_SECTOR_BYTES == 0 && offset >= QCOW_HEADER_BYTES &&
			       range_ok(offset, qcow_l2_bytes(&q->header), q->end)
		       ? ST_OK
		       : ST_CORRUPT;
}

enum status qcow_decode(const struct qcow_header *h, uint64_t entry, uint64_t end,
			struct block_run *ret)
{
	unsigned offset_bits = 63u - h->cluster_bits;

	*ret = (struct block_run){ .state = BLOCK_ABSENT };
	if (entry == 0)
		return ST_OK;
	if ((entry & QCOW_COMPRESSED) == 0) {
		ret->state = BLOCK_STORED;
		ret->offset = entry;
		return entry % QCOW_SECTOR_BYTES == 0 && range_ok(entry, qcow_cluster_bytes(h), end)
			       ? ST_OK
			       : ST_CORRUPT;
	}
	ret->state = BLOCK_PACKED;
	ret->offset = entry & ((UINT64_C(1) << offset_bits) - 1);
	ret->packed_bytes = (uint32_t)(entry >> offset_bits & (qcow_cluster_bytes(h) - 1));
	return ret->packed_bytes > 0 && ret->offset >= QCOW_HEADER_BYTES &&
			       range_ok(ret->offset, ret->packed_bytes, end)
		       ? ST_OK
		       : ST_CORRUPT;
}

/* Whether `next` is the same as `run`, or follows it in the file, `bytes` after its beginning. */
static bool continues(const struct block_run *run, const struct block_run *next, uint64_t bytes)
{
	if (run->state == BLOCK_PACKED || next->state != run->state)
		return false;
	return run->state != BLOCK_STORED || next->offset == run->offset + bytes;
}

enum status qcow_find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	struct qcow_image *q = (struct qcow_image *)map->image;
	uint64_t cluster = qcow_cluster_bytes(&q->header), index = offset / cluster,
		 inside = offset % cluster, end = div_up(offset + len, cluster), entry, n;
	enum status st = two_level_get(&q->tables, index, &entry, &n);

	if (st == ST_OK)
		st = qcow_decode(&q->header, entry, q->end, ret);
	if (st != ST_OK)
		return st;
	while (index + n < end) {
		struct block_run next;
		uint64_t more;

		if (two_level_get(&q->tables, index + n, &entry, &more) != ST_OK ||
		    qcow_decode(&q->header, entry, q->end, &next) != ST_OK ||
		    !continues(ret, &next, n * cluster))
			break; /* what is wrong there fails when it is asked for */
		n += more;
	}
	ret->length = n * cluster - inside;
	ret->offset += ret->state == BLOCK_STORED ? inside : 0;
	return ST_OK;
}

enum status qcow_unpack(struct block_map *map, uint64_t offset, const struct block_run *run,
			void *ret)
{
	struct qcow_image *q = (struct qcow_image *)map->image;
	enum status st = blk_read(q->file, run->offset, q->packed, run->packed_bytes);

	(void)offset;
	return st == ST_OK ? codec_decompress(q->codec, q->packed, run->packed_bytes, ret,
					      map->block_bytes)
			   : st;
}

/* ---- loading ---- */

enum status qcow_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(&qcow_of(blk)->map, offset, buf, len);
}

enum status qcow_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return block_map_extent(&qcow_of(blk)->map, offset, len, ret);
}

static enum status qcow_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = qcow_read,
						 .extent = qcow_extent,
						 .close = image_close_blk };
	struct qcow_image *q = (struct qcow_image *)image;
	const struct qcow_header *h = &q->header;

	if (image->encrypted)
		return fail(err, ST_UNSUPPORTED,
			    "it is encrypted (AES); efi-img cannot read encrypted images");
	image->blk.ops = &read_ops;
	image->has_packed = true;
	image->compression = CODEC_DEFLATE;
	q->tables = (struct two_level){
		.ops = &qcow_table_ops,
		.user = q,
		.file = q->file,
		.big_endian = true,
		.l1_offset = h->l1_offset,
		.l1_entries = qcow_l1_entries(h),
		.l2_entries = UINT64_C(1) << h->l2_bits,
	};
	q->map = (struct block_map){
		.ops = &qcow_block_ops,
		.file = q->file,
		.image = image,
		.size = image->size,
		.block_bytes = image->cluster_bytes,
	};
	q->codec = codec_open(CODEC_DEFLATE, CODEC_ONLY_DECOMPRESS);
	q->packed = mem_alloc(image->cluster_bytes);
	if (two_level_init(&q->tables) != ST_OK || q->codec == NULL || q->packed == NULL)
		return fail_no_memory(err);
	return image->mode == OPEN_WRITE ? qcow_load_for_writing(q, err) : ST_OK;
}

const struct image_format format_qcow = {
	.name = "qcow",
	.summary = "QEMU's first format: grows with its contents, backing files",
	.instance_bytes = sizeof(struct qcow_image),
	.probe = qcow_probe,
	.open = qcow_open,
	.close = qcow_close,
	.load = qcow_load,
	.create = {
		.options = qcow_create_options,
		.backing = true,
		.plan = qcow_plan,
		.measure = qcow_measure,
		.write_files = qcow_write_files,
	},
	.check.check = qcow_check,
	.change = {
		.make_empty = qcow_make_empty,
		.set_backing = qcow_set_backing,
		.store_zeros = qcow_store_zeros,
		.write_compressed = qcow_write_compressed,
	},
};
