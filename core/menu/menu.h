/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/terminal.h"

/*
 * The program for a person at the machine: screens that ask, compose a command line from the
 * answers, show it, and run it. The menu decides nothing about disks and images: what is possible,
 * and why not, is what the command answers to --dry-run.
 */

/* What the user wants in the end. */
enum menu_end {
	MENU_LEAVE,
	MENU_SHELL,
	MENU_REBOOT,
	MENU_POWER_OFF,
	MENU_IMPOSSIBLE, /* there is no keyboard, or no memory */
};

/* Runs the menu on a terminal, which the caller closes. */
enum menu_end menu_run(struct terminal *);
