/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parallels: the format of Parallels Desktop and Virtuozzo (docs/interop/parallels.txt of QEMU).
 * Little-endian.
 *
 *   0    header of 64 bytes: magic, version 2, sizes of clusters and disk, in use or not
 *   64   the BAT: 4 bytes for each cluster of the disk, its place in the file: with the magic
 *        "WithouFreSpacExt" in clusters, with the old one, "WithoutFreeSpace", in sectors; 0: zeros
 *   data clusters, of any number of sectors
 *
 * Both kinds are read and written; new images are of the newer one, as those of QEMU. Refused by
 * name: other versions, files that were cut short, and for writing images with an extension, whose
 * dirty bitmaps would be wrong thereafter. The descriptor of a bundle (DiskDescriptor.xml, which
 * has snapshots) is not read: the image is the .hds file in it.
 *
 * Memory: up to 16 MiB of the BAT, which has 4 MiB per TiB with clusters of 1 MiB, and a bit for
 * each cluster of the file, up to 8 MiB.
 *
 * Write order: the header says "in use"; flush; the data of new clusters, each whole, after the
 * last one (format/block_map.h); flush; the BAT; flush; the header says "closed"; flush. So the
 * BAT is sound at every moment; an image that was not closed cleanly is looked through when it is
 * opened for writing, since other programs have other orders.
 */
#include "format/parallels/image.h"

#include "base/memory.h"
#include "base/range.h"

struct blk *parallels_file(const struct parallels_image *p)
{
	return p->image.file[0].blk;
}

static struct parallels_image *parallels_of(struct blk *blk)
{
	return (struct parallels_image *)blk;
}

static int parallels_probe(const struct image_probe *probe)
{
	bool is = memcmp(probe->head, parallels_magic_old, PARALLELS_MAGIC_BYTES) == 0 ||
		  memcmp(probe->head, parallels_magic_ext, PARALLELS_MAGIC_BYTES) == 0;

	return is ? PROBE_CERTAIN : 0;
}

static enum status parallels_open(struct image *image, struct error *err)
{
	struct parallels_image *p = (struct parallels_image *)image;
	enum status st = parallels_read_header(p, err);

	if (st == ST_OK && is_power_of_two(p->cluster_bytes))
		image->unit_bytes = (uint32_t)min_u64(p->cluster_bytes, 1 << 20);
	return st;
}

static void parallels_close(struct image *image)
{
	table_cache_free(&((struct parallels_image *)image)->cache);
}

/* ---- the disk ---- */

static enum status parallels_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(&parallels_of(blk)->map, offset, buf, len);
}

static enum status begin_change(struct parallels_image *p)
{
	enum status st;

	if (p->in_use)
		return ST_OK;
	st = parallels_set_in_use(p, true);
	p->in_use = st == ST_OK;
	return st;
}

static enum status parallels_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	enum status st = begin_change(parallels_of(blk));

	return st == ST_OK ? block_map_write(&parallels_of(blk)->map, offset, buf, len) : st;
}

static enum status parallels_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = begin_change(parallels_of(blk));

	return st == ST_OK ? block_map_zero(&parallels_of(blk)->map, offset, len) : st;
}

static enum status parallels_extent(struct blk *blk, uint64_t offset, uint64_t len,
				    struct extent *ret)
{
	return block_map_extent(&parallels_of(blk)->map, offset, len, ret);
}

static enum status parallels_flush(struct blk *blk)
{
	struct parallels_image *p = parallels_of(blk);
	enum status st = block_map_flush(&p->map);

	if (st != ST_OK || !p->in_use)
		return st;
	st = parallels_set_in_use(p, false);
	p->in_use = st != ST_OK;
	return st;
}

static const struct blk_ops read_ops = { .read = parallels_read,
					 .extent = parallels_extent,
					 .close = image_close_blk };
static const struct blk_ops write_ops = {
	.read = parallels_read,
	.write = parallels_write,
	.zero = parallels_zero,
	.extent = parallels_extent,
	.flush = parallels_flush,
	.close = image_close_blk,
};

/* ---- loading ---- */

static enum status load_for_writing(struct parallels_image *p,
				    const struct parallels_summary *summary, struct error *err)
{
	if (le64_get(p->header.extension_sector) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "it has an extension (in sector %ju) with a dirty bitmap or the like, "
			    "which writing would make wrong; copy its disk into a new image with "
			    "\"convert\", and write to that",
			    le64_get(p->header.extension_sector));
	if (parallels_begins_outside(p))
		return fail(err, ST_CORRUPT,
			    "its data begins at offset 0x%jx, past the end of the file (size "
			    "0x%jx); copy its disk into a new image with \"convert\", and write to "
			    "that",
			    p->data_start, parallels_file(p)->size);
	if (summary->n_misplaced > 0 || summary->n_doubled > 0)
		return fail(err, ST_CORRUPT,
			    "%ju of its clusters overlap others, so that writing to one changes "
			    "another: see \"check\"; \"check -r all\" gives each that is used "
			    "twice its own",
			    summary->n_misplaced + summary->n_doubled);
	p->end = parallels_place_from(p, summary->end);
	p->in_use = p->was_in_use; /* the BAT is sound: the next flush says so */
	return ST_OK;
}

static enum status parallels_load(struct image *image, struct error *err)
{
	struct parallels_image *p = (struct parallels_image *)image;
	bool writes = image->mode == OPEN_WRITE;
	struct problems problems = { 0 };
	struct parallels_summary summary;
	enum status st = parallels_survey(p, &problems, &summary);

	if (st != ST_OK)
		return fail(err, st, "reading its BAT: %s", status_text(st));
	if (summary.n_past_end + summary.n_cut > 0)
		return fail(err, ST_CORRUPT,
			    "%ju of its clusters are past the end of the file at %ju: it was cut "
			    "short, or its BAT is damaged; \"check\" lists them",
			    summary.n_past_end + summary.n_cut, parallels_file(p)->size);
	if (parallels_prepare(p) != ST_OK)
		return fail_no_memory(err);
	image->blk.ops = writes ? &write_ops : &read_ops;
	return writes ? load_for_writing(p, &summary, err) : ST_OK;
}

const struct image_format format_parallels = {
	.name = "parallels",
	.summary = "images of Parallels Desktop and Virtuozzo",
	.no_dirty_flag = true,
	.instance_bytes = sizeof(struct parallels_image),
	.probe = parallels_probe,
	.open = parallels_open,
	.close = parallels_close,
	.load = parallels_load,
	.create = {
		.options = parallels_create_options,
		.plan = parallels_plan,
		.measure = parallels_measure,
		.write_files = parallels_write_files,
	},
	.check = {
		.check = parallels_check,
		.repair = parallels_repair,
	},
};
