/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Images in several files: the option --split, and what is printed about the files afterwards.
 */
#include "cli/split_option.h"

#include "base/size.h"

enum status split_option(const struct arguments *arguments, bool by_default, struct create_job *job,
			 struct error *err)
{
	job->may_split = by_default && !arguments_has(arguments, "split");
	if (!arguments_has(arguments, "split"))
		return ST_OK;
	return size_parse(arguments_value(arguments, "split"), "option --split", &job->split_bytes,
			  err);
}

/* Returns the name without volume and directories. */
static const char *base_name(const char *name)
{
	const char *ret = name;

	for (; *name != '\0'; name++)
		if (*name == '/' || *name == '\\' || *name == ':')
			ret = name + 1;
	return ret;
}

/* One word of a POSIX shell, whatever is in it. */
static void print_quoted(struct out *out, const char *text)
{
	out_text(out, "'");
	for (; *text != '\0'; text++)
		out_printf(out, *text == '\'' ? "'\\%c'" : "%c", *text);
	out_text(out, "'");
}

void split_print(const struct console *console, const char *file_name, unsigned n)
{
	const char *name = base_name(file_name);

	if (n == 1)
		return;
	out_printf(console->out, "%s is in %u files, %s, %s.001", file_name, n, name, name);
	if (n > 2)
		out_printf(console->out, " ... %s.%03u", name, n - 1);
	out_text(console->out, "; efi-img opens them as one image. To join them elsewhere: cat ");
	print_quoted(console->out, name);
	out_text(console->out, " ");
	print_quoted(console->out, name);
	out_text(console->out, ".[0-9][0-9][0-9] > whole-");
	print_quoted(console->out, name);
	out_text(console->out, "\n");
}
