/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The time of day, and durations. */

/*
 * Returns the time of day in seconds since 1970-01-01 00:00 UTC, and the nanoseconds of the second
 * that has begun (0 to 999999999; 0 on most machines). False: the machine has no valid time; both
 * are 0 then.
 */
bool platform_time(int64_t *ret_unix_seconds, uint32_t *ret_nanoseconds);

/*
 * Returns the nanoseconds since an arbitrary moment before the program started. Never decreases;
 * exact to some microseconds. May be called on the boot processor only.
 */
uint64_t platform_nanoseconds(void);

/*
 * Returns local time minus UTC, in seconds, at a moment (seconds since 1970, UTC); 0 where the
 * machine does not know. Firmware has one offset for all moments.
 */
int32_t platform_utc_offset(int64_t unix_seconds);
