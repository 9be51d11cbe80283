/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/terminal.h"

/*
 * Returns the firmware's console as a terminal of at least 80 by 24; it is static. NULL: there is
 * no such screen, or no keyboard. Text written to console_out() appears on the same screen.
 */
struct terminal *terminal_open(void);

/* Restores the text mode found by terminal_open(), and clears the screen. */
void terminal_close(void);
