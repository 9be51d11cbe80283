/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two clocks. The time of day is the firmware's (UEFI 2.10, 8.3, GetTime()), whose resolution is a
 * second on most machines, and which knows one offset to UTC and no rules of daylight saving.
 * Durations are counted by the processor's counter: UEFI has no other call that is finer than a
 * second, and the Timestamp protocol is missing in most firmware.
 */
#include <efi.h>

#include "base/range.h"
#include "firmware.h"
#include "hardware.h"
#include "platform/clock.h"

enum { MEASURED_US = 1000, MEASUREMENTS = 10, MINUTE = 60, DAY = 86400, MINUTES_MAX = 1440 };

/*
 * The minutes to add to the clock's time to get UTC. TimeZone includes daylight saving (UEFI 2.10,
 * 8.3: 480 becomes 420). EFI_UNSPECIFIED_TIMEZONE (2047) and values that make no sense count as
 * UTC.
 */
static int32_t minutes_to_utc(const EFI_TIME *time)
{
	return time->TimeZone < -MINUTES_MAX || time->TimeZone > MINUTES_MAX ? 0 : time->TimeZone;
}

/*
 * Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap
 * day is the last day of one.
 */
static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned from_march = month > 2 ? month - 3 : month + 9, y = month > 2 ? year : year - 1;

	return (int64_t)365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 -
	       719468;
}

bool platform_time(int64_t *ret_unix_seconds, uint32_t *ret_nanoseconds)
{
	EFI_TIME now = { 0 };
	EFI_STATUS efi = firmware.system->RuntimeServices->GetTime(&now, NULL);

	*ret_unix_seconds = 0;
	*ret_nanoseconds = 0;
	if (efi != EFI_SUCCESS || now.Year < 1970 || now.Month < 1 || now.Month > 12 ||
	    now.Day < 1 || now.Nanosecond >= 1000000000)
		return false;
	*ret_unix_seconds = days_since_1970(now.Year, now.Month, now.Day) * DAY +
			    (int64_t)now.Hour * 3600 +
			    (int64_t)(now.Minute + minutes_to_utc(&now)) * MINUTE + now.Second;
	*ret_nanoseconds = now.Nanosecond;
	return true;
}

/*
 * The rate of the counter, measured against Stall(). A busy host or an SMI can only make a
 * measurement longer, so the shortest of several is used.
 */
static uint64_t measure_ticks_per_second(void)
{
	uint64_t start, shortest = UINT64_MAX / 1000000;

	for (int i = 0; i < MEASUREMENTS; i++) {
		start = hardware_ticks();
		(void)firmware.services->Stall(MEASURED_US); /* always succeeds */
		shortest = min_u64(shortest, hardware_ticks() - start);
	}
	return max_u64(shortest * (1000000 / MEASURED_US), 1);
}

static uint64_t ticks_per_second(void)
{
	static uint64_t ticks; /* measured once: it takes 10 ms */

	if (ticks == 0)
		ticks = hardware_ticks_per_second();
	if (ticks == 0)
		ticks = measure_ticks_per_second();
	return ticks;
}

uint64_t platform_nanoseconds(void)
{
	uint64_t per_second = ticks_per_second(), now = hardware_ticks();

	return now / per_second * 1000000000 + now % per_second * 1000000000 / per_second;
}

int32_t platform_utc_offset(int64_t unix_seconds)
{
	EFI_TIME now = { 0 };
	EFI_STATUS efi = firmware.system->RuntimeServices->GetTime(&now, NULL);

	(void)unix_seconds; /* the firmware has one offset for all times */
	/* local time = UTC - TimeZone */
	return efi == EFI_SUCCESS ? -MINUTE * minutes_to_utc(&now) : 0;
}
