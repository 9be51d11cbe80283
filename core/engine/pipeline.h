/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/fetch.h"
#include "engine/workers.h"

/*
 * A ring of slots, which hold pieces of a disk on their way: the boot processor fills one after the
 * other, any processor works on them, and the boot processor takes them up in the same order.
 * Alone, it has one slot, and does one thing after the other.
 */

enum {
	PIPELINE_WORKERS_MAX = 16,
	PIPELINE_SLOTS_MAX = 2 * PIPELINE_WORKERS_MAX + 2, /* at most WORK_MAX */
};

/* What a user's own slots begin with. */
struct slot {
	struct work work;
	bool has_work;     /* for other processors; false: it is filled, and that is all */
	bool is_hard;      /* the first such work is worth that they are started */
	struct slot *next; /* of those that were given up */
};

/* What a user does with its own. */
struct slot_ops {
	struct slot *(*create)(void *user); /* NULL: no memory */
	/* what it was filled with (fetch_copy()); ST_NO_MEMORY */
	enum status (*copy)(struct slot *to, const struct slot *from);
	void (*free)(struct slot *, void *user);
};

struct pipeline {
	struct workers *workers;
	/* other processors, which was not done so far */
	bool may_start;
	size_t cluster_bytes;
	struct unpacker unpacker[PIPELINE_WORKERS_MAX + 1]; /* of each processor */
	const struct slot_ops *ops;
	void *user;
	struct slot *slot[PIPELINE_SLOTS_MAX];
	size_t n_slots;  /* as many as there was memory for */
	size_t first, n; /* of them, those on their way */
	/* processors that do not answer may still use them */
	struct slot *given_up;
};

/* What all of the work does with bytes. */
enum effort {
	EFFORT_LOOK, /* looks at each once, and that seldom to the end */
	EFFORT_SUM,  /* makes a checksum of them */
	EFFORT_PACK,
};

/*
 * Gets ready for `bytes`, with clusters of up to `cluster_bytes` to be unpacked. Other processors
 * are started at once where there is so much of the work that it takes longer than starting and
 * stopping them, or where the sources can be read by several processors (`parallel_reads`,
 * image_parallel_reads()); otherwise with the first hard work. ST_NO_MEMORY; closed on failure too.
 */
enum status pipeline_start(struct pipeline *, uint64_t bytes, size_t cluster_bytes,
			   bool parallel_reads, enum effort, struct error *);

/* How many processors there are, the boot processor among them. */
size_t pipeline_processors(const struct pipeline *);

/* Makes the slots. ST_NO_MEMORY: not even one. */
enum status pipeline_make_slots(struct pipeline *, const struct slot_ops *, void *user,
				struct error *);

/* Waits for the processors, and frees all of it. */
void pipeline_close(struct pipeline *);

/* The slot that is to be filled next. NULL: all are on their way. */
struct slot *pipeline_free_slot(const struct pipeline *);

/* That slot is on its way. ST_NO_MEMORY: it is not. */
enum status pipeline_push(struct pipeline *);

/* The first of those on their way. NULL: there is none. */
struct slot *pipeline_first(const struct pipeline *);

/*
 * Waits until the work on that one is done. Where its processor has stopped answering, the first
 * slot is a new one then, with a copy of what that was filled with, whose work was done here.
 * ST_NO_MEMORY.
 */
enum status pipeline_wait(struct pipeline *);

/* The first slot is free again. */
void pipeline_pop(struct pipeline *);
