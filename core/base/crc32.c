/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC-32: the remainder of the message as a polynomial over GF(2), divided by 0x04c11db7, with bits
 * reflected, which makes the divisor 0xedb88320. Inverted at both ends, so that zeros at the start
 * and at the end of a message count. Four bits at a time, by a table of the 16 remainders:
 * partition tables use it, and checks of dmg images.
 *
 * A message that is followed by n zero bytes has its remainder multiplied by x^(8n), which is made
 * by repeated squaring.
 */
#include "base/crc32.h"

#define DIVISOR UINT32_C(0xedb88320)
#define ONE     UINT32_C(0x80000000) /* the polynomial 1: the highest bit is the lowest power */

static const uint32_t remainder[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t crc32(uint32_t crc, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	crc = ~crc;
	while (n-- > 0) {
		crc ^= *p++;
		crc = crc >> 4 ^ remainder[crc & 15];
		crc = crc >> 4 ^ remainder[crc & 15];
	}
	return ~crc;
}

/* The product of two polynomials, modulo the divisor. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = ONE; bit != 0; bit >>= 1) {
		if ((a & bit) != 0)
			product ^= b;
		b = b >> 1 ^ ((b & 1) != 0 ? DIVISOR : 0);
	}
	return product;
}

uint32_t crc32_zeros(uint32_t crc, uint64_t n)
{
	uint32_t power = ONE >> 8, factor = ONE; /* x^8; 1 */

	for (; n > 0; n >>= 1) {
		if ((n & 1) != 0)
			factor = multiply(factor, power);
		power = multiply(power, power);
	}
	return ~multiply(factor, ~crc);
}
