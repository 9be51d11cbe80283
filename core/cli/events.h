/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/out.h"
#include "engine/progress.h"

/* What a command is going to do, or why it refuses to, as it stands before the first write. */
struct plan {
	/* Prints it: text for a person, or one value of JSON. */
	void (*print)(const struct plan *, bool json, struct out *);
};

/* What has become of a part of the disk that is copied. */
enum part_state {
	PART_TO_DO, /* of each part at the beginning */
	PART_ZERO,  /* read, and all zeros */
	PART_DATA,  /* read, to be written next */
	PART_READ_BACK,
	PART_UNREADABLE,
};

/*
 * What a command tells the code that runs it (a session, the menu) while it runs, as values, so
 * that nothing has to be read out of printed text. What is passed is valid during the call. A
 * member that is NULL is not wanted.
 */
struct events {
	/* A session begins to run a command: its words, of which the first is its name. */
	void (*begin)(struct events *, int argc, char *const *argv);
	/* A command that has --dry-run has made its plan, and runs it next unless it refuses to. */
	void (*plan)(struct events *, const struct plan *);
	/*
	 * Progress, instead of the line on the console. `in_out`: where it is shown as a line, the
	 * line belongs to console->out, not to console->err.
	 */
	void (*progress)(struct events *, bool in_out, const struct progress_event *);
	/* Of a copy: part by part, after the first progress of the phase "copying". */
	void (*part)(struct events *, enum part_state, uint64_t offset, uint64_t n);
	/* An error or a warning, as it is printed to console->err, without the program's name. */
	void (*message)(struct events *, const char *text);
};
