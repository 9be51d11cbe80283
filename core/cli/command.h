/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/out.h"
#include "cli/options.h"
#include "format/chain.h"
#include "storage/storage.h"

/* Where a command prints. */
struct console {
	struct out *out; /* results */
	struct out *err; /* errors, progress, and what is said besides */
	/* what a program reads along (session.h), lines of JSON: a serial line; NULL: nowhere */
	struct out *events;
	/* for jobs: the same each time, without times, and lines that are written over */
	bool plain;
	bool progress_in_out; /* the line of -p goes to `out`, where qemu-img has it */
	/* of the command that runs: what its names lead to. NULL: none does */
	struct storage *storage;
	/* from now on the screen waits for a key each time that it is full; NULL: it never does */
	void (*page)(void);
};

/* Exit codes that every command shares, as in qemu-img. */
enum { EXIT_OK = 0, EXIT_ERROR = 1 };

/* What a person wants, by which `help` groups the commands. */
enum purpose { PURPOSE_PROGRAM, PURPOSE_LOOK, PURPOSE_COPY, PURPOSE_CHANGE, PURPOSE_CHECK };

/*
 * One command, in core/command/NAME.c as `const struct command command_NAME`. The list of them is
 * generated from the names of these files (COMMANDS in the Makefile).
 */
struct command {
	const char *name;
	enum purpose purpose;
	const char *summary;          /* one line for `help` */
	const char *usage;            /* the operands: "[OPTIONS] FILE [SIZE]" */
	const struct option *options; /* ends with a NULL name; NULL: none */
	/*
	 * what `help NAME` says after the options; lines of at most 79 columns, each with its '\n'
	 */
	const char *notes;
	const char *example; /* command lines without "efi-img ", each with its '\n' */
	/* Does it, with the command line taken apart (options.h); returns the exit code. */
	int (*run)(const struct console *, struct arguments *);
};

extern const struct command *const commands[]; /* sorted by name, ends with NULL */

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Writes that there is no command of that name, and which one was probably meant. */
void command_unknown(const char *name, struct error *);

/*
 * Runs one command line without the program's own name ("create", "-f", "qcow2", ...; argv[argc]
 * need not be NULL). Returns the exit code.
 */
int command_run(const struct console *, int argc, char **argv);

/*
 * Whether it is a command, with options that it has; its operands are not looked at. Errors:
 * ST_INVALID, ST_NO_MEMORY.
 */
enum status command_examine(int argc, char **argv, struct error *);

/*
 * The same as "--plain", and the words: what is printed is the same each time, as far as the
 * command goes (cli/out_plain.h).
 */
int command_run_plain(const struct console *, int argc, char **argv);

/* Prints "efi-img: " and the error's words to console->err, and returns EXIT_ERROR. */
int command_failed(const struct console *, const struct error *);

/* The same for a wrong command line: points to `help NAME` as well. */
int command_misused(const struct console *, const char *command, const struct error *);

/* Takes the options -p and -q: where the line goes that shows how far it is; NULL: nowhere. */
struct out *progress_option(const struct console *, const struct arguments *);

/*
 * Takes the option -b of commands that print much: from now on the firmware's shell waits after
 * each screenful.
 */
#define OPTION_PAGE \
	{ \
		'b', "page", NULL, "in the UEFI shell: wait for a key after each screenful" \
	}
void page_option(const struct console *, const struct arguments *);

/*
 * Takes the option --output=human|json, which several commands have: *ret_json. Errors: ST_INVALID.
 */
enum status output_style(const struct arguments *, bool *ret_json, struct error *);

/* Takes the lists of all options -o. Errors: those of create_values_parse(). */
enum status format_options(const struct arguments *, struct create_values *, struct error *);

/*
 * The options of a new image: presets, the lists of -o, and a backing file where the command has
 * options for it: `backing`, a letter ("b"; NULL: none), and -F. The caller frees *ret, on failure
 * too.
 */
enum status new_image_options(const struct arguments *, const struct image_format *,
			      const char *backing, struct create_values *ret, struct error *);

/*
 * Takes the option --split=SIZE: into files of how many bytes at most the new image goes; 0: one
 * file. `preset`: without the option, it is split where it may outgrow the largest file of its
 * volume. Errors: ST_INVALID.
 */
struct create_job;
enum status split_option(const struct arguments *, bool preset, struct create_job *,
			 struct error *);

/* How many files the image consists of that the job has created. */
unsigned split_files(const struct create_job *);

/* Says which files an image consists of, if there are several, and how to make them one. */
void split_say(const struct console *, const char *file_name, unsigned n);

/*
 * Prints the plan of --dry-run for a new image in a file, as create_prepare() has left it, which
 * ended in `st`. Takes the option --output. Returns `st`, or ST_INVALID for that option.
 */
enum status create_say_plan(const struct console *, const struct arguments *,
			    const struct create_job *, const struct chain *source, size_t n,
			    enum status st, struct error *);

/* Whether an option -o asks for the format's options to be explained. */
bool format_options_want_help(const struct arguments *);

/*
 * Takes an option that says a format ("-f"): *ret_format, NULL if it was not given. Errors:
 * ST_UNSUPPORTED.
 */
enum status format_option(const struct arguments *, const char *option,
			  const struct image_format **ret_format, struct error *);

/*
 * Opens a disk, with all that is behind it, in the format that `option` ("-f") says, otherwise
 * probed. Errors: those of chain_open_disk().
 */
enum status open_disk(const struct console *, const struct arguments *, const char *option,
		      const char *name, struct chain *ret, struct error *);

/*
 * Does a copy onto a disk or partition, or with --dry-run prints the plan of it. `create`: the
 * image that is made there, with its options (the size among them), otherwise NULL. Takes the
 * options --erase, --dry-run and --output. Errors: those of target_decide(), create_prepare() and
 * target_run().
 */
struct convert_job;
struct create_job;
struct target_job;
enum status copy_to_disk(const struct console *, const struct arguments *, struct target_job *,
			 struct convert_job *, struct create_job *create, struct error *);

/*
 * Prints the error of a copy, if it failed, and returns the exit code. `disk`: there is a disk on
 * either side.
 */
int copy_ended(const struct console *, enum status, bool disk, const struct error *);

/*
 * Checks the option -r, how many bytes may be written in a second, which has no effect here.
 * Errors: ST_INVALID.
 */
enum status rate_option(const struct arguments *, struct error *);

/*
 * Checks an option that names one of qemu-img's cache modes ("-T"), which have no effect here.
 * Errors: ST_INVALID.
 */
enum status cache_option(const struct arguments *, const char *option, struct error *);
