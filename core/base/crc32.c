/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC-32, bit by bit: the remainder of the message as a polynomial over GF(2), divided by
 * 0x04c11db7, with bits reflected, which makes the divisor 0xedb88320. Inverted at both ends, so
 * that zeros at the start and at the end of a message count. Slow and small; only partition tables
 * use it.
 */
#include "base/crc32.h"

uint32_t crc32(uint32_t crc, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	crc = ~crc;
	while (n-- > 0) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
	}
	return ~crc;
}
