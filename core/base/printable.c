/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes untrusted text harmless on a terminal. Removed are C0 and C1 controls, which start escape
 * sequences, and the marks, embeddings and isolates of bidirectional text (Unicode, UAX 9), which
 * could make one name look like another.
 */
#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "base/utf.h"

enum { REPLACEMENT = 0xfffd };

static const char ellipsis[] = "...";

static bool is_plain(uint32_t c)
{
	bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
	bool direction = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
			 (c >= 0x2066 && c <= 0x2069);

	return !control && !direction && c != REPLACEMENT;
}

void out_printable(struct out *out, const char *s, size_t max_columns)
{
	bool cut = utf8_columns(s) > max_columns;
	size_t n = text_length(s), room = max_columns;

	if (cut)
		room = max_columns > sizeof ellipsis - 1 ? max_columns - (sizeof ellipsis - 1) : 0;
	while (n > 0 && room-- > 0) {
		const char *start = s;

		if (is_plain(utf8_next(&s, &n)))
			out->write(out, start, (size_t)(s - start));
		else
			out_text(out, "?");
	}
	if (cut)
		out_text(out, ellipsis);
}
