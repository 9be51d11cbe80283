/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "menu/ask.h"

/* Command lines: made, tried, and run as they are shown. */

enum { LINE_BYTES = 4096, TRANSCRIPT_BYTES = 24 << 10 };

/*
 * The text of a command line without "efi-img ", which is taken apart as the shell would
 * (base/words.h).
 */
struct line {
	struct out_buffer out; /* failed: it is longer than anybody could read */
	char text[LINE_BYTES];
};

void line_begin(struct line *, const char *command);
void line_option(struct line *, const char *options); /* as they are, "-O qcow2"; "" is nothing */
void line_word(struct line *, const char *word);      /* with quotation marks where it needs them */
/* the same of both together: "--erase=", "S4" */
void line_part(struct line *, const char *before, const char *word);

/* What a command has printed, on the screen while it does so. */
struct transcript {
	struct out out; /* first: a struct out * that comes in is a struct transcript * */
	struct ui *ui;
	struct page *page;
	uint64_t shown_ns;
	size_t head; /* bytes that always stay */
	size_t line; /* where the last line begins */
	size_t n;
	bool back;   /* the line is to be written over */
	bool is_cut; /* some of it was left out, which the head says */
	char text[TRANSCRIPT_BYTES];
};

/*
 * Runs a line in sight of the person, with a log. Returns its exit code; what was printed is in the
 * transcript, behind the command line itself. `log` gets the name of the log, "": there is none.
 */
int line_run(struct ui *, struct transcript *, const char *title, const struct line *, char *log,
	     size_t log_bytes);

/*
 * Runs a line with --dry-run behind it, and keeps what it says: the plan in `plan` (NULL: nobody
 * wants it), and if it is refused the reason in `why`, never empty, without the name `about` before
 * it.
 */
bool line_possible(struct line *, char *plan, size_t plan_bytes, const char *about, char *why,
		   size_t why_bytes);
