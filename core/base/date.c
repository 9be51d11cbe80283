/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seconds since 1970 to a date. Days are counted from 0000-03-01 (719468 days before 1970), in eras
 * of 400 years, which have 146097 days each. A year that begins in March has its leap day at the
 * end, so that the lengths of its months follow a linear formula.
 */
#include "base/date.h"

struct date date_of(int64_t seconds)
{
	int64_t shifted = seconds / 86400 + 719468, era = shifted / 146097;
	unsigned of_era = (unsigned)(shifted - era * 146097), of_day = (unsigned)(seconds % 86400);
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned from_march = (5 * of_year + 2) / 153;
	struct date date = {
		.day = of_year - (153 * from_march + 2) / 5 + 1,
		.month = from_march < 10 ? from_march + 3 : from_march - 9,
		.hour = of_day / 3600,
		.minute = of_day / 60 % 60,
		.second = of_day % 60,
	};

	date.year = (int)(year_of_era + (unsigned)era * 400 + (date.month <= 2));
	return date;
}
