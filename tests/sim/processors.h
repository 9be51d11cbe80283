/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Other processors of the machine that unit tests run on, as threads. At first there are none. */

/* From now on the machine has `n` others, at most 8. */
void sim_processors(size_t n);

/*
 * Whether they can read what is opened from now on, as on the host (the default), or not, as in
 * firmware.
 */
void sim_processors_read(bool);
bool sim_processors_can_read(void); /* false: also because there are none */

/* How many were started since the last call. */
size_t sim_processors_started(void);

/*
 * The one that takes the `n`-th piece of work from now on (1: the next) stops in the middle of it,
 * until the others are stopped.
 */
void sim_processor_stops(unsigned n);

/* Called when a processor is stopped because it does not answer; NULL: nothing is called. */
void sim_processor_given_up(void (*act)(void));

/* For what runs on a processor in the middle of its work: here it may stop. */
void sim_processor_works(void);
