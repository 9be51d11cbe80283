/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Finds out what of a source is in use. Whatever is doubtful is in use: a wrong "unused" loses a
 * file without anybody noticing, a wrong "used" costs time.
 *
 * So nothing is left out of a disk whose partition table contradicts itself, whose partitions
 * overlap, or which begins like a file system although it has a table: of two readings of the same
 * bytes, the one that is wrong would call the other one's files unused. What is outside of
 * partitions (the MBR's gap, where boot loaders are, both copies of a GPT) belongs to nobody here,
 * and is in use. fs/ decides about the inside of a partition, unless another one needs all of it: a
 * hibernated system, or hashes of all blocks.
 *
 * What is unused near the ends of a partition is not left out; it becomes zeros (leave_out()).
 *
 * The maps of the file systems are read twice here: once to be checked, and once for the granules
 * that are unused as a whole. Those are fixed from then on. While the copy reads, the maps are
 * asked for the rest of each granule; what they can no longer tell is in use then.
 */
#include "engine/used_blocks.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/mask.h"
#include "blk/window.h"
#include "disk/part.h"
#include "engine/disk_map.h"
#include "platform/person.h"

/* between two looks at the keyboard, which cost more than an extent */
enum { EXTENTS_AT_ONCE = 1024 };

/* The words for ST_NO_MEMORY and ST_CANCELLED. */
static enum status stopped(const struct image *image, enum status st, struct error *err)
{
	if (st == ST_NO_MEMORY)
		return fail_no_memory(err);
	return fail(err, st, "%s: stopped while looking for what of it is in use", image->name);
}

/* ---- The partitions of a disk ---- */

static bool is_extended(const struct part_table *table, const struct part *part)
{
	return table->kind == PART_MBR &&
	       (part->mbr_type == 0x05 || part->mbr_type == 0x0f || part->mbr_type == 0x85);
}

/* Whether two partitions have bytes in common, but for logical ones in the extended one. */
static bool overlap(const struct part_table *table, const struct part *a, const struct part *b)
{
	if ((is_extended(table, a) && b->number > 4) || (is_extended(table, b) && a->number > 4))
		return false;
	return a->start_bytes < b->start_bytes + b->size_bytes &&
	       b->start_bytes < a->start_bytes + a->size_bytes;
}

static void find_overlap(const struct part_table *table, struct out *why)
{
	for (size_t i = 0; i < table->n; i++)
		for (size_t k = 0; k < i; k++)
			if (overlap(table, &table->part[k], &table->part[i])) {
				out_printf(why, "its partitions %u and %u overlap",
					   table->part[k].number, table->part[i].number);
				return;
			}
}

/* Writes why a disk with a table is copied as a whole. Errors: ST_NO_MEMORY. */
static enum status doubt_table(struct blk *disk, const struct part_table *table, struct out *why)
{
	struct fs fs;
	enum status st;

	if (table->note[0] != '\0' && text_length(table->note) != table->n_note_smaller) {
		out_printf(why, "its partition table is doubtful: %s", table->note);
		return ST_OK;
	}
	st = fs_look(disk, &fs);
	if (st == ST_OK && fs.type[0] != '\0')
		out_printf(why,
			   "it begins like a disk without partitions, with %s, and has a "
			   "partition table as well",
			   fs.type);
	else if (st != ST_OK && st != ST_NO_MEMORY)
		out_printf(why, "its beginning cannot be read (%s)", status_text(st));
	else if (st == ST_OK)
		find_overlap(table, why);
	return st == ST_NO_MEMORY ? st : ST_OK;
}

/* Adds a partition of a table, or the whole source. */
static void add_part(struct used_blocks *used, uint32_t number, uint64_t start, uint64_t size,
		     const struct part *part)
{
	used->part[used->n++] = (struct used_part){
		.number = number,
		.start = start,
		.size = size,
		.pieces = part != NULL && part_is_in_pieces(part) ? part->type_name : NULL,
		.fs.type = "",
	};
}

static enum status list_parts(struct used_blocks *used, const struct part_table *table,
			      const struct part *volume)
{
	used->part = mem_alloc((table->n + 1) * sizeof *used->part);
	if (used->part == NULL)
		return ST_NO_MEMORY;
	for (size_t i = 0; i < table->n; i++) {
		const struct part *part = &table->part[i];

		if (part->size_bytes > 0 && !is_extended(table, part))
			add_part(used, part->number, part->start_bytes, part->size_bytes, part);
	}
	if (table->kind == PART_NONE && used->image->size > 0)
		add_part(used, 0, 0, used->image->file[0].blk->size, volume);
	return ST_OK;
}

static enum status find_parts(struct used_blocks *used, const struct part *volume)
{
	struct blk *disk = used->image->file[0].blk;
	struct part_table table = { 0 };
	struct out_buffer why;
	struct error err;
	enum status st = volume != NULL ? ST_OK : part_table_read(disk, &table, &err);

	out_buffer_init(&why, used->why, sizeof used->why);
	if (st != ST_OK && st != ST_NO_MEMORY) {
		out_text(&why.out, err.text);
		return ST_OK;
	}
	if (disk->block_bytes > USED_GRANULE)
		out_printf(&why.out, "its blocks of %u bytes are too large for a map",
			   (unsigned)disk->block_bytes);
	if (st == ST_OK && volume == NULL && (table.kind != PART_NONE || table.note[0] != '\0'))
		st = doubt_table(disk, &table, &why.out);
	if (st == ST_OK)
		st = list_parts(used, &table, volume);
	part_table_free(&table);
	return st;
}

/* ---- What is in use in them ---- */

/*
 * Leaves [begin, end) of a partition out, but for what is near its ends. There, at fixed offsets,
 * are the signatures of other file systems, RAIDs and volumes. A target that keeps what it has
 * would keep those of its former contents, and systems would find them beside the new file system,
 * or in its place.
 */
static void leave_out(struct used_blocks *used, const struct used_part *part, uint64_t begin,
		      uint64_t end)
{
	uint64_t first = max_u64(begin, FS_END_BYTES);
	uint64_t last = min_u64(end, part->size > FS_END_BYTES ? part->size - FS_END_BYTES : 0);

	if (first < last)
		used_map_leave_out(&used->map, part->start + first, last - first);
}

/* Adds the unused granules of a partition. Its map may give one range in parts. */
static enum status add_unused(struct used_blocks *used, const struct used_part *part)
{
	uint64_t begin = 0, at = 0;

	for (unsigned n = 0; at < part->size; n++) {
		struct fs_extent extent;

		if (n % EXTENTS_AT_ONCE == 0 && platform_cancelled())
			return ST_CANCELLED;
		fs_map_extent(part->map, at, &extent);
		at += extent.length;
		if (!extent.used) {
			used->unused_bytes += extent.length;
			if (at < part->size)
				continue;
		}
		/* [begin, end) is unused */
		leave_out(used, part, begin, extent.used ? extent.offset : at);
		begin = at;
	}
	return ST_OK;
}

/*
 * A volume of a dynamic disk or an array counts its blocks from piece to piece. What of it is at
 * the start of a partition may be whole and clean, while other volumes lie between the pieces.
 */
static enum status look_at_piece(struct used_part *part)
{
	enum status st = fs_look(part->window, &part->fs);

	if (part->fs.type[0] != '\0')
		error_set(&part->why,
			  "its partition is of the type \"%s\", whose volumes may be "
			  "in several pieces",
			  part->pieces);
	return st == ST_NO_MEMORY ? st : ST_OK;
}

static enum status open_part(struct used_blocks *used, struct used_part *part)
{
	const struct window_kind range = { .start = part->start, .size = part->size };
	struct blk *disk = used->image->file[0].blk;
	enum status st = ST_OK;

	part->window = window_open(disk, &range);
	if (part->window == NULL)
		return ST_NO_MEMORY;
	if (part->pieces != NULL)
		return look_at_piece(part);
	st = fs_map_open(part->window, &part->fs, &part->map, &part->why);
	if (st != ST_UNSUPPORTED && st != ST_OK)
		return st;
	if (part->fs.type[0] == '\0')
		part->why.text[0] = '\0';
	if (part->map != NULL && used->map.unused == NULL)
		st = used_map_open(&used->map, disk->size);
	if (st == ST_TOO_LARGE) {
		used_map_close(&used->map);
		error_set(&part->why, "a disk of more than %ju bytes has no map",
			  USED_MAP_DISK_MAX);
		fs_map_close(part->map);
		part->map = NULL;
	}
	return part->map == NULL ? ST_OK : st;
}

/* Closes the maps of all, or only of swap areas, with the reason; returns how many there were. */
static size_t close_maps(struct used_blocks *used, bool of_swap)
{
	size_t n = 0;

	for (size_t i = 0; i < used->n; i++) {
		struct used_part *part = &used->part[i];

		if (part->map == NULL || (of_swap && !text_equal(part->fs.type, FS_SWAP)))
			continue;
		fs_map_close(part->map);
		part->map = NULL;
		if (of_swap)
			fs_need_swap(&part->why);
		n++;
	}
	return n;
}

/* If one part needs what the others do not use, these are in use. */
static void doubt_parts(struct used_blocks *used)
{
	const struct used_part *needs = NULL;
	struct out_buffer why;

	for (size_t i = 0; i < used->n; i++)
		if (used->part[i].fs.binds > (needs != NULL ? needs->fs.binds : FS_BINDS_NONE))
			needs = &used->part[i];
	if (needs == NULL)
		return;
	if (needs->fs.binds == FS_BINDS_SWAP) {
		(void)close_maps(used, true);
		return;
	}
	if (close_maps(used, false) == 0)
		return;
	out_buffer_init(&why, used->why, sizeof used->why);
	out_printf(&why.out, "partition %u (%s): %s", needs->number, needs->fs.type,
		   needs->why.text);
	used_map_close(&used->map);
}

/* ---- Reading it ---- */

/* As mask_kind->unused. */
static bool is_unused(void *user, uint64_t offset, uint64_t *ret_length)
{
	const struct used_blocks *used = user;
	uint64_t next = used->map.disk_bytes;

	for (size_t i = 0; i < used->n; i++) {
		const struct used_part *part = &used->part[i];
		struct fs_extent extent;

		if (part->map == NULL || part->start + part->size <= offset)
			continue;
		if (part->start > offset) {
			next = min_u64(next, part->start);
			continue;
		}
		fs_map_extent(part->map, offset - part->start, &extent);
		*ret_length = extent.length;
		return !extent.used;
	}
	*ret_length = next - offset;
	return false;
}

/* The image's first file, and what its data are in, is `blk` from here on. */
static void exchange(struct image *image, struct blk *blk)
{
	if (image->data == image->file[0].blk)
		image->data = blk;
	image->file[0].blk = blk;
	image->blk.parallel_reads = blk->parallel_reads;
}

static enum status put_mask(struct used_blocks *used,
			    bool (*unused)(void *user, uint64_t offset, uint64_t *ret_length),
			    void *user)
{
	const struct mask_kind kind = { .map = &used->map, .unused = unused, .user = user };

	used->below = used->image->file[0].blk;
	used->mask = mask_open(used->below, &kind);
	if (used->mask == NULL)
		return ST_NO_MEMORY;
	exchange(used->image, used->mask);
	return ST_OK;
}

enum status used_blocks_of_disk(struct used_blocks *used, struct image *image,
				const struct part *volume, struct error *err)
{
	enum status st;

	*used = (struct used_blocks){ .image = image, .keeps = true };
	st = find_parts(used, volume);
	for (size_t i = 0; st == ST_OK && used->why[0] == '\0' && i < used->n; i++)
		st = open_part(used, &used->part[i]);
	if (st == ST_OK && used->why[0] == '\0')
		doubt_parts(used);
	for (size_t i = 0; st == ST_OK && i < used->n; i++)
		if (used->part[i].map != NULL)
			st = add_unused(used, &used->part[i]);
	if (st == ST_OK && used->unused_bytes > 0)
		st = put_mask(used, is_unused, used);
	if (st == ST_OK)
		return ST_OK;
	used_blocks_close(used);
	return stopped(image, st, err);
}

void used_blocks_close(struct used_blocks *used)
{
	if (used->mask != NULL) {
		exchange(used->image, used->below);
		blk_close(used->mask);
	}
	for (size_t i = 0; i < used->n; i++) {
		fs_map_close(used->part[i].map);
		blk_close(used->part[i].window);
	}
	mem_free(used->part);
	used_map_close(&used->map);
	*used = (struct used_blocks){ 0 };
}

bool used_blocks_any(const struct used_blocks *used)
{
	return used->unused_bytes > 0;
}

void used_blocks_print_digest(const struct used_blocks *used, struct out *out)
{
	uint64_t size = used->map.disk_bytes;
	uint32_t crc = crc32c(UINT32_MAX, used->map.unused,
			      (size_t)div_up(div_up(size, USED_GRANULE), 8));

	out_printf(out, "%08x-%jx", ~crc, used->map.unused_bytes / USED_GRANULE);
}

/* ---- The bitmap of an image ---- */

void used_blocks_name(uint64_t size, char ret[static USED_BITMAP_NAME_BYTES])
{
	struct out_buffer out;

	out_buffer_init(&out, ret, USED_BITMAP_NAME_BYTES);
	out_printf(&out.out, USED_BITMAP "%ju", size);
}

static bool has_size(const struct image *image, size_t i)
{
	char name[USED_BITMAP_NAME_BYTES];

	used_blocks_name(image->size, name);
	return text_equal(image->bitmaps[i].name, name);
}

/* Finds that of this size, or else one of another size. */
static bool find_bitmap(const struct image *image, size_t *ret)
{
	bool found = false;

	for (size_t i = 0; image->format->bitmaps.run != NULL && i < image->n_bitmaps; i++) {
		if (!text_starts_with(image->bitmaps[i].name, USED_BITMAP))
			continue;
		if (!found || has_size(image, i))
			*ret = i;
		found = true;
	}
	return found;
}

/* Why the bitmap is not to be believed; "" if it is. */
static const char *doubt_bitmap(struct image *image, size_t i)
{
	const struct bitmap *bitmap = &image->bitmaps[i];
	struct error ignored;
	uint64_t n;
	bool set;

	if (image->backing != NULL)
		return "it has a backing file";
	if (bitmap->in_use)
		return "it was not stored when the image was closed";
	if (!bitmap->automatic)
		return "it is disabled, and may lack what was written since";
	if (!has_size(image, i))
		return "the disk has another size now";
	if (bitmap->disk_bytes != image->size ||
	    image->format->bitmaps.check(image, i, &ignored) != ST_OK ||
	    image->format->bitmaps.run(image, i, image->size - 1, &set, &n) != ST_OK)
		return "it is damaged";
	return set ? "" : "it was cleared since";
}

/*
 * Nothing is stored in a cluster of which no bit is set, unless the bitmap was cleared, replaced,
 * or disabled for a time: then it also lacks zeros that were written or copied. Data that shares a
 * cluster with a granule in use is zeros. ST_CORRUPT: something is stored.
 */
static enum status leave_out_zeros(struct used_blocks *used, uint64_t at, uint64_t end)
{
	uint64_t cluster = max_u64(used->image->cluster_bytes, 1), size = used->image->size;
	uint64_t from = round_up(at, cluster), to = end == size ? end : round_down(end, cluster);

	while (at < end) {
		struct disk_range range;
		enum status st = platform_cancelled()
					 ? ST_CANCELLED
					 : disk_map_at(used->image, at, end - at, &range);

		if (st != ST_OK)
			return st;
		if (range.zero)
			used_map_leave_out(&used->map, at, range.length);
		else if (max_u64(at, from) < min_u64(at + range.length, to))
			return ST_CORRUPT;
		at += range.length;
	}
	return ST_OK;
}

static enum status read_bitmap(struct used_blocks *used, size_t i)
{
	struct image *image = used->image;
	uint64_t n;
	bool set;
	enum status st = used_map_open(&used->map, image->size);

	for (uint64_t at = 0; st == ST_OK && at < image->size; at += n) {
		st = image->format->bitmaps.run(image, i, at, &set, &n);
		if (st == ST_OK && !set)
			st = leave_out_zeros(used, at, at + n);
	}
	return st;
}

enum status used_blocks_of_image(struct used_blocks *used, struct image *image, struct error *err)
{
	const char *doubt;
	struct out_buffer why;
	enum status st = ST_OK;
	size_t i;

	*used = (struct used_blocks){ .image = image };
	if (image->size == 0 || !find_bitmap(image, &i))
		return ST_OK;
	doubt = doubt_bitmap(image, i);
	if (doubt[0] == '\0')
		st = read_bitmap(used, i);
	if (st == ST_NO_MEMORY || st == ST_CANCELLED) {
		used_blocks_close(used);
		return stopped(image, st, err);
	}
	out_buffer_init(&why, used->why, sizeof used->why);
	if (st != ST_OK || doubt[0] != '\0') {
		used_map_close(&used->map);
		if (st == ST_CORRUPT)
			doubt = "data is stored where it has none, so that it was not kept up to "
				"date";
		out_printf(&why.out, "the bitmap of what is in use is not believed: %s",
			   doubt[0] != '\0' ? doubt : status_text(st));
		return ST_OK;
	}
	used->unused_bytes = used->map.unused_bytes;
	used->of_image = used->keeps = true;
	return ST_OK;
}

enum status used_blocks_of_ranges(struct used_blocks *used, struct image *image,
				  bool (*unused)(void *user, uint64_t offset, uint64_t *ret_length),
				  void *user, bool keeps, struct error *err)
{
	uint64_t n;
	enum status st;

	*used = (struct used_blocks){ .image = image, .of_image = true, .keeps = keeps };
	st = used_map_open(&used->map, image->size);
	for (uint64_t at = 0; st == ST_OK && at < image->size; at += n) {
		if (!unused(user, at, &n))
			continue;
		used_map_leave_out(&used->map, at, n);
		used->unused_bytes += n;
	}
	if (st == ST_OK && used->unused_bytes > 0)
		st = put_mask(used, unused, user);
	if (st == ST_OK)
		return ST_OK;
	used_blocks_close(used);
	if (st == ST_TOO_LARGE)
		return fail(err, st, "%s: a disk of more than %ju bytes has no map", image->name,
			    USED_MAP_DISK_MAX);
	return stopped(image, st, err);
}

enum status used_blocks_store(const struct used_blocks *used, struct image *target,
			      struct error *err)
{
	const struct bitmap_ops *ops = &target->format->bitmaps;
	size_t index;
	char name[USED_BITMAP_NAME_BYTES];
	struct error why;
	uint64_t n;
	enum status st;

	if (!used_blocks_any(used) || ops->add == NULL || target->size != used->map.disk_bytes)
		return ST_OK;
	if (find_bitmap(target, &index)) { /* of the run that this one resumes */
		st = ops->remove(target, index, &why);
		if (st != ST_OK)
			return fail(err, st, "%s: %s", target->name, why.text);
	}
	used_blocks_name(target->size, name);
	index = target->n_bitmaps;
	/* the version or the options of the image may allow none */
	if (ops->add(target, name, USED_GRANULE, true, false, &why) != ST_OK)
		return ST_OK;
	st = ops->add(target, name, USED_GRANULE, true, true, &why);
	if (st != ST_OK)
		return fail(err, st, "%s: %s", target->name, why.text);
	for (uint64_t at = 0; at < target->size; at += n) {
		if (used_map_unused(&used->map, at, &n))
			continue;
		st = ops->mark(target, index, at, n);
		if (st != ST_OK)
			return fail(err, st, "%s: writing the bitmap \"%s\": %s", target->name,
				    name, status_text(st));
	}
	return image_flush(target, err);
}
