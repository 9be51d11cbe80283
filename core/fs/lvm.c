/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LVM2 on one disk or partition. It divides the physical volume into extents, which belong to
 * logical volumes or to none. The map is that of these: what belongs to no volume is unused, and of
 * a volume what the file system in it does not use. A volume that has no map is used as a whole,
 * and the reason is told, while the others have theirs. What is before the first extent and after
 * the last is always used: label, metadata, boot loaders. So are the ends of each volume.
 *
 * A hibernated system in one of them needs all that is in the others.
 *
 * Only if the metadata is understood as a whole is there a map (lvm_header.c, lvm_text.c). A volume
 * that is a physical volume itself is used as a whole.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/concat.h"
#include "blk/window.h"
#include "fs/kinds.h"
#include "fs/lvm.h"

enum { UNIT_SHIFT = 12 };

/* A physical volume whose map is open. */
struct lvm {
	struct lvm_group group;
	struct blk *volume[LVM_VOLUMES];
	bool is_swap[LVM_VOLUMES];
	struct fs_map *map[LVM_VOLUMES]; /* NULL: all of it is used */
};

static bool lvm_recognise(const struct fs_view *view)
{
	return lvm_find_label(view->head) < LVM_LABELS;
}

static enum status read_group(const struct fs_view *view, struct lvm_header *header,
			      struct lvm_group *ret, struct error *why)
{
	enum status st = lvm_read_header(view->head, header, why);

	if (st == ST_OK)
		st = lvm_read_group(view->blk, header, ret, why);
	if (st == ST_OK && ret->extent_sectors % ((1 << UNIT_SHIFT) / LVM_SECTOR) != 0)
		st = fail(why, ST_UNSUPPORTED, "its extents have %ju bytes, no multiple of 4096",
			  ret->extent_sectors * LVM_SECTOR);
	return st;
}

static enum status lvm_look(const struct fs_view *view, struct fs *ret)
{
	struct lvm_group *group;
	struct lvm_header header;
	struct error why;
	enum status st;

	ret->type = "LVM";
	if (view->blk->sequential)
		return ST_OK;
	group = mem_alloc(sizeof *group);
	if (group == NULL)
		return ST_NO_MEMORY;
	st = fs_map_reason(read_group(view, &header, group, &why), &why);
	if (st == ST_UNSUPPORTED)
		fs_note(ret, "%s", why.text);
	memcpy(ret->uuid, header.disk_id, LVM_ID);
	ret->size = header.disk_bytes;
	fs_label_utf8(ret, (const uint8_t *)group->name, LVM_NAME);
	mem_free(group);
	return st == ST_UNSUPPORTED ? ST_OK : st;
}

/* ---- Volumes ---- */

/* Adds the segments of a volume, in its order, to `part`; *ret_n counts them. */
static enum status find_parts(const struct lvm *lvm, struct blk *disk, size_t volume,
			      struct concat_part *part, size_t *ret_n)
{
	const struct lvm_group *group = &lvm->group;
	uint64_t extent = group->extent_sectors * LVM_SECTOR;
	uint64_t start = group->start_sector * LVM_SECTOR, at = 0;

	*ret_n = 0;
	while (at < group->volume[volume].n_extents) {
		const struct lvm_segment *segment = group->segment;
		struct window_kind range;
		struct blk *blk;

		while (segment->volume != volume || segment->first != at)
			segment++;
		range = (struct window_kind){ .start = start + segment->at * extent,
					      .size = segment->n * extent };
		blk = window_open(disk, &range);
		if (blk == NULL)
			return ST_NO_MEMORY;
		part[(*ret_n)++] = (struct concat_part){ blk, range.size };
		at += segment->n;
	}
	return ST_OK;
}

static enum status open_volume(struct lvm *lvm, struct blk *disk, size_t volume)
{
	struct concat_part *part = mem_alloc(lvm->group.n_segments * sizeof *part);
	enum status st;
	size_t n = 0;

	if (part == NULL)
		return ST_NO_MEMORY;
	st = find_parts(lvm, disk, volume, part, &n);
	if (st == ST_OK)
		st = concat_open(part, n, &lvm->volume[volume]);
	while (st != ST_OK && n > 0)
		blk_close(part[--n].blk);
	mem_free(part);
	return st;
}

/* Fills `ret` with the volumes of the group, whose metadata has been read. */
static enum status look_at_volumes(struct lvm *lvm, struct blk *disk, struct fs_volume *ret)
{
	uint64_t extent = lvm->group.extent_sectors * LVM_SECTOR;
	enum status st = ST_OK;

	for (size_t i = 0; st != ST_NO_MEMORY && i < lvm->group.n_volumes; i++) {
		const struct lvm_volume *volume = &lvm->group.volume[i];

		memcpy(ret[i].name, volume->name, sizeof volume->name);
		ret[i].size = volume->n_extents * extent;
		ret[i].fs.type = "";
		st = open_volume(lvm, disk, i);
		if (st == ST_OK)
			st = fs_look(lvm->volume[i], &ret[i].fs);
		blk_close(lvm->volume[i]);
	}
	return st == ST_NO_MEMORY ? st : ST_OK;
}

static enum status list_volumes(struct lvm *lvm, const struct fs_view *view, struct fs_volume **ret,
				size_t *ret_n)
{
	struct lvm_header header;
	struct error why;
	enum status st = read_group(view, &header, &lvm->group, &why);

	if (st != ST_OK || lvm->group.n_volumes == 0)
		return st == ST_NO_MEMORY ? st : ST_OK;
	*ret = mem_alloc(lvm->group.n_volumes * sizeof **ret);
	st = *ret != NULL ? look_at_volumes(lvm, view->blk, *ret) : ST_NO_MEMORY;
	if (st == ST_OK) {
		*ret_n = lvm->group.n_volumes;
	} else {
		mem_free(*ret);
		*ret = NULL;
	}
	return st;
}

enum status fs_list_volumes(struct blk *blk, struct fs_volume **ret, size_t *ret_n)
{
	enum { HEAD = LVM_LABELS * LVM_SECTOR };
	struct lvm *lvm = mem_alloc(sizeof *lvm);
	uint8_t *head = io_alloc(HEAD);
	struct fs_view view = { .blk = blk, .head = head };
	enum status st = lvm != NULL && head != NULL ? ST_OK : ST_NO_MEMORY;

	*ret = NULL;
	*ret_n = 0;
	if (st == ST_OK && blk->size >= HEAD && !blk->sequential &&
	    blk_read(blk, 0, head, HEAD) == ST_OK && lvm_recognise(&view))
		st = list_volumes(lvm, &view, ret, ret_n);
	io_free(head, HEAD);
	mem_free(lvm);
	return st;
}

static void tell_all_used(const struct lvm *lvm, size_t volume, const char *type,
			  const char *reason, struct error *why)
{
	error_add(why, "%sall of its volume \"%s\" (%s) is copied: %s",
		  why->text[0] != '\0' ? "; " : "", lvm->group.volume[volume].name, type, reason);
}

/*
 * Opens the map of what is in a volume; adds the reason for having none to `why`. `all` is what is
 * known of the physical volume.
 */
static enum status map_volume(struct lvm *lvm, size_t volume, struct fs *all, struct error *why)
{
	struct error reason;
	struct fs fs;
	enum status st = fs_look(lvm->volume[volume], &fs);

	if (st == ST_OK && text_equal(fs.type, "LVM"))
		st = fail(&reason, ST_UNSUPPORTED, "volumes inside volumes are not supported");
	else if (st != ST_NO_MEMORY)
		st = fs_map_open(lvm->volume[volume], &fs, &lvm->map[volume], &reason);
	lvm->is_swap[volume] = text_equal(fs.type, FS_SWAP);
	if (st == ST_UNSUPPORTED && fs.binds != FS_BINDS_NONE)
		all->binds = fs.binds;
	if (st == ST_UNSUPPORTED && fs.binds > FS_BINDS_SWAP)
		return fail(why, st, "its volume \"%s\" (%s): %s", lvm->group.volume[volume].name,
			    fs.type, reason.text);
	if (st != ST_UNSUPPORTED || fs.type[0] == '\0')
		return st == ST_UNSUPPORTED ? ST_OK : st;
	tell_all_used(lvm, volume, fs.type, reason.text, why);
	return ST_OK;
}

/* A Linux in one of the volumes may be hibernated: swap areas are used as a whole. */
static void keep_swap(struct lvm *lvm, struct error *why)
{
	struct error reason;

	fs_need_swap(&reason);
	for (size_t i = 0; i < lvm->group.n_volumes; i++) {
		if (!lvm->is_swap[i] || lvm->map[i] == NULL)
			continue;
		fs_map_close(lvm->map[i]);
		lvm->map[i] = NULL;
		tell_all_used(lvm, i, FS_SWAP, reason.text, why);
	}
}

/* ---- The map ---- */

/* Sets what of [from, to), which begins at `bit`, is in [begin, end). */
static void set_part(uint64_t from, uint64_t to, uint64_t begin, uint64_t end, uint8_t *bits,
		     uint64_t bit)
{
	begin = max_u64(begin, from);
	end = min_u64(end, to);
	if (begin < end)
		fs_bits_set(bits, bit + ((begin - from) >> UNIT_SHIFT),
			    (end - begin) >> UNIT_SHIFT);
}

/*
 * Sets what is near the ends of a volume of `size` bytes: a target that keeps what it has would
 * keep signatures of its former contents there.
 */
static void set_ends(uint64_t from, uint64_t to, uint64_t size, uint8_t *bits, uint64_t bit)
{
	set_part(from, to, 0, FS_END_BYTES, bits, bit);
	set_part(from, to, size - min_u64(size, FS_END_BYTES), size, bits, bit);
}

/* Sets what is used of [from, to) of a volume, which begins at `bit`. */
static void load_volume(struct fs_map *map, uint64_t from, uint64_t to, uint8_t *bits, uint64_t bit)
{
	uint64_t start = from;

	if (map == NULL) {
		fs_bits_set(bits, bit, (to - from) >> UNIT_SHIFT);
		return;
	}
	while (from < to) {
		struct fs_extent extent;
		uint64_t first, end;

		fs_map_extent(map, from, &extent);
		end = min_u64(from + extent.length, to);
		first = (from - start) >> UNIT_SHIFT;
		if (extent.used)
			fs_bits_set(bits, bit + first,
				    div_up(end - start, 1 << UNIT_SHIFT) - first);
		from = end;
	}
}

static enum status lvm_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			    struct error *why)
{
	const struct lvm *lvm = map->kind_data;
	uint64_t extent = lvm->group.extent_sectors * LVM_SECTOR;
	uint64_t from = first << UNIT_SHIFT, to = (first + n) << UNIT_SHIFT;

	(void)why;
	for (size_t i = 0; i < lvm->group.n_segments; i++) {
		const struct lvm_segment *segment = &lvm->group.segment[i];
		uint64_t start = segment->at * extent, end = start + segment->n * extent;
		uint64_t in_volume = segment->first * extent - start; /* modulo 2^64 */
		uint64_t size = lvm->group.volume[segment->volume].n_extents * extent;

		start = max_u64(start, from);
		end = min_u64(end, to);
		if (start >= end)
			continue;
		load_volume(lvm->map[segment->volume], start + in_volume, end + in_volume, bits,
			    (start - from) >> UNIT_SHIFT);
		set_ends(start + in_volume, end + in_volume, size, bits,
			 (start - from) >> UNIT_SHIFT);
	}
	return ST_OK;
}

static void lvm_close(struct fs_map *map)
{
	struct lvm *lvm = map->kind_data;

	for (size_t i = 0; lvm != NULL && i < lvm->group.n_volumes; i++) {
		fs_map_close(lvm->map[i]);
		blk_close(lvm->volume[i]);
	}
}

static enum status lvm_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	struct lvm *lvm = mem_alloc(sizeof *lvm);
	struct lvm_header header;
	enum status st;

	if (lvm == NULL)
		return ST_NO_MEMORY;
	map->kind_data = lvm;
	map->close = lvm_close;
	map->load = lvm_load;
	map->shift = UNIT_SHIFT;
	st = read_group(view, &header, &lvm->group, why);
	map->start = lvm->group.start_sector * LVM_SECTOR;
	map->n_units = lvm->group.n_extents * lvm->group.extent_sectors * LVM_SECTOR >> UNIT_SHIFT;
	for (size_t i = 0; st == ST_OK && i < lvm->group.n_volumes; i++) {
		st = open_volume(lvm, view->blk, i);
		if (st == ST_OK)
			st = map_volume(lvm, i, map->fs, why);
	}
	if (st == ST_OK && map->fs->binds == FS_BINDS_SWAP)
		keep_swap(lvm, why);
	return st;
}

const struct fs_kind fs_kind_lvm = {
	.recognise = lvm_recognise,
	.look = lvm_look,
	.open = lvm_open,
};
