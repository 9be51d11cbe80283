/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* Which serial numbers can serve as names. */

/*
 * Returns whether a serial number identifies a disk. False for "", for those that makers of USB
 * bridges put into every bridge (one character repeated, digits that count up, zeros with one or
 * two digits after them), and for those that cannot be typed.
 */
bool serial_identifies(const char *serial);

/*
 * Returns whether a text can be typed in the UEFI shell without escapes: printable ASCII without
 * the shell's special characters. It may have blanks, which need quotation marks.
 */
bool serial_is_typeable(const char *text);
