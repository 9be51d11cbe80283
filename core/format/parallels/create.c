/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating Parallels images: a header and an empty BAT, in whole clusters. Write order: the length
 * of the file, which is all zeros, then the header, which the caller holds back until all of the
 * rest is on the medium.
 */
#include "format/parallels/image.h"

#include "base/memory.h"
#include "base/range.h"

enum { HEADS = 16, SECTORS = 32 }; /* of the geometry */

const struct create_option parallels_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "cluster_size",
	  .type = OPTION_SIZE,
	  .default_text = "1048576",
	  .help = "size of a cluster: a multiple of 512" },
	{ 0 },
};

struct layout {
	uint64_t cluster_bytes, n_entries, data_start;
};

static enum status lay_out(const struct create_request *request, struct layout *ret,
			   struct error *err)
{
	const uint64_t sector = PARALLELS_SECTOR_BYTES;
	uint64_t wanted = create_value(request->options, "cluster_size")->number;

	if (wanted == 0 || wanted > PARALLELS_CLUSTER_SECTORS_MAX * sector)
		return fail(err, ST_INVALID,
			    "option cluster_size: clusters of %ju bytes are not possible; they "
			    "have "
			    "512 to %ju bytes",
			    wanted, PARALLELS_CLUSTER_SECTORS_MAX * sector);
	ret->cluster_bytes = round_up(wanted, sector);
	ret->n_entries = div_up(request->size, ret->cluster_bytes);
	if (ret->n_entries > PARALLELS_ENTRIES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes takes %ju clusters of %ju bytes, and there can be "
			    "%u; make the clusters larger (-o cluster_size=)",
			    request->size, ret->n_entries, ret->cluster_bytes,
			    PARALLELS_ENTRIES_MAX);
	ret->data_start = round_up(PARALLELS_HEADER_BYTES + ret->n_entries * PARALLELS_ENTRY_BYTES,
				   ret->cluster_bytes);
	if (ret->data_start / sector > UINT32_MAX)
		return fail(err, ST_TOO_LARGE, "the BAT of a disk of %ju bytes is too large",
			    request->size);
	return ST_OK;
}

enum status parallels_plan(const struct create_request *request, struct create_plan *ret,
			   struct error *err)
{
	struct layout layout;
	enum status st = lay_out(request, &layout, err);

	return st == ST_OK ? create_plan_add(ret, request->file_name, layout.data_start,
					     PREALLOC_OFF, err)
			   : st;
}

enum status parallels_measure(const struct create_request *request, const struct image *source,
			      struct image_measure *ret, struct error *err)
{
	struct layout layout;
	enum status st = lay_out(request, &layout, err);

	(void)source;
	if (st != ST_OK)
		return st;
	*ret = (struct image_measure){
		.full_bytes = layout.data_start + layout.n_entries * layout.cluster_bytes,
		.data_bytes = layout.n_entries * layout.cluster_bytes,
		.block_bytes = (uint32_t)layout.cluster_bytes,
	};
	return ST_OK;
}

enum status parallels_write_files(const struct create_request *request, struct blk *const file[],
				  struct error *err)
{
	struct parallels_header h = { .version = le32_of(PARALLELS_VERSION) };
	const uint64_t sector = PARALLELS_SECTOR_BYTES;
	struct layout layout;
	enum status st = lay_out(request, &layout, err);

	if (st != ST_OK)
		return st;
	memcpy(h.magic, parallels_magic_ext, sizeof h.magic);
	h.heads = le32_of(HEADS);
	h.cylinders = le32_of((uint32_t)(request->size / sector / HEADS / SECTORS));
	h.cluster_sectors = le32_of((uint32_t)(layout.cluster_bytes / sector));
	h.n_entries = le32_of((uint32_t)layout.n_entries);
	h.n_sectors = le64_of(request->size / sector);
	h.data_sector = le32_of((uint32_t)(layout.data_start / sector));
	st = blk_resize(file[0], layout.data_start, PREALLOC_OFF);
	if (st == ST_OK)
		st = blk_write(file[0], 0, &h, sizeof h);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}
