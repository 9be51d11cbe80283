/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Times of day and of the machine. */

/* The time since 1970, UTC. False: the machine does not know it, and both are 0. */
bool platform_time(int64_t *ret_unix_seconds, uint32_t *ret_nanoseconds);

/* Nanoseconds since some moment in the past; it never goes back. Exact to some microseconds. */
uint64_t platform_nanoseconds(void);

/*
 * Local time minus UTC, in seconds, at that moment (seconds since 1970, UTC). 0 where the machine
 * does not know.
 */
int32_t platform_utc_offset(int64_t unix_seconds);
