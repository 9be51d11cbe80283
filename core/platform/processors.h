/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The other processors of the machine (threads on Linux). All calls but platform_word_wait() and
 * platform_word_wake() are for the boot processor.
 */

/*
 * Starts run(arg, n), n = 1, 2, ..., on between `least` and `most` other processors; returns how
 * many it started, 0 if fewer than `least` exist. They run until run() returns.
 *
 * run() may use less than 16 KiB of stack. Of the platform it may call platform_word_wait() and
 * platform_word_wake(), and read blks whose parallel_reads says so (blk/blk.h).
 */
size_t platform_processors_start(size_t least, size_t most, void (*run)(void *arg, size_t n),
				 void *arg);

/*
 * Waits until run() has returned on all of them. A processor that does not return within 5 s is
 * reset.
 */
void platform_processors_stop(void);

/*
 * Waits until *word differs from `seen`. False: it was still equal after `milliseconds`. 0 waits
 * without limit; any other value is for the boot processor only.
 */
bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds);

/* Wakes those that wait for *word, after it was changed. */
void platform_word_wake(const atomic_uint_least32_t *word);
