/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/out.h"
#include "base/warnings.h"
#include "cli/events.h"

struct storage;

/* Where a command prints, and what else it is run with. All pointers are the caller's. */
struct console {
	struct out *out;  /* results */
	struct out *err;  /* errors, warnings, and progress */
	struct out *json; /* lines of JSON (session.h); never a console; NULL: nowhere */
	struct events
		*events; /* what the code that runs the command wants to know; NULL: nothing */
	/*
	 * the output is the same each time: without times, and without lines that are written over
	 */
	bool plain;
	bool progress_in_out; /* the line of -p goes to `out`, as in qemu-img; otherwise to `err` */
	/* in: the storage of the code that runs the command, NULL: none; a command gets its own */
	struct storage *storage;
	/* makes the screen wait for a key each time that it is full; NULL: it cannot */
	void (*page)(void);
};

/* Exit codes that every command shares, as in qemu-img. */
enum { EXIT_OK = 0, EXIT_ERROR = 1 };

/*
 * Prints an error or a warning to console->err, with "efi-img: " before it, and tells
 * console->events.
 */
void command_warn(const struct console *, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for the error that ends a command; returns EXIT_ERROR. */
int command_failed(const struct console *, const struct error *);

/* The same for a wrong command line: points to `help NAME` as well. */
int command_misused(const struct console *, const char *command, const struct error *);

/* The warnings of what a command calls, for command_warn(). */
struct console_warnings {
	struct warnings warnings;
	const struct console *console; /* the owner's */
};

void console_warnings_init(struct console_warnings *, const struct console *);
