/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of Secure Boot: two variables of the firmware (UEFI 2.10, 3.3 and 32.3), which are one
 * byte each. SecureBoot tells whether programs are checked; SetupMode, whether a platform key is
 * missing, so that anybody may enrol keys.
 *
 * The state is read once, when the program starts, and decides what is trusted (cli/start.h). So
 * what cannot be read counts as on. Nothing here writes a variable.
 */
#include <efi.h>

#include "firmware.h"

#include <stdbool.h>

#include "platform/machine.h"

/* Reads a variable of one byte. False: the firmware does not have it. */
static bool read_byte(const CHAR16 *name, uint8_t *ret)
{
	EFI_GUID global = EFI_GLOBAL_VARIABLE;
	UINTN size = sizeof *ret;
	EFI_STATUS efi = firmware.system->RuntimeServices->GetVariable((CHAR16 *)name, &global,
								       NULL, &size, ret);

	if (efi != EFI_SUCCESS)
		*ret = 1;
	return efi != EFI_NOT_FOUND;
}

enum secure_boot secure_boot_read(void)
{
	uint8_t on, setup;

	if (!read_byte(L"SecureBoot", &on))
		return SECURE_BOOT_NONE;
	if (on != 0)
		return SECURE_BOOT_ON;
	return read_byte(L"SetupMode", &setup) && setup != 0 ? SECURE_BOOT_SETUP : SECURE_BOOT_OFF;
}

enum secure_boot platform_secure_boot(void)
{
	return firmware.secure_boot;
}
