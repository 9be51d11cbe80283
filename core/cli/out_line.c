/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON on one line: drops the newlines and the indentation that a tree is printed with. Only a
 * blank at the beginning of a line is dropped, and no string of JSON contains a newline, so that
 * strings stay as they are.
 */
#include "cli/out_line.h"

static void take(struct out *out, const char *bytes, size_t n)
{
	struct out_line *line = (struct out_line *)out;

	for (size_t i = 0, piece; i < n; i += piece) {
		piece = 0;
		while (i + piece < n && bytes[i + piece] != '\n' &&
		       !(line->blank && bytes[i + piece] == ' '))
			line->blank = 0, piece++;
		if (piece > 0)
			line->to->write(line->to, bytes + i, piece);
		for (; i + piece < n &&
		       (bytes[i + piece] == '\n' || (line->blank && bytes[i + piece] == ' '));
		     piece++)
			line->blank = 1;
	}
	out->failed = line->to->failed;
}

void out_line_init(struct out_line *line, struct out *to)
{
	*line = (struct out_line){ .out.write = take, .to = to };
}
