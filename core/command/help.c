/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * help: the list of commands, and the help of each, printed from the commands' own tables, so that
 * no option can be without help.
 */
#include "base/check.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/options_help.h"
#include "cli/output_options.h"
#include "format/image.h"
#include "record/outcome.h"

static void print_group(struct out *out, enum purpose purpose, const char *title)
{
	for (size_t i = 0; commands[i] != NULL; i++)
		if (commands[i]->purpose == purpose) {
			out_printf(out, "%-8s %-9s %s\n", title, commands[i]->name,
				   commands[i]->summary);
			title = "";
		}
}

/* Fits a screen of 25 lines, with the command line before it and the prompt after it. */
static void print_overview(struct out *out)
{
	out_printf(out,
		   "efi-img %s: disks and disk images\n"
		   "Usage: efi-img COMMAND [OPTIONS] ...\n\n",
		   program_version);
	print_group(out, PURPOSE_DISKS, "Disks");
	print_group(out, PURPOSE_IMAGES, "Images");
	print_group(out, PURPOSE_PROGRAM, "Program");
	out_text(out, "More    ");
	for (size_t i = 0; commands[i] != NULL; i++)
		if (commands[i]->purpose == PURPOSE_EXPERT)
			out_printf(out, " %s", commands[i]->name);
	out_text(out, "\nhelp COMMAND explains a command, help exit-codes the exit codes; help all "
		      "lists\nall commands and image formats.\n");
}

static void print_all(struct out *out)
{
	out_text(out, "Commands:\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		out_printf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	out_text(out, "\nImage formats:\n");
	for (size_t i = 0; image_formats[i] != NULL; i++)
		out_printf(out, "  %-10s %s\n", image_formats[i]->name, image_formats[i]->summary);
}

/* Prints "  -f, --format=FMT     text", with further lines of the text aligned to its first. */
static void print_option(struct out *out, const struct option *option)
{
	const size_t column = 24;
	char text[64];
	struct out_buffer left;

	out_buffer_init(&left, text, sizeof text);
	if (option->letter != 0)
		out_printf(&left.out, "  -%c", option->letter);
	else
		out_text(&left.out, "    ");
	if (option->name != NULL)
		out_printf(&left.out, "%s--%s%s", option->letter != 0 ? ", " : "  ", option->name,
			   option->value != NULL ? "=" : "");
	if (option->value != NULL)
		out_text(&left.out, option->value);
	out_text(out, text);
	if (left.length >= column) {
		out_text(out, "\n");
		left.length = 0;
	}
	out_spaces(out, column - left.length);
	for (const char *p = option->help; *p != '\0'; p++) {
		out->write(out, p, 1);
		if (*p == '\n')
			out_spaces(out, column);
	}
	out_text(out, "\n");
}

static void print_example(struct out *out, const char *lines)
{
	out_text(out, "\nExample:\n");
	while (*lines != '\0') {
		const char *end = text_find(lines, '\n');

		CHECK(end != NULL);
		out_text(out, "  efi-img ");
		out->write(out, lines, (size_t)(end - lines) + 1);
		lines = end + 1;
	}
}

static void print_command(struct out *out, const struct command *command)
{
	static const struct option help = { .letter = 'h', .name = "help", .help = "show this" };

	out_printf(out, "Usage: efi-img %s%s%s\n\n%s: %s.\n\nOptions:\n", command->name,
		   *command->usage != '\0' ? " " : "", command->usage, command->name,
		   command->summary);
	for (const struct option *o = command->options; o != NULL && !option_is_end(o); o++)
		if (option_is_section(o))
			out_printf(out, "\n%s:\n", o->help);
		else if (option_is_explained(command->options, o))
			print_option(out, o);
	print_option(out, &help);
	options_print_others(command->options, out);
	if (command->notes != NULL)
		out_printf(out, "\n%s", command->notes);
	print_example(out, command->example);
}

static void print_exit_codes(struct out *out)
{
	out_text(out, "Exit codes of capture, restore, clone and write; of convert and dd with a "
		      "disk\nor a partition as source or target; and of bench -w:\n\n");
	outcome_print_all(out);
	out_text(out, "\nBetween files, and for all other commands, they are those of qemu-img: 0 "
		      "and 1,\n"
		      "10 with --salvage, and those in the help of check and compare.\n");
}

static const struct option options[] = {
	OPTION_PAGE,
	{ 0 },
};

static int run(const struct console *console, struct arguments *arguments)
{
	struct error err;

	page_option(console, arguments);
	if (arguments->n_operands == 0) {
		print_overview(console->out);
		return EXIT_OK;
	}
	for (size_t i = 0; i < arguments->n_operands; i++) {
		const struct command *command = command_find(arguments->operands[i]);

		if (text_equal(arguments->operands[i], "exit-codes")) {
			print_exit_codes(console->out);
			continue;
		}
		if (text_equal(arguments->operands[i], "all")) {
			print_all(console->out);
			continue;
		}
		if (command == NULL) {
			command_unknown(arguments->operands[i], &err);
			return command_misused(console, "", &err);
		}
		if (i > 0)
			out_text(console->out, "\n");
		print_command(console->out, command);
	}
	return EXIT_OK;
}

const struct command command_help = {
	.name = "help",
	.summary = "list the commands, or explain one",
	.usage = "[-b] [COMMAND | all | exit-codes]...",
	.options = options,
	.example = "help create\nhelp -b convert\n",
	.run = run,
};
