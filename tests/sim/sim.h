/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/out.h"
#include "platform/machine.h"

/*
 * The platform that unit tests run on: memory that can run out, a person who can press Ctrl-C, text
 * that is kept.
 */

/* Makes the `n`-th allocation from now on fail (1: the next one), and only that; 0: none. */
void sim_fail_allocation(unsigned n);

/* Whether that allocation was made, and failed. */
bool sim_allocation_failed(void);

/* The number of allocations that were not freed yet. */
size_t sim_allocations(void);

/* The most bytes that were allocated at once since the restart. */
void sim_peak_restart(void);
size_t sim_peak_bytes(void);

/* Makes platform_cancelled() true from its `n`-th call from now on (1: the next); 0: never. */
void sim_cancel(unsigned n);
bool sim_was_cancelled(void); /* whether it has */

/*
 * A person who is asked (platform/stop.h) presses these keys from the `n`-th call of
 * platform_cancelled() on: all of them at that call, or, where there is a blank, those after it at
 * the next one. At '\7', look() is called and nothing is pressed.
 */
void sim_press(unsigned n, const char *keys, void (*look)(void *user), void *user);
const char *sim_pressed_left(void); /* the keys that were not taken */

/* Sets what platform_time() returns from now on; 0 seconds: the time is not known. */
void sim_time(int64_t unix_seconds, uint32_t nanoseconds);

/* Sets what platform_secure_boot() returns from now on; at first SECURE_BOOT_NONE. */
void sim_secure_boot(enum secure_boot);

/*
 * The argument of the last platform_end(); that of the last platform_tell() since sim_told() was
 * called, -1: there was none.
 */
enum ending sim_ending(void);
int sim_told(void);

/*
 * Advances platform_nanoseconds() by so much at each call (default: a millisecond), and once, now.
 */
void sim_clock_step(uint64_t nanoseconds);
void sim_clock_pass(uint64_t nanoseconds);

/* A sink that keeps all text. */
struct capture {
	struct out out;
	char *text; /* NUL-terminated */
	size_t n, capacity;
};

void capture_init(struct capture *);
void capture_clear(struct capture *);
void capture_free(struct capture *);
