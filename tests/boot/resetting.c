/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: from then on each reset of a SCSI disk is told on the screen: by
 * which way it comes to the disk, and the LUN. Nothing is reset, as OVMF's virtio-scsi driver does
 * not either.
 */
#include <efi.h>

#include "protocol/ext_scsi_pass_thru.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_SYSTEM_TABLE *machine;

static void tell(const CHAR16 *way, UINT64 lun)
{
	CHAR16 end[] = { (CHAR16)(L'0' + lun % 10), L'\r', L'\n', 0 };
	SIMPLE_TEXT_OUTPUT_INTERFACE *out = machine->ConOut;

	(void)out->OutputString(out, (CHAR16 *)(UINTN)way);
	(void)out->OutputString(out, end);
}

/* The bus driver's function is the one that reads what the driver may have freed. */
static EFI_STATUS EFIAPI by_bus(EFI_SCSI_IO_PROTOCOL *scsi)
{
	UINT8 target[TARGET_MAX_BYTES], *at = target;
	UINT64 lun = 0;
	EFI_STATUS efi = scsi->GetDeviceLocation(scsi, &at, &lun);

	tell(L"reset by the bus driver, LUN ", lun);
	return efi;
}

static EFI_STATUS EFIAPI by_adapter(EFI_EXT_SCSI_PASS_THRU_PROTOCOL *adapter, UINT8 *target,
				    UINT64 lun)
{
	(void)adapter;
	(void)target;
	tell(L"reset by the adapter, LUN ", lun);
	return EFI_UNSUPPORTED;
}

/* Returns the handles with a protocol and how many there are, 0 for an error. */
static UINTN handles(EFI_GUID *guid, EFI_HANDLE **ret)
{
	UINTN n = 0;

	return machine->BootServices->LocateHandleBuffer(ByProtocol, guid, NULL, &n, ret) ==
			       EFI_SUCCESS
		       ? n
		       : 0;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_GUID disks = EFI_SCSI_IO_PROTOCOL_GUID, adapters = EFI_EXT_SCSI_PASS_THRU_PROTOCOL_GUID;
	EFI_BOOT_SERVICES *services = system->BootServices;
	EFI_HANDLE *handle = NULL;
	UINTN n_disks, n_adapters;
	EFI_STATUS efi = EFI_SUCCESS;
	VOID *protocol;

	(void)image;
	machine = system;
	n_disks = handles(&disks, &handle);
	for (UINTN i = 0; efi == EFI_SUCCESS && i < n_disks; i++) {
		efi = services->HandleProtocol(handle[i], &disks, &protocol);
		if (efi == EFI_SUCCESS)
			((EFI_SCSI_IO_PROTOCOL *)protocol)->ResetDevice = by_bus;
	}
	n_adapters = handles(&adapters, &handle);
	for (UINTN i = 0; efi == EFI_SUCCESS && i < n_adapters; i++) {
		efi = services->HandleProtocol(handle[i], &adapters, &protocol);
		if (efi == EFI_SUCCESS)
			((EFI_EXT_SCSI_PASS_THRU_PROTOCOL *)protocol)->ResetTargetLun = by_adapter;
	}
	return n_disks > 0 && n_adapters > 0 ? efi : EFI_NOT_FOUND;
}
