/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Repairing: what one copy of the grain tables has lost is taken from the other one.
 *
 * Grains are written before the entries that name them, and never move. So of two entries that
 * differ, a power cut has left one as it was before, and either is right. The first copy, through
 * which the disk is read, is kept wherever it makes sense, so that a repair changes nothing that
 * was seen before it; where only the second one does, that one is taken; where neither does,
 * nothing is changed, because nothing is known; nor is an extent whose tables do not all have their
 * own places (tables.c).
 *
 * Write order: the tables, a flush, and then the note that the image was not closed cleanly goes.
 */
#include "format/vmdk/image.h"
#include "platform/person.h"

static bool is_sound(const struct vmdk_extent *extent, uint32_t entry)
{
	struct block_run run;

	return vmdk_entry_state(extent, entry, &run) == ST_OK &&
	       (run.state != BLOCK_STORED || run.offset >= extent->sparse.overhead);
}

/* The one of two entries that is right. */
static uint32_t choose(const struct vmdk_extent *extent, uint32_t entry, uint32_t copy)
{
	return is_sound(extent, entry) || !is_sound(extent, copy) ? entry : copy;
}

static enum status repair_entry(struct vmdk_extent *extent, uint64_t index, uint64_t *ret_repaired)
{
	uint32_t entry = 0, copy = 0, right;
	struct block_map *map = &extent->map;
	enum status st = vmdk_read_entry(extent, false, index, &entry);

	if (st == ST_OK)
		st = vmdk_read_entry(extent, true, index, &copy);
	if (st != ST_OK || entry == copy)
		return st;
	right = choose(extent, entry, copy);
	if (!is_sound(extent, right))
		return ST_OK;
	if (map->ops->is_full(map))
		st = table_cache_write(&extent->vmdk->tables);
	if (st == ST_OK)
		st = vmdk_set_entry(extent, index, right);
	*ret_repaired += st == ST_OK;
	return st;
}

static enum status repair_extent(struct vmdk_extent *extent, uint64_t *ret_repaired,
				 struct error *err)
{
	const struct vmdk_sparse *sparse = &extent->sparse;
	uint64_t n = sparse->n_tables * sparse->table_entries;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		uint64_t table = i / sparse->table_entries;

		if (i % sparse->table_entries == 0 && platform_cancelled())
			return fail(err, ST_CANCELLED, "stopped");
		if (extent->directory[table] == 0 || extent->redundant_directory[table] == 0) {
			i = (table + 1) * sparse->table_entries - 1;
			continue;
		}
		st = repair_entry(extent, i, ret_repaired);
	}
	if (st == ST_OK)
		st = table_cache_write(&extent->vmdk->tables);
	if (st == ST_OK)
		st = blk_flush(vmdk_file(extent));
	return st == ST_OK ? ST_OK
			   : fail(err, st, "making both copies of its grain tables alike: %s",
				  status_text(st));
}

/* Whether this program can write its tables. */
static bool is_repairable(const struct vmdk_extent *extent)
{
	return extent->kind == VMDK_SPARSE && !extent->read_only && !extent->sparse.compressed &&
	       extent->sparse.version < 3 && extent->redundant_directory != NULL &&
	       extent->sparse.table_bytes == extent->vmdk->tables.table_bytes;
}

enum status vmdk_repair_tables(struct vmdk_image *v, uint64_t *ret_repaired, struct error *err)
{
	enum status st = vmdk_prepare_maps(v, err);

	*ret_repaired = 0;
	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++) {
		uint32_t misplaced;

		if (!is_repairable(&v->extent[i]))
			continue;
		st = vmdk_find_misplaced_table(&v->extent[i], &misplaced);
		if (st != ST_OK)
			return fail_no_memory(err);
		if (misplaced == 0)
			st = repair_extent(&v->extent[i], ret_repaired, err);
	}
	return st;
}

enum status vmdk_repair(struct image *image, enum repair what, struct out *problems,
			struct check_result *ret, struct error *err)
{
	struct vmdk_image *v = vmdk_of(image);
	struct check_result before;
	uint64_t repaired;
	enum status st = vmdk_check(image, NULL, &before, err);

	if (st == ST_OK && before.corruptions + before.leaks > 0 &&
	    (what == REPAIR_ALL || before.corruptions == 0))
		st = vmdk_repair_tables(v, &repaired, err);
	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++) {
		struct vmdk_extent *extent = &v->extent[i];

		if (!extent->sparse.unclean || !is_repairable(extent))
			continue;
		st = vmdk_write_unclean(extent, false);
		if (st != ST_OK)
			return fail(err, st, "writing its header: %s", status_text(st));
		extent->sparse.unclean = false;
	}
	if (st == ST_OK)
		st = vmdk_check(image, problems, ret, err);
	if (st != ST_OK)
		return st;
	image->dirty = false;
	ret->corruptions_fixed = before.corruptions - ret->corruptions;
	ret->leaks_fixed = before.leaks - ret->leaks;
	return ST_OK;
}
