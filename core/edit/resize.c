/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Another size for the disk in an image. What has to be refused is refused by the format's
 * plan_resize before anything is written; the space for larger files is checked then.
 */
#include "edit/resize.h"

#include "base/memory.h"
#include "edit/place.h"
#include "platform/files.h"

enum status resize_check_places(const struct image *image, const uint64_t size[],
				enum prealloc prealloc, struct error *err)
{
	struct place_need *need = mem_alloc(image->n_files * sizeof *need);
	enum status st = need != NULL ? ST_OK : fail_no_memory(err);

	for (size_t i = 0; st == ST_OK && i < image->n_files; i++) {
		need[i] = (struct place_need){ .name = image->file[i].name,
					       .size = size[i],
					       .prealloc = prealloc,
					       .grows = true,
					       .old_size = image->file[i].blk->size };
		st = platform_look(need[i].name, &need[i].place, err);
		if (st == ST_OK)
			st = place_check(need, i, err);
	}
	mem_free(need);
	return st;
}

/* resize_run() once the sizes of the files have a place. */
static enum status resize(struct image *image, uint64_t size, enum prealloc prealloc,
			  uint64_t file_bytes[], struct error *err)
{
	struct error why;
	enum status st = image->format->change.plan_resize(image, size, prealloc, file_bytes, &why);

	if (st != ST_OK)
		return fail(err, st, "%s: %s", image->name, why.text);
	st = resize_check_places(image, file_bytes, prealloc, err);
	if (st != ST_OK)
		return st;
	st = blk_resize(&image->blk, size, prealloc);
	if (st != ST_OK)
		return fail(err, st, "%s: changing the size of the disk to %ju bytes: %s",
			    image->name, size, status_text(st));
	return image_flush(image, err);
}

enum status resize_run(struct image *image, uint64_t size, enum prealloc prealloc,
		       struct error *err)
{
	uint64_t *file_bytes;
	enum status st;

	if (image->format->change.plan_resize == NULL)
		return fail(err, ST_UNSUPPORTED, "%s: disks in images of format %s keep their size",
			    image->name, image->format->name);
	file_bytes = mem_alloc(image->n_files * sizeof *file_bytes);
	if (file_bytes == NULL)
		return fail_no_memory(err);
	st = resize(image, size, prealloc, file_bytes, err);
	mem_free(file_bytes);
	return st;
}
