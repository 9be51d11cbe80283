/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * A GUID as stored on disk (UEFI 2.10, appendix A): three little-endian fields, then eight bytes.
 */
struct guid {
	uint8_t b[16];
};

enum { GUID_TEXT = 37 }; /* "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" and a NUL */

/* Returns whether all bytes are zero, which stands for "none". */
_Bool guid_is_zero(const struct guid *guid);
_Bool guid_equal(const struct guid *a, const struct guid *b);

/* Prints the GUID in lower case, with a NUL. */
void guid_print(const struct guid *guid, char text[static GUID_TEXT]);
