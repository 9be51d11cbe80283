/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/console.h"
#include "cli/options.h"
#include "storage/storage.h"

/* What a command is for, by which `help` groups the commands. */
enum purpose {
	PURPOSE_PROGRAM,
	PURPOSE_DISKS,
	PURPOSE_IMAGES,
	PURPOSE_EXPERT, /* named in the overview, without their summaries */
};

/*
 * One command, in core/command/NAME.c as `const struct command command_NAME`. The list of commands
 * is generated from the names of these files.
 */
struct command {
	const char *name;
	enum purpose purpose;
	const char *summary;          /* one line for `help` */
	const char *usage;            /* the operands: "[OPTIONS] FILE [SIZE]" */
	bool wildcards;               /* in operands, which are files of any number */
	const struct option *options; /* ends with { 0 }; NULL: none */
	/*
	 * what `help NAME` prints after the options: lines of at most 79 columns, each with its
	 * '\n'
	 */
	const char *notes;
	const char *example; /* command lines without "efi-img ", each with its '\n' */
	/* Runs the command with its parsed command line (options.h); returns the exit code. */
	int (*run)(const struct console *, struct arguments *);
};

extern const struct command *const commands[]; /* sorted by name, ends with NULL */

/* Returns the command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Sets the error "there is no such command", with the most similar name if one is similar. */
void command_unknown(const char *name, struct error *);
