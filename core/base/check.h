/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Reports a mistake in this program and where it is, and ends the program. Supplied by the
 * platform.
 */
_Noreturn void platform_panic(const char *what, const char *file, int line);

/*
 * States what must be true whatever an image, the firmware or the keyboard says: a false one is a
 * mistake in this program, and to continue could write wrong data. Never for conditions that come
 * from outside.
 */
#define CHECK(condition) ((condition) ? (void)0 : platform_panic(#condition, __FILE__, __LINE__))
