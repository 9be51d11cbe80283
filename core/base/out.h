/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * A place that text (UTF-8) goes to: the console, a redirected file, memory. Writing reports no
 * status; a sink that fails remembers it in `failed`, and whoever cares looks at the end.
 */
struct out {
	void (*write)(struct out *, const char *bytes, size_t n);
	_Bool failed;
};

/*
 * printf as C has it, for %% %c %s %d %i %u %x %X with the flags '-' and '0', width, precision (%s,
 * and digits of numbers), '*' for both, and the lengths l, ll, z, j. uint64_t goes with %ju, size_t
 * with %zu. There is no floating point.
 */
void out_printf(struct out *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_vprintf(struct out *, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
void out_text(struct out *, const char *s);
void out_spaces(struct out *, size_t n);

/*
 * Text into a caller's array: always NUL-terminated, what does not fit is cut (never inside a
 * character) and `failed` set.
 */
struct out_buffer {
	struct out out;
	char *text;
	size_t capacity; /* bytes, the NUL included; at least 1 */
	size_t length;   /* bytes, without the NUL */
};

void out_buffer_init(struct out_buffer *, char *text, size_t capacity);
