/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether a serial number identifies a disk.
 *
 * Serial numbers are unique by promise only. Bridges from USB to SATA have been sold by the million
 * with "123456789299" (ASM1153), "0123456789ABCDEF" or "000000000000" in each of them, and a number
 * that is alone in the machine today belongs to another disk when somebody exchanges what is
 * plugged in. So what looks like a maker's placeholder counts as no serial number: such a disk is
 * named by its GPT or its device path.
 *
 * This looks at the text alone. Whether two disks of this machine have the same serial number is
 * selector.c's to find.
 */

#include "disk/serial.h"

#include <stddef.h>

#include "base/text.h"

enum {
	REPEATED_MIN = 4, /* as many equal characters are a placeholder */
	COUNTING_MIN = 8, /* so are as many digits that count up */
	DIGITS_LEFT = 2,  /* and zeros with no more digits than that after them */
};

/* How many characters at the beginning are the first one again, or one more each ("0" follows "9").
 */
static size_t run_length(const char *s, bool counting)
{
	size_t n = 0;

	while (s[n] != '\0' && (!counting || text_is_digit(s[n]))) {
		char next = s[0];

		if (counting && n > 0)
			next = (char)(s[n - 1] == '9' ? '0' : s[n - 1] + 1);
		if (s[n] != next)
			break;
		n++;
	}
	return n;
}

bool serial_is_typeable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~' || text_find("\"^%#<>|&;*?$`'!\\", *text) != NULL)
			return false;
	return true;
}

bool serial_identifies(const char *serial)
{
	size_t n = text_length(serial), same = run_length(serial, false);

	if (n == 0 || !serial_is_typeable(serial))
		return false;
	if (same == n && n >= REPEATED_MIN)
		return false;
	if (serial[0] == '0' && n >= COUNTING_MIN && n - same <= DIGITS_LEFT)
		return false;
	return run_length(serial, true) < COUNTING_MIN;
}
