/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The progress of a job, reported as values. What is shown of it - the line of -p, the steps of a
 * log, a line of JSON - is made from them by the sink (cli/progress_line.h, cli/progress_steps.h).
 */

/* A number that is not known (yet). */
#define PROGRESS_UNKNOWN UINT64_MAX

enum {
	PROGRESS_ONE_PERCENT = 100,
	PROGRESS_ALL = 100 * PROGRESS_ONE_PERCENT,
	PROGRESS_MARKS = 8,
};

/* How far a job has come at one moment. */
struct progress_event {
	bool is_end;                /* the job reports nothing more; the rest is as it was */
	uint32_t position;          /* of all phases, 0 to PROGRESS_ALL */
	const char *phase;          /* "copying", at most 9 columns, static; NULL: unnamed */
	uint64_t bytes_done, bytes; /* of this phase; bytes == 0: it is not counted */
	uint64_t total;             /* of all phases, in the unit that the job counts */
	uint64_t bytes_per_second;  /* over the last seconds, or PROGRESS_UNKNOWN */
	uint64_t seconds_left;      /* of all phases, or PROGRESS_UNKNOWN */
	uint64_t lost;              /* unreadable ranges that were skipped */
};

/* Receives the events of a job, one after the other; they are valid during the call. */
struct progress_sink {
	void (*take)(struct progress_sink *, const struct progress_event *);
};

/*
 * Counts the work of a job. Reports an event at the beginning of each phase, each time that the
 * position has moved by 1 %, each second, and at the end.
 */
struct progress {
	struct progress_sink *sink; /* set by the owner; NULL: nothing is reported */
	uint64_t total, done;       /* of all phases */
	const char *phase;
	uint64_t phase_total, phase_done;
	uint64_t lost;  /* unreadable ranges; set by whoever skips one */
	uint64_t moved; /* `done` without what was skipped */
	struct {
		uint64_t ns, moved;
		/* of the last seconds of the phase; number n_marks - 1 is the latest, modulo
		 * PROGRESS_MARKS */
	} mark[PROGRESS_MARKS];
	size_t n_marks;
	uint32_t reported; /* the position in the last event */
	uint64_t reported_ns;
	bool has_begun, has_reported;
};

/* In all functions, NULL is a progress that reports nothing. */

/* Begins a job. `total`: the sum of all phases, in any unit. Reports nothing yet. */
void progress_begin(struct progress *, uint64_t total);

/*
 * Begins a phase and reports it. `bytes`: what progress_advance() and progress_skip() will add up
 * to; 0: the phase counts no bytes. `phase` is static; NULL, with 0 bytes: a job without phases.
 */
void progress_phase(struct progress *, const char *phase, uint64_t bytes);

/* Counts `n` as done: the device has accepted it. */
void progress_advance(struct progress *, uint64_t n);

/* Counts `n` as done without work: it does not change the speed. */
void progress_skip(struct progress *, uint64_t n);

/*
 * Returns whether the user asked to stop. Reports an event if the last one is a second old. Cheap
 * enough to be called once per transfer.
 */
bool progress_cancelled(struct progress *);

/* Reports the end. Does nothing before progress_begin() and after an earlier progress_end(). */
void progress_end(struct progress *);
