/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "platform/terminal.h"

/*
 * A screen in memory, and a person whose keys are written down. It holds those who print to the
 * contract of struct terminal.
 */

enum { SIM_COLUMNS = 80, SIM_ROWS_MAX = 64 };

/*
 * Empties the screen. The keys come one after the other: characters as they are, and \1 up, \2
 * down, \3 page up, \4 page down, \5 one that means nothing, \6 the time is over; at '\7', look()
 * is called and nothing is pressed. When they have all been pressed, the keyboard is gone. What is
 * between \16 and \17 is pressed before it is asked for, so that it is gone when keys are forgotten
 * there, and taken as any other key where they are not.
 */
struct terminal *sim_terminal(unsigned rows, const char *keys, void (*look)(void *), void *user);

/* Its lines, without the blanks at their ends, each with a '\n'. Stays until the next call. */
const char *sim_terminal_text(void);

/* How many keys are left, and how many cells were printed since the last look. */
size_t sim_terminal_keys(void);
size_t sim_terminal_printed(void);
