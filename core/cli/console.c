/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Errors and warnings: printed for a person, and told as values to the code that runs the command.
 * The only place that puts the program's name before them.
 */
#include "cli/console.h"

#include <stdarg.h>

static void report(const struct console *console, const char *text)
{
	out_printf(console->err, "efi-img: %s\n", text);
	if (console->events != NULL && console->events->message != NULL)
		console->events->message(console->events, text);
}

void command_warn(const struct console *console, const char *format, ...)
{
	struct error text;
	struct out_buffer buffer;
	va_list args;

	out_buffer_init(&buffer, text.text, sizeof text.text);
	va_start(args, format);
	out_vprintf(&buffer.out, format, args);
	va_end(args);
	report(console, text.text);
}

int command_failed(const struct console *console, const struct error *err)
{
	report(console, err->text);
	return EXIT_ERROR;
}

int command_misused(const struct console *console, const char *command, const struct error *err)
{
	report(console, err->text);
	out_printf(console->err, "Try 'efi-img help%s%s' for more information.\n",
		   *command != '\0' ? " " : "", command);
	return EXIT_ERROR;
}

static void take(struct warnings *warnings, const char *text)
{
	report(((struct console_warnings *)warnings)->console, text);
}

void console_warnings_init(struct console_warnings *warnings, const struct console *console)
{
	*warnings = (struct console_warnings){ .warnings.take = take, .console = console };
}
