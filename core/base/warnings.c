/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Warnings as values: the code that finds something worth a warning does not know where it is
 * printed, logged, or sent.
 */
#include "base/warnings.h"

#include "base/out.h"

enum { TEXT_BYTES = 1024 };

void warn(struct warnings *warnings, const char *format, ...)
{
	char text[TEXT_BYTES];
	struct out_buffer buffer;
	va_list args;

	if (warnings == NULL)
		return;
	out_buffer_init(&buffer, text, sizeof text);
	va_start(args, format);
	out_vprintf(&buffer.out, format, args);
	va_end(args);
	warnings->take(warnings, text);
}
