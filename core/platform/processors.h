/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The other processors of the machine. */

/*
 * Has `least` to `most` other processors call run(arg, n), n = 1, 2, ..., and says how many do; 0:
 * there are not so many. What they run needs less than 16 KiB of stack and calls of the platform
 * only platform_word_wait(), platform_word_wake() and, where platform_processors_read() says so,
 * what reads a blk that is open.
 */
size_t platform_processors_start(size_t least, size_t most, void (*run)(void *arg, size_t n),
				 void *arg);

/*
 * Returns when all of them have returned from run(). Those that do not within some seconds are
 * stopped.
 */
void platform_processors_stop(void);

/* Whether several processors can read at the same time. */
bool platform_processors_read(void);

/*
 * Returns when `*word` is something else than `seen`; false: it was still that after so many
 * milliseconds. 0: waits for ever, the only way on another processor than the boot processor.
 */
bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds);

/* Says that `*word` was changed. */
void platform_word_wake(const atomic_uint_least32_t *word);
