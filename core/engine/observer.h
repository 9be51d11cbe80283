/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

/*
 * What follows a copy besides its target: the fingerprint, the manifest, the losses, the rescue map
 * and the journal. The copy reports what happens to its observers; each observer owns its state,
 * and no other code changes it. So the copy does not know which records there are, and a further
 * one needs no change of it.
 */

enum { OBSERVERS_MAX = 8, OBSERVER_RESULTS = 2 };

struct observer;

/* A range of a disk that could not be read. */
struct lost_range {
	const struct image *image; /* whose disk it is of */
	uint64_t offset, length;
	enum status why;
};

/*
 * Members that are NULL are of no interest to the observer. All but `work`: on the boot processor.
 */
struct observer_ops {
	/* What was written counts even if the copy fails: the target is flushed then, too. */
	bool keeps_partial;
	/* Before anything is written: whether the observer can do at the end what it has to. */
	enum status (*check)(const struct observer *, struct error *);
	/* The copy begins, or is resumed: the target exists. */
	void (*begin)(struct observer *);
	/*
	 * What is to be copied next, from *offset on: moves it there, and *ret_end to where that
	 * ends. False: nothing. At most one observer has it.
	 */
	bool (*next)(const struct observer *, uint64_t *offset, uint64_t *ret_end);
	/*
	 * Adds to `ret` what `n` bytes at `offset` count, which are not all zeros, of the piece
	 * that begins at `piece`. On any processor, several at a time. At most one observer has it.
	 */
	void (*work)(const struct observer *, uint64_t piece, uint64_t offset, const uint8_t *bytes,
		     size_t n, uint64_t ret[static OBSERVER_RESULTS]);
	/*
	 * Every piece, in the order of the disk, before it is written; `bytes` NULL: zeros, also
	 * such as were read.
	 * `result` is what work() has made of it.
	 */
	void (*piece)(struct observer *, uint64_t offset, const uint8_t *bytes, uint64_t n,
		      const uint64_t result[static OBSERVER_RESULTS]);
	/* After each piece, before it is written: an error, with its words, ends the copy. */
	enum status (*approve)(const struct observer *, struct error *);
	void (*lost)(struct observer *, const struct lost_range *);
	/* The target was read back as far as `end`; whether all of it is right comes at the end. */
	void (*read_back)(struct observer *, uint64_t end);
	/*
	 * Everything below `end` was written to the target, which is on its medium only after a
	 * flush. An error ends the copy: those of flushing and reading the target.
	 */
	enum status (*written)(struct observer *, uint64_t end, struct image *target);
	/* Flushing, or reading back, ended in `st`: what was written may not be on the medium. */
	void (*doubted)(struct observer *, enum status st);
	/* The copy has failed with `st`; the target is still open. */
	void (*failed)(struct observer *, enum status st, struct image *target);
	/* The copy has failed, and yet the target may begin like one that is complete. */
	void (*exposed)(struct observer *);
	/* The copy has failed, and the target has nothing below `end`, whatever was written. */
	void (*gone)(struct observer *, uint64_t end);
};

/* What the struct of every observer begins with. */
struct observer {
	const struct observer_ops *ops;
};

struct observers {
	struct observer *observer[OBSERVERS_MAX];
	size_t n;
};

/* The observer is the caller's, and has to exist as long as the list is used. */
void observers_add(struct observers *, struct observer *);

/* The one observer that has `next`, or `work`; NULL: none has. */
struct observer *observers_with_next(const struct observers *);
struct observer *observers_with_work(const struct observers *);

bool observers_keep_partial(const struct observers *);

/* Tell all observers, in the order in which they were added; the first error ends that. */
enum status observers_check(const struct observers *, struct error *);
void observers_begin(const struct observers *);
void observers_piece(const struct observers *, uint64_t offset, const uint8_t *bytes, uint64_t n,
		     const uint64_t result[static OBSERVER_RESULTS]);
enum status observers_approve(const struct observers *, struct error *);
void observers_lost(const struct observers *, const struct lost_range *);
void observers_read_back(const struct observers *, uint64_t end);
enum status observers_written(const struct observers *, uint64_t end, struct image *target);
void observers_doubted(const struct observers *, enum status st);
void observers_failed(const struct observers *, enum status st, struct image *target);
void observers_exposed(const struct observers *);
void observers_gone(const struct observers *, uint64_t end);
