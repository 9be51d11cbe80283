/* SPDX-License-Identifier: BSD-2-Clause */
#include "copy/joined.h"

#include "base/range.h"
#include "record/salvage.h"

struct image *joined_image(const struct convert_job *job, uint64_t *offset)
{
	size_t i = 0;

	while (*offset >= job->source[i].link[0].image->size) {
		*offset -= job->source[i].link[0].image->size;
		i++;
	}
	return job->source[i].link[0].image;
}

/*
 * What of the last answer says something of `offset` as well. What is compressed cannot be divided.
 */
static bool seen(const struct joined *disk, uint64_t offset, uint64_t len, struct disk_status *ret)
{
	uint64_t skip = offset - disk->offset;

	if (offset < disk->offset || skip >= disk->length || (skip > 0 && disk->status.compressed))
		return false;
	*ret = disk->status;
	ret->length = min_u64(len, disk->length - skip);
	ret->offset += ret->has_offset ? skip : 0;
	return true;
}

enum status joined_look(struct joined *disk, uint64_t offset, uint64_t len, uint64_t *ret_at,
			struct disk_status *ret, enum joined_kind *ret_kind, struct error *err)
{
	const struct convert_job *job = disk->job;
	uint64_t at = job->first_byte + offset;
	struct image *image = joined_image(job, &at);
	enum status st;

	if (!seen(disk, offset, len, ret)) {
		len = min_u64(len, image->size - at);
		st = job->salvage != NULL ? salvage_status(image, at, len, ret, job->progress)
					  : disk_status(image, at, len, ret);
		if (st != ST_OK)
			return fail(err, st, "%s: reading the map at offset %ju: %s", image->name,
				    at, status_text(st));
		disk->offset = offset;
		disk->length = ret->length;
		disk->status = *ret;
	}
	*ret_at = at;
	/*
	 * What the first `keep_depth` images have not allocated is left out only if the image below
	 * them decides what it is. Where there is none, or it is shorter, the disk is zeros, and
	 * the target's backing file may have something else.
	 */
	if (job->keep_depth > 0 && ret->depth >= job->keep_depth)
		*ret_kind = JOINED_SKIP;
	else
		*ret_kind = ret->zero && job->sparse_bytes > 0 ? JOINED_ZERO : JOINED_DATA;
	return ST_OK;
}
