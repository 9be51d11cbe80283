/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/terminal.h"

/*
 * Returns the firmware's console as a terminal of at least 80 by 24; it is static. NULL: there is
 * no such screen, or no keyboard. Text written to console_out() appears on the same screen.
 */
struct terminal *terminal_open(void);

/*
 * The same of the graphics screen alone: other consoles show none of it. NULL also where the
 * firmware does not tell what its console consists of.
 */
struct terminal *terminal_open_screen(void);

/* Restores the text mode found when it was opened, and clears what it was on. */
void terminal_close(void);
