/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* A moment in the Gregorian calendar. */
struct date {
	int year;
	unsigned month, day, hour, minute, second;
};

/* `seconds` since 1970, not before that. */
struct date date_of(int64_t seconds);
