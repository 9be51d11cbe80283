/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/words.h"
#include "cli/command.h"
#include "disk/inventory.h"
#include "platform/machine.h"

/*
 * A script: a file with command lines that are run one after the other. Its first line is
 * "#efi-img job 1"; each further line is a command as it is typed, with or without "efi-img" before
 * it, or a comment, which begins with #. Three kinds of lines are about the end of the script, and
 * may stand anywhere in it, each at most once:
 *
 *     on-success poweroff|reboot|shell|wait
 *     on-failure poweroff|reboot|shell|wait
 *     exit-code
 *
 * The text is UTF-8, or UTF-16 with a byte-order mark, as the editor of the UEFI shell writes it.
 */
enum { SCRIPT_BYTES_MAX = 64 << 10 };

/* A line with a command. */
struct script_line {
	unsigned number; /* in the file, from 1 on */
	struct words words;
};

struct script {
	const char *name;         /* the caller's */
	struct script_line *line; /* owned */
	size_t n;
	enum ending on_success, on_failure;
	bool tell; /* pass the exit code to platform_tell() */
};

/*
 * Parses all lines, and checks each command and its options. If any line is wrong, *ret has no
 * commands, but its endings, so that what was asked for after a failure can be done. The caller
 * frees *ret, on failure too. Errors: ST_INVALID, with the number of the first wrong line;
 * ST_NO_MEMORY.
 */
enum status script_parse(const char *name, const char *text, size_t n, struct script *ret,
			 struct error *);
void script_free(struct script *);

/*
 * Looks up the disks that the commands name by serial number, so that a script does not stop in the
 * middle because one is not connected. Disks only: partitions, GUIDs, and paths of partitions may
 * be made by the script itself. Where the inventory is empty, as on Linux, nothing is looked up.
 * Errors: those of selector_find(), with the number of the line.
 */
enum status script_find_disks(const struct script *, const struct inventory *, struct error *);

/*
 * Reads the text of a script, at most SCRIPT_BYTES_MAX; the caller frees it with mem_free(). *ret
 * is NULL on failure. Errors: those of platform_open() and of reading; ST_INVALID: too long.
 */
enum status script_read(const char *name, char **ret, size_t *ret_n, struct error *);

/*
 * Runs a script, with a log (session.h), up to the first command whose exit code is not 0; nothing
 * of one that has a wrong line. Returns the last exit code. *ret_ending is what the script asks for
 * next, for the caller to pass to platform_end().
 */
int script_run(const struct console *, const char *name, const char *text, size_t n,
	       enum ending *ret_ending);
