/* SPDX-License-Identifier: BSD-2-Clause */
#include <cpuid.h>
#include <efi.h>

#include "base/range.h"
#include "firmware.h"
#include "platform/clock.h"

enum { MEASURED_US = 1000, MEASUREMENTS = 10, MINUTE = 60, DAY = 86400, MINUTES_MAX = 1440 };

/*
 * Minutes to be added to the clock's time to get UTC. TimeZone has daylight saving in it already
 * (UEFI 2.10, 8.3: 480 becomes 420).
 */
static int32_t minutes_to_utc(const EFI_TIME *time)
{
	/* EFI_UNSPECIFIED_TIMEZONE, 2047, included */
	return time->TimeZone < -MINUTES_MAX || time->TimeZone > MINUTES_MAX ? 0 : time->TimeZone;
}

/*
 * Days since 1970-01-01 in the Gregorian calendar, whose years are counted from March, so that the
 * leap day ends them.
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
 * Ticks of the processor's counter in a second: as CPUID says (Intel SDM, volume 2, leaf 15H),
 * otherwise measured. A busy host or an SMI only makes a measurement longer, so the shortest of
 * several counts.
 */
static uint64_t ticks_per_second(void)
{
	static uint64_t ticks;
	unsigned denominator, numerator, crystal, d;
	uint64_t start, shortest;

	if (ticks > 0)
		return ticks;
	if (__get_cpuid(0x15, &denominator, &numerator, &crystal, &d) && denominator > 0 &&
	    numerator > 0 && crystal > 0) {
		ticks = (uint64_t)crystal * numerator / denominator;
		return ticks;
	}
	shortest = UINT64_MAX / 1000000;
	for (int i = 0; i < MEASUREMENTS; i++) {
		start = __builtin_ia32_rdtsc();
		(void)firmware.services->Stall(MEASURED_US); /* it cannot fail */
		shortest = min_u64(shortest, __builtin_ia32_rdtsc() - start);
	}
	ticks = max_u64(shortest * (1000000 / MEASURED_US), 1);
	return ticks;
}

uint64_t platform_nanoseconds(void)
{
	uint64_t per_second = ticks_per_second(), now = __builtin_ia32_rdtsc();

	return now / per_second * 1000000000 + now % per_second * 1000000000 / per_second;
}

int32_t platform_utc_offset(int64_t unix_seconds)
{
	EFI_TIME now = { 0 };
	EFI_STATUS efi = firmware.system->RuntimeServices->GetTime(&now, NULL);

	(void)unix_seconds; /* the firmware knows one offset, and no daylight saving rules */
	/* local time = UTC - TimeZone */
	return efi == EFI_SUCCESS ? -MINUTE * minutes_to_utc(&now) : 0;
}
