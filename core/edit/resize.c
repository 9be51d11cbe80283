/* SPDX-License-Identifier: BSD-2-Clause */
#include "edit/resize.h"

#include "base/range.h"
#include "edit/place.h"
#include "platform/files.h"

enum status resize_check_places(const struct image *image,
				const uint64_t size[static CREATE_FILES_MAX],
				enum prealloc prealloc, struct error *err)
{
	struct place_need need[CREATE_FILES_MAX] = {
		{ .name = image->name,
		  .size = size[0],
		  .prealloc = prealloc,
		  .grows = true,
		  .old_size = image->file->size },
		{ .name = image->data_name,
		  .size = size[1],
		  .prealloc = prealloc,
		  .grows = true,
		  .old_size = image->data->size },
	};
	struct place place[CREATE_FILES_MAX];
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < CREATE_FILES_MAX && need[i].name != NULL; i++) {
		st = platform_look(need[i].name, &place[i], err);
		if (st == ST_OK)
			st = place_check(need, place, i, err);
	}
	return st;
}

enum status resize_run(struct image *image, uint64_t size, enum prealloc prealloc,
		       struct error *err)
{
	uint64_t file_bytes[CREATE_FILES_MAX] = { 0 };
	struct error why;
	enum status st;

	if (image->format->plan_resize == NULL)
		return fail(err, ST_UNSUPPORTED, "%s: disks in images of format %s keep their size",
			    image->name, image->format->name);
	st = image->format->plan_resize(image, size, prealloc, file_bytes, &why);
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
