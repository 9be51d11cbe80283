/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The machine as a whole: what it is, and how it is switched off or restarted after a script. */

/* Returns vendor and version of the firmware (on Linux, of the kernel) for logs. Never NULL. */
const char *platform_firmware(void);

/* Returns maker and model of the machine, for people. "": not known. Never NULL. */
const char *platform_model(void);

/*
 * Secure Boot: the firmware starts only programs that are signed with a key that is enrolled in it
 * (UEFI 2.10, 32.3).
 */
enum secure_boot {
	SECURE_BOOT_NONE, /* the firmware does not have it (Linux: is not asked) */
	SECURE_BOOT_OFF,
	SECURE_BOOT_SETUP, /* off, because no platform key is enrolled */
	SECURE_BOOT_ON,    /* or the firmware does not tell */
};

/* Returns the state when the program was started. */
enum secure_boot platform_secure_boot(void);

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
