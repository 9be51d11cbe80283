/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "blk/blk.h"

/* A sink of text that writes a file from its beginning. A failed write is reported at the end. */
struct out_file {
	struct out out;
	struct blk *file;
	uint64_t offset;
	enum status st;
	size_t n; /* bytes in `text` that are not written yet */
	char text[1024];
};

/* Starts at offset 0 of `file`, which stays the caller's and is not cut. */
void out_file_begin(struct out_file *, struct blk *file);

/* Writes the rest and flushes the file. Errors: the first one of writing; that of flushing. */
enum status out_file_end(struct out_file *);
