/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text into a file: collected in a buffer and appended from offset 0 on. Printing functions return
 * no status; so the first failure is kept, and all text after it is dropped.
 */
#include "blk/out_file.h"

#include "base/memory.h"
#include "base/range.h"

static void write_out(struct out_file *to)
{
	if (to->st == ST_OK)
		to->st = blk_write(to->file, to->offset, to->text, to->n);
	to->out.failed = to->st != ST_OK;
	to->offset += to->n;
	to->n = 0;
}

static void take(struct out *out, const char *bytes, size_t n)
{
	struct out_file *to = (struct out_file *)out;

	for (size_t piece; n > 0; bytes += piece, n -= piece) {
		if (to->n == sizeof to->text)
			write_out(to);
		piece = (size_t)min_u64(n, sizeof to->text - to->n);
		memcpy(to->text + to->n, bytes, piece);
		to->n += piece;
	}
}

void out_file_begin(struct out_file *to, struct blk *file)
{
	*to = (struct out_file){ .out.write = take, .file = file, .st = ST_OK };
}

enum status out_file_end(struct out_file *to)
{
	write_out(to);
	return to->st == ST_OK ? blk_flush(to->file) : to->st;
}
