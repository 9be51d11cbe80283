/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The machine as a whole: what it is, and how it is switched off or restarted after a script. */

/* Returns vendor and version of the firmware (on Linux, of the kernel) for logs. Never NULL. */
const char *platform_firmware(void);

/* What happens to the machine after a script. */
enum ending {
	ENDING_UNSAID, /* the script does not say; outside the shell that means ENDING_WAIT */
	ENDING_SHELL,  /* efi-img ends, and returns to what started it */
	ENDING_WAIT,   /* wait for Enter, so that the result can be read; then as ENDING_SHELL */
	ENDING_REBOOT,
	ENDING_POWER_OFF,
};

/*
 * Does so. Returns for ENDING_UNSAID and ENDING_SHELL, for ENDING_WAIT when Enter was pressed, and
 * otherwise only if the firmware could not restart or switch off the machine; an error has been
 * printed then.
 */
void platform_end(enum ending);

/*
 * Reports the exit code of a script to the program that runs this virtual machine, which may end
 * the machine at once. Does nothing on a real machine.
 */
void platform_tell(unsigned exit_code);
