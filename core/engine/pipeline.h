/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/fetch.h"
#include "engine/progress.h"
#include "engine/workers.h"

/*
 * The one loop of everything that goes through a disk: fill, work, finish. The boot processor fills
 * slots with pieces of the disk, one after the other; any processor works on a filled slot, from
 * buffer to buffer; the boot processor finishes the slots in the order in which they were filled.
 * Alone, the boot processor has one slot, and does one thing after the other.
 */

enum {
	PIPELINE_WORKERS_MAX = 16,
	PIPELINE_SLOTS_MAX = 2 * PIPELINE_WORKERS_MAX + 2, /* at most WORK_MAX */
	/* of the buffers of a slot together: enough for the full speed of every device */
	PIPELINE_SLOT_BYTES = 1 << 20,
};

/*
 * The length of pieces, a power of two, for slots that have `n_buffers` (from 1 on) of that length:
 * together PIPELINE_SLOT_BYTES, or fewer; more where a piece has to have room for `unit_bytes`.
 */
size_t pipeline_piece_bytes(size_t n_buffers, size_t unit_bytes);

/* What a user's own slots begin with. */
struct slot {
	struct work work;
	bool has_work;     /* for other processors; false: the slot is filled and finished only */
	bool expensive;    /* the first such slot starts the other processors */
	struct slot *next; /* of those that are abandoned */
};

/* What a user does with its slots. All but `work` run on the boot processor. */
struct pipeline_ops {
	struct slot *(*create)(void *user); /* NULL: no memory */
	/* Makes `to` what fill() made of `from` (fetch_copy()). ST_NO_MEMORY. */
	enum status (*copy)(struct slot *to, const struct slot *from);
	void (*free)(struct slot *, void *user);
	/*
	 * Gets the next piece of the disk into a slot, and sets has_work and expensive. *ret_filled
	 * false: there is no further piece. An error ends the loop at once: what was filled before
	 * is not finished.
	 */
	enum status (*fill)(void *user, struct slot *, bool *ret_filled, struct error *);
	/* Does the work of a slot that has_work, on any processor, several slots at a time. */
	void (*work)(struct work *, size_t worker);
	/* Takes a slot whose work is done, in the order of the disk. An error ends the loop. */
	enum status (*finish)(void *user, struct slot *, struct error *);
	/*
	 * Words for ST_CANCELLED; `first` is the first slot that is not finished, NULL: there is
	 * none.
	 */
	void (*cancelled)(void *user, const struct slot *first, struct error *);
};

struct pipeline {
	const struct pipeline_ops *ops;
	void *user;
	struct workers *workers;
	bool may_start; /* other processors, which are not started so far */
	bool parallel_reads;
	size_t unit_bytes;
	struct unpacker unpacker[PIPELINE_WORKERS_MAX + 1]; /* of each processor */
	struct slot *slot[PIPELINE_SLOTS_MAX];
	size_t n_slots;         /* as many as there was memory for */
	size_t first, n;        /* of them, those that are filled and not finished */
	struct slot *abandoned; /* still owned by processors that stopped responding */
};

/* What all of the work does with bytes. */
enum effort {
	EFFORT_LOOK, /* looks at each once, and that seldom to the end */
	EFFORT_SUM,  /* makes a checksum of them */
	EFFORT_PACK,
};

/*
 * Prepares for `bytes`, with units of up to `unit_bytes` to be unpacked. Other processors are
 * started at once where there is so much of the work that it takes longer than starting and
 * stopping them, or where the sources can be read by several processors (`parallel_reads`,
 * image_parallel_reads()); otherwise with the first slot that is expensive. ST_NO_MEMORY. The
 * caller closes the pipeline, on failure too.
 */
enum status pipeline_start(struct pipeline *, uint64_t bytes, size_t unit_bytes,
			   bool parallel_reads, enum effort, struct error *);

/* How many processors there are, the boot processor among them. */
size_t pipeline_processors(const struct pipeline *);

/*
 * Runs the loop until there is no further piece and every slot is finished, once for each pipeline.
 * `progress` is asked before each step whether the person has stopped it. ST_NO_MEMORY,
 * ST_CANCELLED; the errors of fill() and finish().
 */
enum status pipeline_run(struct pipeline *, const struct pipeline_ops *, void *user,
			 struct progress *, struct error *);

/* Waits for the processors, and frees all of it. */
void pipeline_close(struct pipeline *);
