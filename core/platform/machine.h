/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The machine that the program runs on, and what becomes of it after a script. */

/* What the program runs on, for people: maker and version of the firmware. Never NULL. */
const char *platform_firmware(void);

/* What becomes of the machine then. */
enum ending {
	ENDING_UNSAID, /* nobody has decided it: for a person to see the result */
	ENDING_SHELL,  /* efi-img ends, for whoever started it to go on */
	ENDING_WAIT,   /* until Enter is pressed; then like ENDING_SHELL */
	ENDING_REBOOT,
	ENDING_POWER_OFF,
};

/*
 * Does it. It comes back with ENDING_UNSAID and ENDING_SHELL, when a key was pressed, and where it
 * cannot be done.
 */
void platform_end(enum ending);

/*
 * Tells whoever runs this virtual machine how a job has ended, who may end it at that. On a real
 * machine it does nothing.
 */
void platform_tell(unsigned exit_code);
