/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/terminal.h"

/*
 * The firmware's console as a screen. NULL: there is no screen or no keyboard. The console's text
 * goes to the same place.
 */
struct terminal *terminal_open(void);

/* Leaves the screen empty, as it was found. */
void terminal_close(void);
