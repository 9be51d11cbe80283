/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/tree.h"
#include "cli/command.h"

/*
 * Command lines that are run with a log, for somebody who is not at the keyboard, or who wants to
 * look it up later. What was run, on what, and how it ended is kept in a log (record/log.h) on the
 * volume that efi-img was started from, and sent to console->json. Each event is an object of JSON
 * on a line of its own (tests/schema/event.json).
 */
struct session;

/*
 * Opens a session and its log. Without a log, now or later, the session prints a warning once and
 * continues. The caller closes *ret, which is NULL on failure. Errors: ST_NO_MEMORY.
 */
enum status session_open(const struct console *, struct session **ret, struct error *);
void session_close(struct session *); /* NULL is allowed */

/*
 * Runs a command line as cli_run() does, with its output and events in the log. The log is written
 * before the command and after it, not while it runs. Returns the exit code.
 */
int session_run(struct session *, const struct console *, int argc, char **argv);

/* Returns the disks of the machine, as they were when the session was opened; never NULL. */
const struct inventory *session_inventory(const struct session *);

/* Returns the name of the text of the log, valid until the next call; NULL: there is no log. */
const char *session_log(const struct session *);

/* Prints to console->out and to the log. */
void session_print(struct session *, const struct console *, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Begins an event; the caller adds members to the tree, and sends it by session_event_end(). */
struct tree *session_event(struct session *, const char *event);
void session_event_end(struct session *, const struct console *);
