/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/words.h"
#include "cli/command.h"
#include "platform/machine.h"

/*
 * A file with commands that are run one after the other: a first line "#efi-img job 1", then a
 * command in each line, as on the command line (with or without "efi-img" in front). Lines that
 * begin with # are comments. Of their own are
 *
 *     on-success poweroff|reboot|shell|wait on-failure poweroff|reboot|shell|wait exit-code
 *
 * which hold for all of the job wherever they stand. It is UTF-8, or UTF-16 with a byte-order mark,
 * as the shell's editor writes it.
 */
enum { JOB_BYTES_MAX = 64 << 10 };

struct job_line {
	unsigned number; /* in the file, from 1 on */
	struct words words;
};

struct job {
	const char *name;      /* the caller's */
	struct job_line *line; /* with commands */
	size_t n;
	enum ending on_success, on_failure;
	bool tell; /* the exit code, to platform_tell() */
};

/*
 * Takes the text apart and looks at each command and its options. With a mistake in it, *ret has no
 * commands, but all that it says of its ending. The caller frees it, on failure too. Errors:
 * ST_INVALID, with the line; ST_NO_MEMORY.
 */
enum status job_parse(const char *name, const char *text, size_t n, struct job *ret,
		      struct error *);
void job_free(struct job *);

/*
 * The text of a job file, which the caller frees with mem_free(). Errors: those of platform_open()
 * and of reading; ST_INVALID: too long.
 */
enum status job_read(const char *name, char **ret, size_t *ret_n, struct error *);

/*
 * Runs a job, with a log (session.h), until a command ends in another code than 0; of one with a
 * mistake, nothing. Returns the last exit code. What is to come then is in *ret_ending, and for the
 * caller to do, with platform_end().
 */
int job_run(const struct console *, const char *name, const char *text, size_t n,
	    enum ending *ret_ending);
