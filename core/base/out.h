/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * A sink of UTF-8 text: the console, a redirected file, memory. Writing returns no status; a sink
 * sets `failed`, which is checked at the end.
 */
struct out {
	void (*write)(struct out *, const char *bytes, size_t n);
	_Bool failed;
};

/*
 * Prints as C's printf does: %% %c %s %d %i %u %x %X with the flags '-' and '0', width, precision
 * (for %s and numbers), '*' for both, and the lengths l, ll, z, j. uint64_t is %ju, size_t %zu.
 * Other conversions end the program. Unlike there, "%s: " of a text that ends with a colon, as the
 * names of devices do, has one colon: "blk3: no medium".
 */
void out_printf(struct out *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_vprintf(struct out *, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
void out_text(struct out *, const char *s);

/* Writes `n` spaces. */
void out_spaces(struct out *, size_t n);

/*
 * A sink into an array of the caller. The text is always NUL-terminated; if it does not fit, it is
 * cut between two characters, and `failed` is set.
 */
struct out_buffer {
	struct out out;
	char *text;
	size_t capacity; /* bytes, the NUL included; at least 1 */
	size_t length;   /* bytes, without the NUL */
};

void out_buffer_init(struct out_buffer *, char *text, size_t capacity);

/* Returns what out_printf() prints. The caller frees it with mem_free(). NULL: no memory. */
char *out_new(const char *format, ...) __attribute__((format(printf, 1, 2)));
