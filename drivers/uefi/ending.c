/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of the machine after a job (platform/platform.h). */
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

	if (ending == ENDING_WAIT)
		console_wait_for_enter("\nPress Enter to continue.\n"); /* without a keyboard there
									   is no waiting */
	if (!off && ending != ENDING_REBOOT)
		return;
	out_text(console_out(),
		 off ? "\nThe machine is switched off.\n" : "\nThe machine starts again.\n");
	console_flush();
	sata_finish();
	firmware.system->RuntimeServices->ResetSystem(off ? EfiResetShutdown : EfiResetCold,
						      EFI_SUCCESS, 0, NULL);
	/* It does not come back where the firmware can do it. */
	out_text(console_err(), "efi-img: the firmware does not do it\n");
}

/* QEMU ends with 2 x the value + 1 there; 1 is its own failure, so no job ends with that. */
void platform_tell(unsigned exit_code)
{
	if (!hardware_has_hypervisor())
		return;
	console_flush();
	hardware_debug_exit((uint8_t)(exit_code <= DEBUG_EXIT_MAX - DEBUG_EXIT_DONE
					      ? DEBUG_EXIT_DONE + exit_code
					      : DEBUG_EXIT_MAX));
}
