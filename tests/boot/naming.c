/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: it has a name for every device and every child that it is asked
 * about, though it manages none, as EDK2's driver of virtio keyboards does (edk2-stable202502).
 */
#include <efi.h>

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_STATUS EFIAPI name_driver(EFI_COMPONENT_NAME2_PROTOCOL *driver, CHAR8 *language,
				     CHAR16 **ret)
{
	(void)driver;
	(void)language;
	*ret = L"a driver that names everything";
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI name_controller(EFI_COMPONENT_NAME2_PROTOCOL *driver,
					 EFI_HANDLE controller, EFI_HANDLE child, CHAR8 *language,
					 CHAR16 **ret)
{
	(void)driver;
	(void)controller;
	(void)child;
	(void)language;
	*ret = L"a device of another driver";
	return EFI_SUCCESS;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	static EFI_GUID guid = EFI_COMPONENT_NAME2_PROTOCOL_GUID;
	static EFI_COMPONENT_NAME2_PROTOCOL names = { name_driver, name_controller, (CHAR8 *)"en" };

	return system->BootServices->InstallProtocolInterface(&image, &guid, EFI_NATIVE_INTERFACE,
							      &names);
}
