/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"

/*
 * Runs one command line without the program's own name ("create", "-f", "qcow2", ...; argv[argc]
 * need not be NULL). "--plain" before the command sets console->plain. Returns the exit code.
 */
int cli_run(const struct console *, int argc, char **argv);

/*
 * Checks that a command line names a command and only options that the command has; operands are
 * not looked at. Errors: ST_INVALID, ST_NO_MEMORY.
 */
enum status cli_examine(int argc, char **argv, struct error *);
