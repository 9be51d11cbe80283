/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/terminal.h"

/*
 * The program for the person at the machine: screens that ask what is to be done, and make of it a
 * command line, which they show and run. All that is decided is decided by the commands
 * (--dry-run), nothing here.
 */

/* What the person wants in the end. */
enum menu_end {
	MENU_LEAVE,
	MENU_SHELL,
	MENU_REBOOT,
	MENU_POWER_OFF,
	MENU_IMPOSSIBLE, /* there is no keyboard, or no memory */
};

enum menu_end menu_run(struct terminal *);
