/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Reports a mistake in this program and where it is, and ends the program. The platform supplies
 * it. Callable on every processor.
 */
_Noreturn void platform_panic(const char *what, const char *file, int line);

/*
 * Asserts what holds whatever images, firmware and users do. If the condition is false, this
 * program has a mistake, and continuing could write wrong data. Not for conditions on input.
 */
#define CHECK(condition) ((condition) ? (void)0 : platform_panic(#condition, __FILE__, __LINE__))
