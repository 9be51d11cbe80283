/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How large an image of a disk would be: the format knows its tables, the map of the source knows
 * how much data there is. A disk has no map: all of it is data, save what its file systems do not
 * use. Nothing is read but maps and tables, so that zeros on a disk count as data.
 */
#include "edit/measure.h"

#include "base/range.h"
#include "edit/used.h"
#include "engine/disk_map.h"
#include "platform/person.h"

/* How much of the source would be stored in blocks of `block_bytes`. */
static enum status count_data(struct image *source, uint32_t block_bytes, uint64_t *ret_bytes,
			      struct error *err)
{
	uint64_t bytes = 0;

	for (uint64_t at = 0; at < source->size;) {
		struct disk_range range;
		enum status st = platform_cancelled()
					 ? ST_CANCELLED
					 : disk_map_at(source, at, source->size - at, &range);
		uint64_t end;

		if (st != ST_OK)
			return fail(err, st, "%s: reading the map at offset %ju: %s", source->name,
				    at, status_text(st));
		end = at + range.length;
		if (range.data && !range.zero) {
			end = round_up(end, block_bytes);
			bytes += end - round_down(at, block_bytes);
		}
		at = end;
	}
	*ret_bytes = bytes;
	return ST_OK;
}

/* What the source has, without what is unused, and the bitmap that a capture makes of that. */
static enum status count_source(const struct measure_job *job, struct create_request *request,
				struct image_measure *measure, uint64_t *ret_stored,
				uint64_t *ret_unused, struct error *err)
{
	char name[USED_BITMAP_NAME_BYTES];
	const struct bitmap bitmap = { .name = name, .granularity_bytes = USED_GRANULE };
	struct image *source = job->source;
	struct used_blocks used = { 0 };
	enum status st = ST_OK;

	if (job->used_only && source->format->flat && source->file[0].blk->device != NULL)
		st = used_of_device(&used, source->storage, source->name, source, err);
	if (st == ST_OK)
		used_warn(&used, source->name, job->warnings);
	if (st == ST_OK && used_blocks_any(&used)) {
		used_blocks_name(request->size, name);
		request->bitmap = &bitmap;
		st = job->format->create.measure(request, source, measure, err);
	}
	if (st == ST_OK)
		st = count_data(source, measure->block_bytes, ret_stored, err);
	*ret_unused = used.unused_bytes;
	used_blocks_close(&used);
	return st;
}

enum status measure_run(const struct measure_job *job, struct measure_result *ret,
			struct error *err)
{
	const struct create_value *backing = create_value(job->options, "backing_file");
	struct create_request request = {
		.size = round_up(job->size, 512),
		.options = job->options,
		.backing_name = backing != NULL ? backing->text : NULL,
		.compressed = true, /* perhaps: it is not known */
	};
	struct image_measure measure;
	uint64_t stored_bytes = 0, unused_bytes = 0;
	enum status st;

	if (job->format->create.measure == NULL)
		return fail(err, ST_UNSUPPORTED, "images of format %s cannot be measured",
			    job->format->name);
	st = job->format->create.measure(&request, job->source, &measure, err);
	if (st == ST_OK && measure.block_bytes == 0)
		stored_bytes = measure.data_bytes;
	else if (st == ST_OK && job->source != NULL)
		st = count_source(job, &request, &measure, &stored_bytes, &unused_bytes, err);
	if (st != ST_OK)
		return st;
	*ret = (struct measure_result){
		.required_bytes = measure.full_bytes - measure.data_bytes + stored_bytes,
		.full_bytes = measure.full_bytes,
		.has_bitmaps = measure.has_bitmaps,
		.bitmaps_bytes = measure.bitmaps_bytes,
		.unused_bytes = unused_bytes,
	};
	return ST_OK;
}
