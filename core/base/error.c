/* SPDX-License-Identifier: BSD-2-Clause */
/* Error texts, in a fixed buffer: reporting an error needs no memory. */
#include "base/error.h"

#include <stdarg.h>

#include "base/out.h"
#include "base/text.h"

void error_set(struct error *err, const char *format, ...)
{
	struct out_buffer text;
	va_list args;

	out_buffer_init(&text, err->text, sizeof err->text);
	va_start(args, format);
	out_vprintf(&text.out, format, args);
	va_end(args);
}

void error_add(struct error *err, const char *format, ...)
{
	size_t n = text_length(err->text);
	struct out_buffer text;
	va_list args;

	out_buffer_init(&text, err->text + n, sizeof err->text - n);
	va_start(args, format);
	out_vprintf(&text.out, format, args);
	va_end(args);
}
