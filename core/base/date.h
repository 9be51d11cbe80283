/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* A date in the Gregorian calendar, and the time of day. Months and days count from 1. */
struct date {
	int year;
	unsigned month, day, hour, minute, second;
};

/* Returns the date of `seconds` >= 0 since 1970-01-01 00:00. */
struct date date_of(int64_t seconds);
