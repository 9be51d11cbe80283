/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* What a serial number is worth as a name (serial.c says how many disks share one). */

/*
 * Whether a serial number can tell a disk from others that may be connected in its place. False for
 * none, for those that makers of USB bridges put into all of theirs (one character repeated,
 * counting digits, zeros with one or two digits after them), and for one that cannot be typed.
 */
bool serial_identifies(const char *serial);

/*
 * Whether a text can be typed at the prompt of the UEFI shell without escapes: printable ASCII
 * without the characters that mean something there. Blanks are allowed; such a word is put into
 * quotation marks.
 */
bool serial_is_typeable(const char *text);
