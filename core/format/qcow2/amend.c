/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other options for an image that there is. Each step leaves an image whose disk is as it was, or
 * has its new size:
 *
 *   1. version 3: sizes for snapshots that do not say theirs; the header
 *   2. the width of refcounts (refcount_width.c)
 *   3. feature bits, in one sector; the name of the data file (header_change.c)
 *   4. the size of the disk (resize.c)
 *   5. version 2, last, when nothing needs version 3 any more: zero clusters replaced
 *      (zero_clusters.c); the header
 */
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/image.h"

/* How the image is to be. */
struct goal {
	uint32_t version, refcount_order;
	bool lazy, raw;
	const char *data_file; /* NULL: as before */
	bool has_size;
	uint64_t size;
};

static bool is_given(const struct create_values *values, const char *name)
{
	return create_value(values, name)->text != NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : text_equal(a, b);
}

/* ---- what is wanted, and whether it can be ---- */

static enum status check_backing(const struct qcow2_image *q, const struct create_values *values,
				 struct error *err)
{
	const char *name = create_value(values, "backing_file")->text,
		   *format = create_value(values, "backing_fmt")->text;

	if ((name == NULL && format == NULL) ||
	    (same_text(name, q->image.backing_name) && same_text(format, q->image.backing_format)))
		return ST_OK;
	return fail(err, ST_UNSUPPORTED,
		    "option %s: another backing file is a matter of `efi-img rebase`; here only "
		    "both names as they are can be given",
		    name != NULL ? "backing_file" : "backing_fmt");
}

static enum status take_data_file(const struct qcow2_image *q, const struct create_values *values,
				  struct goal *goal, struct error *err)
{
	goal->data_file = create_value(values, "data_file")->text;
	if (is_given(values, "data_file_raw"))
		goal->raw = create_value(values, "data_file_raw")->on;
	if (goal->data_file != NULL && !q->has_data_file)
		return fail(err, ST_UNSUPPORTED,
			    "option data_file: the image has its data itself; convert it to get "
			    "them into a file");
	if (goal->data_file != NULL && goal->data_file[0] == '\0')
		return fail(err, ST_INVALID, "option data_file: the name is empty");
	if (goal->raw && (q->header.autoclear & QCOW2_AUTOCLEAR_RAW_DATA) == 0)
		return fail(err, ST_UNSUPPORTED,
			    "option data_file_raw: it is not known whether the data file is a raw "
			    "image of the disk; convert the image");
	return ST_OK;
}

static enum status take_goal(const struct qcow2_image *q, const struct create_values *values,
			     struct goal *ret, struct error *err)
{
	const struct qcow2_header *h = &q->header;
	enum status st = check_backing(q, values, err);

	*ret = (struct goal){
		.version = is_given(values, "compat") ? qcow2_version_option(values) : h->version,
		.refcount_order = h->refcount_order,
		.lazy = (h->compatible & QCOW2_COMPAT_LAZY_REFCOUNTS) != 0,
		.raw = (h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0,
		.has_size = is_given(values, "size"),
		.size = create_value(values, "size")->number,
	};
	if (st == ST_OK)
		st = take_data_file(q, values, ret, err);
	if (st == ST_OK && is_given(values, "refcount_bits"))
		st = qcow2_refcount_option(values, &ret->refcount_order, err);
	if (st != ST_OK)
		return st;
	if (is_given(values, "lazy_refcounts"))
		ret->lazy = create_value(values, "lazy_refcounts")->on;
	if (ret->version >= 3)
		return ST_OK;
	if (ret->refcount_order != 4)
		return fail(err, ST_UNSUPPORTED,
			    "option compat: version 2 of the format (0.10) has refcounts of 16 "
			    "bits, not of %u; %s",
			    1u << ret->refcount_order,
			    is_given(values, "refcount_bits") ? "use compat=1.1"
							      : "add refcount_bits=16");
	if (ret->lazy && is_given(values, "lazy_refcounts"))
		return fail(err, ST_UNSUPPORTED,
			    "option lazy_refcounts: version 2 of the format (0.10) does not have "
			    "it; use compat=1.1");
	return ST_OK;
}

/*
 * What version 2 cannot say; zero clusters, which can be replaced: *ret_zero is how many clusters
 * that takes, at most.
 */
static enum status plan_downgrade(struct qcow2_image *q, const struct goal *goal,
				  uint64_t *ret_zero, struct error *err)
{
	uint64_t size = goal->has_size ? goal->size : q->image.size;
	struct qcow2_survey survey;
	enum status st;

	if (q->has_data_file)
		return fail(err, ST_UNSUPPORTED,
			    "option compat: it has a data file, which version 2 of the format "
			    "(0.10) does not have");
	if (q->image.n_bitmaps > 0)
		return fail(err, ST_UNSUPPORTED,
			    "option compat: it has dirty bitmaps, which version 2 of the format "
			    "(0.10) does not have; remove them");
	if ((q->header.incompatible & ~(uint64_t)QCOW2_INCOMPAT_COMPRESSION) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "option compat: version 2 of the format (0.10) does not have its "
			    "incompatible features (0x%jx; extended L2 entries are 0x10); convert "
			    "the image",
			    q->header.incompatible);
	for (size_t i = 0; i < q->image.n_snapshots; i++) {
		if (q->snapshots[i].has_disk_bytes && q->snapshots[i].disk_bytes != size)
			return fail(err, ST_UNSUPPORTED,
				    "option compat: at the snapshot %s the disk had %ju bytes, and "
				    "in version 2 of the format (0.10) it cannot differ from that "
				    "of now, %ju; delete the snapshot",
				    q->image.snapshots[i].id, q->snapshots[i].disk_bytes, size);
		if (q->image.snapshots[i].vm_state_bytes > UINT32_MAX)
			return fail(err, ST_UNSUPPORTED,
				    "option compat: the snapshot %s has a VM state of %ju bytes, "
				    "too long for version 2 of the format (0.10); delete it",
				    q->image.snapshots[i].id, q->image.snapshots[i].vm_state_bytes);
	}
	st = qcow2_survey_zeros(q, &survey, err);
	if (st == ST_OK && survey.has_compressed &&
	    q->header.compression_type != QCOW2_COMPRESSION_ZLIB)
		return fail(err, ST_UNSUPPORTED,
			    "option compat: it has clusters that are compressed with %s, which "
			    "version 2 of the format (0.10) does not have; convert the image",
			    qcow2_compression_names[q->header.compression_type]);
	*ret_zero = q->image.backing_name != NULL ? survey.n_zero : 0;
	return st;
}

/* ---- the header ---- */

static enum status change_header(struct qcow2_image *q, uint32_t version, const char *data_file,
				 bool write, struct error *err)
{
	const struct qcow2_header_change to = { .version = version, .data_file = data_file };

	return qcow2_change_header(q, &to, write, err);
}

/* Whether all headers that there will be can be written. */
static enum status plan_headers(struct qcow2_image *q, const struct goal *goal, struct error *err)
{
	enum status st = ST_OK;

	if (goal->version != q->header.version)
		st = change_header(q, goal->version, NULL, false, err);
	if (st == ST_OK && goal->data_file != NULL)
		st = change_header(q, q->header.version, goal->data_file, false, err);
	return st;
}

static enum status change_features(struct qcow2_image *q, const struct goal *goal,
				   struct error *err)
{
	struct qcow2_header changed = q->header; /* its texts stay those of q->header */
	enum status st;

	changed.compatible &= ~(uint64_t)QCOW2_COMPAT_LAZY_REFCOUNTS;
	changed.compatible |= goal->lazy ? QCOW2_COMPAT_LAZY_REFCOUNTS : 0;
	changed.autoclear &= ~(uint64_t)QCOW2_AUTOCLEAR_RAW_DATA;
	changed.autoclear |= goal->raw ? QCOW2_AUTOCLEAR_RAW_DATA : 0;
	if (changed.compatible == q->header.compatible && changed.autoclear == q->header.autoclear)
		return ST_OK;
	st = qcow2_header_write_features(q->file, &changed);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK)
		return fail(err, st, "writing the header: %s", status_text(st));
	q->header = changed;
	return ST_OK;
}

static enum status upgrade(struct qcow2_image *q, struct error *err)
{
	enum status st = qcow2_snapshots_complete(q, err);

	if (st == ST_OK)
		st = change_header(q, 3, NULL, true, err);
	if (st == ST_OK)
		q->header.version = 3;
	return st;
}

static enum status downgrade(struct qcow2_image *q, const struct qcow2_steps *steps,
			     struct error *err)
{
	enum status st = qcow2_expand_zeros(q, steps, err);

	if (st == ST_OK)
		st = change_header(q, 2, NULL, true, err);
	if (st != ST_OK)
		return st;
	q->header.version = 2;
	q->header.incompatible = q->header.compatible = q->header.autoclear = 0;
	q->header.compression_type = QCOW2_COMPRESSION_ZLIB;
	return ST_OK;
}

enum status qcow2_plan_amend(struct image *image, const struct create_values *values,
			     uint64_t ret[], struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	uint64_t refcounts = 0, zeros = 0, bytes;
	struct goal goal;
	enum status st = take_goal(q, values, &goal, err);

	ret[0] = q->file->size;
	if (st == ST_OK && goal.has_size && goal.size == 0)
		st = fail(err, ST_INVALID, "option size: nothing would be left of the disk");
	if (st == ST_OK && goal.has_size)
		st = qcow2_plan_resize_as(image, goal.version >= 3 ? 3 : q->header.version,
					  goal.size, PREALLOC_OFF, ret, err);
	if (st == ST_OK && goal.version < q->header.version)
		st = plan_downgrade(q, &goal, &zeros, err);
	if (st == ST_OK && goal.refcount_order != q->header.refcount_order)
		st = qcow2_plan_refcount_order(q, goal.refcount_order, &refcounts, err);
	if (st == ST_OK)
		st = plan_headers(q, &goal, err);
	if (st != ST_OK)
		return st;
	/* clusters for zeros come with 16-bit refcounts */
	zeros += zeros > 0 ? div_up(zeros * 16, (uint64_t)image->cluster_bytes * 8) + 2 : 0;
	if (!mul_ok(refcounts + zeros, image->cluster_bytes, &bytes) ||
	    !add_ok(ret[0], bytes, &ret[0]))
		return fail(err, ST_TOO_LARGE, "it would be longer than any file");
	return ST_OK;
}

static enum status change_size(struct image *image, const struct goal *goal, struct error *err)
{
	enum status st = goal->has_size ? blk_resize(&image->blk, goal->size, PREALLOC_OFF) : ST_OK;

	return st == ST_OK ? ST_OK
			   : fail(err, st, "changing the size of the disk to %ju bytes: %s",
				  goal->size, status_text(st));
}

static enum status amend(struct qcow2_image *q, const struct goal *goal,
			 struct change_progress *progress, struct error *err)
{
	bool widths = goal->refcount_order != q->header.refcount_order,
	     older = goal->version < q->header.version;
	struct qcow2_steps first = { .progress = progress, .n_parts = 1u + (widths && older) },
			   last = { progress, widths && older, first.n_parts };
	enum status st = goal->version > q->header.version ? upgrade(q, err) : ST_OK;

	if (st == ST_OK && widths)
		st = qcow2_change_refcount_order(q, goal->refcount_order, &first, err);
	if (st == ST_OK && q->header.version >= 3)
		st = change_features(q, goal, err);
	if (st == ST_OK && goal->data_file != NULL)
		st = change_header(q, q->header.version, goal->data_file, true, err);
	if (st == ST_OK)
		st = change_size(&q->image, goal, err);
	return st == ST_OK && older ? downgrade(q, &last, err) : st;
}

enum status qcow2_amend(struct image *image, const struct create_values *values,
			struct change_progress *progress, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct goal goal;
	enum status st = qcow2_may_change(q, err);

	if (st == ST_OK)
		st = take_goal(q, values, &goal, err);
	return st == ST_OK ? qcow2_changed(q, amend(q, &goal, progress, err)) : st;
}
