#pragma once

#include "job/fetch.h"
#include "job/workers.h"

/*
 * A ring of slots, which hold pieces of a disk on their way: the boot processor fills one after the other, any
 * processor works on them, and the boot processor takes them up in the same order. Alone, it has one slot, and does one
 * thing after the other.
 */

enum {
	PIPELINE_WORKERS_MAX = 16,
	PIPELINE_SLOTS_MAX = 2 * PIPELINE_WORKERS_MAX + 2, /* at most WORK_MAX */
};

/* What a user's own slots begin with. */
struct slot {
	struct work work;
	bool has_work;     /* for other processors; false: it is filled, and that is all */
	struct slot *next; /* of those that were given up */
};

struct pipeline {
	struct workers *workers;
	struct unpacker unpacker[PIPELINE_WORKERS_MAX + 1]; /* of each processor */
	struct slot *(*slot_new)(void *user);               /* NULL: no memory */
	void (*slot_free)(struct slot *, void *user);
	void *user;
	struct slot *slot[PIPELINE_SLOTS_MAX];
	size_t n_slots;                                     /* as many as there was memory for */
	size_t first, n;                                    /* of them, those on their way */
	struct slot *given_up;                              /* processors that do not answer may still use them */
};

/*
 * Starts other processors, where `bytes` to be done make that worth it, and makes an unpacker for each, for clusters of
 * up to `cluster_bytes`. ST_NO_MEMORY; closed on failure too.
 */
enum status pipeline_start(struct pipeline *, uint64_t bytes, size_t cluster_bytes, struct error *);

/* How many processors there are, the boot processor among them. */
size_t pipeline_processors(const struct pipeline *);

/* Makes the slots. ST_NO_MEMORY: not even one. */
enum status pipeline_make_slots(struct pipeline *, struct slot *(*slot_new)(void *user), void (*slot_free)(struct slot *, void *user),
				void *user, struct error *);

/* Waits for the processors, and frees all of it. */
void pipeline_close(struct pipeline *);

/* The slot that is to be filled next. NULL: all are on their way. */
struct slot *pipeline_free_slot(const struct pipeline *);

/* That slot is on its way. */
void pipeline_push(struct pipeline *);

/* The first of those on their way. NULL: there is none. */
struct slot *pipeline_first(const struct pipeline *);

/*
 * Waits until the work on that one is done. ST_OK with *ret_lost: its processor has stopped answering; the first slot
 * is a new one now, to get what *ret_lost was filled with (fetch_copy()), and its work to be done at once.
 * ST_NO_MEMORY.
 */
enum status pipeline_wait(struct pipeline *, const struct slot **ret_lost);

/* The first slot is free again. */
void pipeline_pop(struct pipeline *);
