/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Work from buffer to buffer that other processors do, in the order in which it is submitted. The
 * boot processor does its share while it waits; where it is alone, all of it.
 */
struct work {
	/*
	 * `worker` is the processor's number, from 0 (the boot processor) to workers_count(): the
	 * key to what only one can use.
	 */
	void (*run)(struct work *, size_t worker);
	atomic_bool done;
};

struct workers;

enum { WORK_MAX = 64 }; /* submitted and not waited for */

/* Without other processors so far. ST_NO_MEMORY. */
enum status workers_start(struct workers **ret, struct error *);

/*
 * Starts `least` to `most` other processors, where none were started so far; none where there are
 * not so many.
 */
void workers_add(struct workers *, size_t least, size_t most);

/*
 * Returns when all processors have stopped. Work that was not started is dropped. NULL is allowed.
 */
void workers_stop(struct workers *);

/* How many other processors there are. */
size_t workers_count(const struct workers *);

void work_submit(struct workers *, struct work *);

/*
 * Returns when the work is done. False: its processor has stopped responding, and may use the
 * buffers until workers_stop() has returned. The work is to be done again, with other buffers.
 */
bool work_wait(struct workers *, struct work *);
