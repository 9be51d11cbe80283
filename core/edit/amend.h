/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "engine/progress.h"
#include "format/image.h"

struct amend_job {
	struct image *image;                /* loaded for writing, with its backing files */
	const struct create_values *values; /* for OPTIONS_AMEND */
	bool may_shrink;                    /* the disk may get smaller */
	struct progress_sink *progress;     /* NULL: none is reported */
};

/*
 * Gives an image other options, and has it on the medium; all of them are checked before anything
 * is written.
 */
enum status amend_run(const struct amend_job *, struct error *);
