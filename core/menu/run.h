/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "menu/running.h"

/* Command lines: composed, tried, and run with their output on the screen. */

enum { LINE_BYTES = 4096, TRANSCRIPT_BYTES = 24 << 10 };

/* The text of a command line without "efi-img ", quoted as for the shell (base/words.h). */
struct line {
	struct out_buffer out; /* failed: the line is longer than LINE_BYTES */
	char text[LINE_BYTES];
};

void line_begin(struct line *, const char *command);
void line_option(struct line *, const char *options); /* as it is, "-O qcow2"; "": nothing */
void line_word(struct line *, const char *word);      /* quoted where it needs that */
/* both as one word, quoted where it needs that: "--erase=", "S4" */
void line_part(struct line *, const char *before, const char *word);

/* The output of a command, shown while it runs. */
struct transcript {
	struct out out; /* first: a struct out * that comes in is a struct transcript * */
	struct ui *ui;
	struct page *page;
	struct running *running; /* the page that is shown instead once there is progress */
	uint64_t shown_ns;
	size_t head; /* bytes that always stay: the command line */
	size_t line; /* where the last line begins */
	size_t n;
	bool back;   /* the next text replaces the last line */
	bool is_cut; /* some of the output was dropped, as a note after the head says */
	char text[TRANSCRIPT_BYTES];
};

/*
 * Begins a transcript, which is shown on `page`, or as `running` once there is progress. All are
 * the caller's. Ctrl-C asks on it from here on.
 */
void transcript_begin(struct transcript *, struct ui *, struct page *, struct running *);

/* Shows it as it is now. */
void transcript_show(struct transcript *);

/* Shows the question of Ctrl-C, or removes it; as platform_cancel_ask() wants it. */
void transcript_show_question(void *transcript, bool asked);

/*
 * Runs a line with its output or its progress on the screen, and with a log. `running` has begun,
 * and knows how it went afterwards. Returns the exit code; the transcript has the command line and
 * the output. `log` gets the name of the log, "": there is none.
 */
int line_run(struct ui *, struct transcript *, struct running *, const struct line *, char *log,
	     size_t log_bytes);

/*
 * Runs a line with --dry-run added, and returns whether it is possible. The plan is in `plan`
 * (NULL: not wanted). If the command refuses, `why` is the reason, never empty, without the name
 * `about` before it; otherwise "".
 */
bool line_possible(struct line *, char *plan, size_t plan_bytes, const char *about, char *why,
		   size_t why_bytes);
