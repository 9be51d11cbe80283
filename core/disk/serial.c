/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whether a serial number identifies a disk.
 *
 * Serial numbers are not always unique. Bridges from USB to SATA have been sold by the million with
 * "123456789299" (ASM1153), "0123456789ABCDEF" or "000000000000" in each of them. Such a number may
 * be the only one in the machine today, and belong to another disk tomorrow. So a number that looks
 * like a placeholder counts as none: the disk is named by its GPT or its device path.
 *
 * Only the text is examined here. selector.c finds out whether two disks of the machine have the
 * same number.
 */

#include "disk/serial.h"

#include <stddef.h>

#include "base/text.h"

enum {
	REPEATED_MIN = 4, /* this many equal characters are a placeholder, */
	COUNTING_MIN = 8, /* this many digits that count up, */
	DIGITS_LEFT = 2,  /* and zeros with at most this many digits after them */
};

/*
 * The number of characters at the start that equal the first one, or with `counting`, that are each
 * one more than the one before ("0" follows "9").
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
