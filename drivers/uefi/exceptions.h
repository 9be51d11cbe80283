/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Exceptions on other processors than the boot processor, between exceptions_take() and
 * exceptions_leave(). Where the firmware or the processor has no way to take them, these calls do
 * nothing, and the firmware does with an exception what it wants.
 */
void exceptions_take(void);
void exceptions_leave(void);

/*
 * Reports the first exception that another processor has had, and ends the program. Returns if
 * there was none. For the boot processor.
 */
void exceptions_check(void);
