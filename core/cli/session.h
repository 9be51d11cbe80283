/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/tree.h"
#include "cli/command.h"

/*
 * Command lines that are run one after the other for somebody who is not at the keyboard, or wants
 * to look it up later. What was run, on what, and how it ended is kept in a log (record/log.h) on
 * the volume that efi-img was started from, and sent to console->events. Each event is an object of
 * JSON on a line of its own; tests/schema/event.json says what is in them.
 */
struct session;

/*
 * The caller closes it. Where there can be no log, or not any more, why is said on console->err,
 * once, and it works without one. Errors: ST_NO_MEMORY.
 */
enum status session_open(const struct console *, struct session **ret, struct error *);
void session_close(struct session *); /* NULL is allowed */

/*
 * cli_run(), with all that is printed in the log, too. The log is written before the command
 * and after it, not meanwhile.
 */
int session_run(struct session *, const struct console *, int argc, char **argv);

/* The name of the log for people; NULL: there is none. It stays until the next call. */
const char *session_log(const struct session *);

/* Prints to console->out, and to the log. */
void session_say(struct session *, const struct console *, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Begins an event, whose members the caller adds, and sends it, and writes the log. */
struct tree *session_event(struct session *, const char *event);
void session_event_end(struct session *, const struct console *);
