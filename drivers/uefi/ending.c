/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restarting and switching off the machine after a script (platform/machine.h), by ResetSystem()
 * (UEFI 2.10, 8.5.1), and the exit code for a QEMU that runs it.
 */
#include <efi.h>

#include "cancel.h"
#include "console.h"
#include "firmware.h"
#include "hardware.h"
#include "platform/machine.h"
#include "sata.h"

enum { DEBUG_EXIT_DONE = 16, DEBUG_EXIT_MAX = 127 };

void platform_end(enum ending ending)
{
	bool off = ending == ENDING_POWER_OFF;

	if (ending == ENDING_WAIT) /* returns at once if there is no keyboard */
		console_wait_for_enter("\nPress Enter to continue.\n");
	if (!off && ending != ENDING_REBOOT)
		return;
	out_text(console_out(),
		 off ? "\nSwitching the machine off.\n" : "\nRestarting the machine.\n");
	console_flush();
	sata_finish();
	firmware.system->RuntimeServices->ResetSystem(off ? EfiResetShutdown : EfiResetCold,
						      EFI_SUCCESS, 0, NULL);
	/* returns only if the firmware cannot do it */
	out_printf(console_err(), "efi-img: the firmware cannot %s the machine\n",
		   off ? "switch off" : "restart");
}

/*
 * QEMU ends with exit code 2 * value + 1. Values from 16 on make 33 and more, which cannot be
 * mistaken for QEMU's own exit codes, 0 and 1.
 */
void platform_tell(unsigned exit_code)
{
	if (hardware_hypervisor() == HYPERVISOR_NONE)
		return;
	console_flush();
	hardware_debug_exit((uint8_t)(exit_code <= DEBUG_EXIT_MAX - DEBUG_EXIT_DONE
					      ? DEBUG_EXIT_DONE + exit_code
					      : DEBUG_EXIT_MAX));
}
