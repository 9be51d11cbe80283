/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/warnings.h"
#include "format/image.h"

/* What a new image would take. */
struct measure_job {
	const struct image_format *format;   /* of that image */
	const struct create_values *options; /* of that format */
	uint64_t size;                       /* of its disk; bytes */
	/* the disk that would be converted to it, loaded; NULL: an empty one */
	struct image *source;
	/* of a disk or partition, only what is in use, as a capture copies it */
	bool used_only;
	struct warnings *warnings; /* of what is not known to be unused */
};

struct measure_result {
	uint64_t required_bytes; /* that and no more, once the source has been converted */
	uint64_t full_bytes;     /* when the whole disk has been written */
	bool has_bitmaps;        /* bitmaps of the source could be copied too, or a capture adds */
	uint64_t bitmaps_bytes;  /* that of what is in use, which would take this besides */
	uint64_t unused_bytes;   /* of the source, that are not in required_bytes */
};

/*
 * Reads the tables of file systems, if only what is in use counts; otherwise nothing but maps.
 * Errors: ST_UNSUPPORTED (a format that cannot measure), ST_INVALID, ST_TOO_LARGE, ST_IO,
 * ST_CORRUPT, ST_CANCELLED.
 */
enum status measure_run(const struct measure_job *, struct measure_result *ret, struct error *);
