/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/ask.h"
#include "menu/cells.h"

/*
 * The page of a command that shows its progress: what is copied from where to where, a bar for each
 * phase, and the disk as a field of cells. It is made of the command's events, and drawn so rarely
 * that the work does not notice.
 */

#define RUNNING_TEXT "Running. Ctrl-C stops it."

enum { RUNNING_PHASES = 2, MESSAGE_BYTES = 320 };

/* A phase that counts bytes. */
struct running_phase {
	const char *name;
	uint64_t begin_ns, end_ns;   /* end_ns 0: it runs */
	struct progress_event event; /* the last one */
};

struct running {
	struct events events; /* first: a struct events * that comes in is this */
	struct ui *ui;
	const char *title, *from, *to; /* the caller's */
	struct running_phase phase[RUNNING_PHASES];
	size_t n;         /* of phases so far; 0: there is no page yet */
	const char *step; /* what runs now: the name of a phase */
	bool asked;       /* the question of Ctrl-C is shown */
	bool switch_off;  /* wanted when it is done */
	uint64_t begin_ns, shown_ns, wait_ns;
	uint64_t data_bytes, unreadable_bytes;
	char message[MESSAGE_BYTES]; /* the last one; "": none */
	struct cells cells;
};

/* `from`, `to`: words for what is read and what is written; "": nothing to name. */
void running_begin(struct running *, struct ui *, const char *title, const char *from,
		   const char *to);

/* Draws the page, which there is if `n` > 0. */
void running_draw(struct running *);

/* Takes a key that was pressed while it runs; for platform_other_keys(). */
void running_key(void *running, uint32_t key);

/* Prints seconds as "3:52" or "1:03:52". */
void print_duration(struct out *, uint64_t seconds);

/* Prints ", 148 MB/s" of bytes in nanoseconds; nothing within the first second. */
void print_rate(struct out *, uint64_t bytes, uint64_t ns);
