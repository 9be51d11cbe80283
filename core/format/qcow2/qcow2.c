/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * qcow2, versions 2 and 3 (docs/interop/qcow2.txt of QEMU 7.2).
 *
 * All that QEMU 7.2 does with them, but for encryption: encrypted images are described, nothing
 * else. Refused: incompatible features that the specification does not have.
 *
 * Memory: to describe, the snapshot table and the bitmap directory. To read, the L1 table (128 KiB
 * per TiB with clusters of 64 KiB), TABLE_CACHE_BYTES of L2 tables, and three clusters. To write,
 * as much again of refcount blocks, and of bitmaps where there are any. Write order of a new image:
 * create.c.
 */
#include "format/qcow2/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "platform/path.h"

static const struct qcow2_image *const_qcow2(const struct image *image)
{
	return (const struct qcow2_image *)image;
}

static struct qcow2_image *qcow2_of(struct image *image)
{
	return (struct qcow2_image *)image;
}

static int qcow2_probe(const struct image_probe *probe)
{
	uint64_t version = bytes_from_be(probe->head + 4, 4);

	return bytes_from_be(probe->head, 4) == QCOW2_MAGIC && version >= 2 ? PROBE_CERTAIN : 0;
}

static enum status qcow2_open(struct image *image, struct error *err)
{
	struct qcow2_image *q = qcow2_of(image);
	struct qcow2_header *header = &q->header;
	enum status st;

	q->file = image->file[0].blk;
	st = qcow2_header_read(q->file, header, err);
	if (st != ST_OK)
		return st;
	image->size = round_down(header->size, 512); /* QEMU counts whole sectors */
	image->cluster_bytes = image->unit_bytes = (uint32_t)qcow2_cluster_bytes(header);
	image->encrypted = header->crypt_method != QCOW2_CRYPT_NONE;
	image->dirty = (header->incompatible & QCOW2_INCOMPAT_DIRTY) != 0;
	image->backing_name = header->backing_name;
	image->backing_format = header->backing_format;
	header->backing_name = header->backing_format = NULL; /* the image's from here on */
	q->has_data_file = (header->incompatible & QCOW2_INCOMPAT_DATA_FILE) != 0;
	if (q->has_data_file) {
		image->file[0].data_bytes = 0;
		if (header->data_file != NULL)
			st = image_add_file(image, path_relative_to(image->name, header->data_file),
					    0, UINT64_MAX, err);
	}
	if (st == ST_OK)
		st = qcow2_snapshots_read(q, err);
	if (st == ST_OK)
		st = qcow2_bitmaps_read(q, err);
	if (st == ST_OK && header->crypt_method == QCOW2_CRYPT_LUKS)
		st = qcow2_luks_read(q->file, header, &q->luks, err);
	return st;
}

static void qcow2_close(struct image *image)
{
	struct qcow2_image *q = qcow2_of(image);

	qcow2_unload(q);
	mem_free(q->bitmaps);
	qcow2_header_free(&q->header);
}

static void describe_bitmaps(const struct qcow2_image *q, struct tree *tree)
{
	tree_array(tree, "bitmaps");
	for (size_t i = 0; i < q->image.n_bitmaps; i++) {
		tree_object(tree, NULL);
		tree_array(tree, "flags");
		if (q->image.bitmaps[i].in_use)
			tree_text(tree, NULL, "in-use");
		if (q->image.bitmaps[i].automatic)
			tree_text(tree, NULL, "auto");
		tree_end(tree);
		tree_text(tree, "name", q->image.bitmaps[i].name);
		tree_number(tree, "granularity", q->image.bitmaps[i].granularity_bytes);
		tree_end(tree);
	}
	tree_end(tree);
}

static void describe_encryption(const struct qcow2_image *q, struct tree *tree)
{
	tree_object(tree, "encrypt");
	if (q->header.crypt_method == QCOW2_CRYPT_LUKS)
		qcow2_luks_describe(&q->luks, tree);
	else
		tree_text(tree, "format", "aes");
	tree_end(tree);
}

static void qcow2_describe(const struct image *image, struct tree *tree)
{
	const struct qcow2_image *q = const_qcow2(image);
	const struct qcow2_header *h = &q->header;
	bool v3 = h->version >= 3;

	tree_text(tree, "compat", v3 ? "1.1" : "0.10");
	tree_text(tree, "compression-type", qcow2_compression_names[h->compression_type]);
	if (v3)
		tree_bool(tree, "lazy-refcounts",
			  (h->compatible & QCOW2_COMPAT_LAZY_REFCOUNTS) != 0);
	if (q->image.n_bitmaps > 0)
		describe_bitmaps(q, tree);
	tree_number(tree, "refcount-bits", (uint64_t)1 << h->refcount_order);
	if (h->data_file != NULL)
		tree_text(tree, "data-file", h->data_file);
	if (h->crypt_method != QCOW2_CRYPT_NONE)
		describe_encryption(q, tree);
	if ((h->incompatible & QCOW2_INCOMPAT_DATA_FILE) != 0)
		tree_bool(tree, "data-file-raw", (h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0);
	if (v3) {
		tree_bool(tree, "corrupt", (h->incompatible & QCOW2_INCOMPAT_CORRUPT) != 0);
		tree_bool(tree, "extended-l2", (h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0);
	}
}

const struct image_format format_qcow2 = {
	.name = "qcow2",
	.summary = "QEMU's format: grows with its contents, backing files, snapshots",
	.other_files = ROLE_DATA_FILE,
	.instance_bytes = sizeof(struct qcow2_image),
	.probe = qcow2_probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.load = qcow2_load,
	.describe = qcow2_describe,
	.step = qcow2_step,
	.create = {
		.options = qcow2_create_options,
		.backing = true,
		.plan = qcow2_plan,
		.measure = qcow2_measure,
		.write_files = qcow2_write_files,
		.resumable = qcow2_resumable,
	},
	.check = {
		.check = qcow2_check,
		.repair = qcow2_repair,
	},
	.change = {
		.plan_resize = qcow2_plan_resize,
		.plan_amend = qcow2_plan_amend,
		.amend = qcow2_amend,
		.make_empty = qcow2_make_empty,
		.set_backing = qcow2_set_backing,
		.store_zeros = qcow2_store_zeros,
		.write_compressed = qcow2_write_compressed,
	},
	.snapshots = {
		.load = qcow2_snapshot_load,
		.create = qcow2_snapshot_create,
		.apply = qcow2_snapshot_apply,
		.remove = qcow2_snapshot_remove,
	},
	.bitmaps = {
		.check = qcow2_bitmap_check,
		.run = qcow2_bitmap_run,
		.mark = qcow2_bitmap_mark,
		.add = qcow2_bitmap_add,
		.remove = qcow2_bitmap_remove,
		.clear = qcow2_bitmap_clear,
		.set_automatic = qcow2_bitmap_set_automatic,
	},
};
