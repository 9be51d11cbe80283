/* SPDX-License-Identifier: BSD-2-Clause */
/* GUIDs (UEFI 2.10, appendix A; RFC 4122 with the first three fields little-endian). */
#include "base/guid.h"

#include "base/memory.h"

_Bool guid_equal(const struct guid *a, const struct guid *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

_Bool guid_is_zero(const struct guid *guid)
{
	static const struct guid zero;

	return guid_equal(guid, &zero);
}

void guid_print(const struct guid *guid, char text[static GUID_TEXT])
{
	/* the order of the stored bytes in the text; -1: a dash */
	static const signed char order[] = { 3,  2, 1, 0,  -1, 5,  4,  -1, 7,  6,
					     -1, 8, 9, -1, 10, 11, 12, 13, 14, 15 };
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < sizeof order; i++) {
		if (order[i] < 0) {
			*text++ = '-';
		} else {
			*text++ = digits[guid->b[order[i]] >> 4];
			*text++ = digits[guid->b[order[i]] & 15];
		}
	}
	*text = '\0';
}
