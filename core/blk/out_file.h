/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "blk/blk.h"

/* Text that goes into a file, from its beginning on. A failure of writing is kept until the end. */
struct out_file {
	struct out out;
	struct blk *file;
	uint64_t offset;
	enum status st;
	size_t n; /* in `text`, not written yet */
	char text[1024];
};

void out_file_begin(struct out_file *, struct blk *file);

/* All of it is on the medium. The file stays the caller's. */
enum status out_file_end(struct out_file *);
