/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Usage: manual shell|man
 *
 * Prints the manual of efi-img, made from the tables of its commands: as efi-img.man, which the
 * UEFI shell shows for `help efi-img` and `efi-img -?` (UEFI Shell 2.2, appendix B; UTF-16, since
 * that is what a shell must read), or as the man page efi-img.1.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "cli/command.h"
#include "cli/dispatch.h"
#include "cli/options_help.h"

static const char about[] = "disks and disk images, before any operating system";

static const char *const examples[] = {
	"list",
	"capture serial=S4X9NG0R12 fs0:\\pc.qcow2",
	"restore fs0:\\pc.qcow2 serial=S4X9NG0R12 --erase=S4X9NG0R12",
	"create -f qcow2 fs0:\\mydisk.qcow2 50G",
	"check fs0:\\mydisk.qcow2",
};

static void wrong(const char *what, const char *text)
{
	fprintf(stderr, "manual: %s: %s\n", what, text);
	exit(1);
}

/* What a command prints goes to a function, line by line. */
struct lines {
	struct out out;
	void (*line)(const char *);
	size_t n;
	char text[512];
};

static void lines_write(struct out *out, const char *bytes, size_t n)
{
	struct lines *lines = (struct lines *)out;

	for (size_t i = 0; i < n; i++) {
		if (lines->n == sizeof lines->text)
			wrong("a line is too long", bytes);
		lines->text[lines->n++] = bytes[i];
		if (bytes[i] == '\n') {
			lines->text[lines->n - 1] = '\0';
			lines->n = 0;
			lines->line(lines->text);
		}
	}
}

static void print_help(const char *about_what, void (*line)(const char *))
{
	struct lines lines = { .out = { .write = lines_write }, .line = line };
	struct console console = { .out = &lines.out, .err = &lines.out };
	char *words[] = { (char *)"help", (char *)(uintptr_t)about_what };

	if (cli_run(&console, about_what != NULL ? 2 : 1, words) != EXIT_OK)
		wrong("there is no help", about_what);
}

/* ---- efi-img.man ---- */

/* EDK2's shell cuts what it prints at once to 8000 characters. */
enum { PRINTED_MAX = 7900 };

static size_t n_printed;

static void put16(const char *text)
{
	n_printed += strlen(text);
	if (n_printed > PRINTED_MAX)
		wrong("a section is too long", text);
	for (; *text != '\0'; text++) {
		if (*text <= 0 || *text > '~')
			wrong("not ASCII", text);
		putchar(*text);
		putchar(0);
	}
}

static void line16(const char *line)
{
	/* Those are the marks of the format. */
	if (*line == '.' || *line == '#')
		wrong("a line of text may not begin like this", line);
	put16(line);
	put16("\r\n");
}

/* `alone`: it is shown by its name; otherwise behind those before it. */
static void section16(const char *name, bool alone)
{
	if (alone)
		n_printed = 0;
	put16(".SH ");
	put16(name);
	put16("\r\n");
}

static void print_shell_manual(void)
{
	fputs("\xff\xfe", stdout);
	put16(".TH efi-img 0 \"");
	put16(about);
	put16("\"\r\n");
	section16("NAME", false);
	put16("efi-img - ");
	line16(about);
	line16("");
	/* The overview has its usage, and the commands. */
	section16("SYNOPSIS", false);
	print_help(NULL, line16);
	line16("");
	section16("DESCRIPTION", false);
	line16("Each command is a section of its own: help efi-img -section convert");
	line16("Names of files are the shell's, fs0:\\dir\\a.qcow2 for example. Wherever a file");
	line16("is read, a disk can be named by what `efi-img list` shows: serial=S4X9NG0R12.");
	line16("> and | take the results; progress and errors stay on the screen. The exit code");
	line16("is in %lasterror%. Ctrl-C stops a command, and the script that it is in.");
	line16("");
	section16("EXAMPLES", false);
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		put16("  efi-img ");
		line16(examples[i]);
	}
	line16("");
	for (size_t i = 0; commands[i] != NULL; i++) {
		section16(commands[i]->name, true);
		print_help(commands[i]->name, line16);
		line16("");
	}
	section16("exit-codes", true);
	print_help("exit-codes", line16);
	line16("");
	section16("all", true);
	print_help("all", line16);
}

/* ---- efi-img.1 ---- */

/* Text as it is: '-' is a minus, which can be copied, and nothing is taken for a request. */
static void put_plain(const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '\\':
			fputs("\\e", stdout);
			break;
		case '-':
			fputs("\\-", stdout);
			break;
		case '\'':
			fputs("\\(aq", stdout);
			break;
		case '`':
			fputs("\\(ga", stdout);
			break;
		case '^':
			fputs("\\(ha", stdout);
			break;
		case '~':
			fputs("\\(ti", stdout);
			break;
		default:
			putchar(*text);
		}
}

static void line_plain(const char *line)
{
	if (*line == '.')
		fputs("\\&", stdout);
	put_plain(line);
	putchar('\n');
}

static void put_option(const struct option *option)
{
	fputs(".TP\n\\fB", stdout);
	if (option->letter != 0)
		printf("\\-%c", option->letter);
	if (option->letter != 0 && option->name != NULL)
		fputs("\\fR, \\fB", stdout);
	if (option->name != NULL) {
		fputs("\\-\\-", stdout);
		put_plain(option->name);
	}
	fputs("\\fR", stdout);
	if (option->value != NULL) {
		fputs(option->name != NULL ? "=\\fI" : " \\fI", stdout);
		put_plain(option->value);
		fputs("\\fR", stdout);
	}
	putchar('\n');
	line_plain(option->help);
}

static void put_block(const char *text, const char *before_each_line)
{
	bool begins = true;

	fputs(".nf\n", stdout);
	for (char one[2] = { *text, '\0' }; *text != '\0'; one[0] = *++text) {
		if (begins)
			put_plain(before_each_line);
		begins = *text == '\n';
		put_plain(one);
	}
	fputs(".fi\n", stdout);
}

/* A line of names of options; the blank lines between are paragraphs. */
static void line_of_others(const char *line)
{
	if (*line == '\0')
		fputs(".PP\n", stdout);
	else
		line_plain(line);
}

static void put_command(const struct command *command)
{
	struct lines others = { .out = { .write = lines_write }, .line = line_of_others };

	fputs(".SS ", stdout);
	line_plain(command->name);
	fputs(".B efi\\-img ", stdout);
	put_plain(command->name);
	putchar('\n');
	line_plain(command->usage);
	fputs(".PP\n", stdout);
	put_plain(command->name);
	fputs(": ", stdout);
	put_plain(command->summary);
	fputs(".\n", stdout);
	for (const struct option *o = command->options; o != NULL && !option_is_end(o); o++)
		if (option_is_section(o)) {
			fputs(".PP\n", stdout);
			put_plain(o->help);
			puts(":");
		} else if (option_is_explained(command->options, o)) {
			put_option(o);
		}
	options_print_others(command->options, &others.out);
	if (command->notes != NULL) {
		fputs(".PP\n", stdout);
		for (const char *p = command->notes, *end; *p != '\0'; p = end + 1) {
			char line[128];

			end = strchr(p, '\n');
			snprintf(line, sizeof line, "%.*s", (int)(end - p), p);
			if (*line == '\0')
				fputs(".PP\n", stdout);
			else
				line_plain(line);
		}
	}
	fputs(".PP\n", stdout);
	put_block(command->example, "efi-img ");
}

static void print_man_page(void)
{
	printf(".TH EFI\\-IMG 1 \"\" \"efi\\-img %s\" \"User Commands\"\n"
	       ".SH NAME\nefi\\-img \\- %s\n",
	       program_version, about);
	fputs(".SH SYNOPSIS\n.B efi\\-img\n.I COMMAND\n[OPTIONS] ...\n.SH DESCRIPTION\n", stdout);
	line_plain("efi-img works on disks and disk images as qemu-img does, with the same "
		   "commands, options, output and exit codes.");
	line_plain("It is a program for UEFI firmware, which lists, captures, restores and clones "
		   "the disks of a machine that has not booted anything.");
	line_plain("As a program for Linux, which this page comes with, it is the same but for the "
		   "names: here they are paths of files.");
	line_plain("Names like serial=S4X9NG0R12 and fs0:\\mydisk.qcow2 are those of disks and "
		   "files in firmware.");
	fputs(".PP\nEvery command has \\fB\\-h\\fR, \\fB\\-\\-help\\fR. Long options may be "
	      "abbreviated.\n.SH COMMANDS\n",
	      stdout);
	for (size_t i = 0; commands[i] != NULL; i++)
		put_command(commands[i]);
	fputs(".SH EXIT STATUS\n.nf\n", stdout);
	print_help("exit-codes", line_plain);
	fputs(".fi\n.SH SEE ALSO\n.BR qemu\\-img (1)\n", stdout);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "shell") == 0)
		print_shell_manual();
	else if (argc == 2 && strcmp(argv[1], "man") == 0)
		print_man_page();
	else
		wrong("usage", "manual shell|man");
	return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
