/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From the least to the most that was found. */
enum shell_start {
	SHELL_MISSING,
	SHELL_REFUSED, /* there is one, but the firmware does not start it (Secure Boot) */
	SHELL_STARTED,
};

/*
 * Runs the UEFI shell, from a file on a volume or the one built into the firmware, and returns when
 * it ends.
 */
enum shell_start shell_start(void);
