/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: from then on, NVMe drives that are asked to make blocks zeros
 * (Write Zeroes) say that they did, and leave them as they are.
 */
#include <efi.h>

#include "protocol/nvme_pass_thru.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static typeof(((EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *)NULL)->PassThru) honest;

static EFI_STATUS EFIAPI lying(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme, UINT32 namespace_id,
			       EFI_NVM_EXPRESS_PASS_THRU_COMMAND_PACKET *packet, EFI_EVENT event)
{
	enum { WRITE_ZEROES = 8 };

	if (packet->QueueType == NVME_IO_QUEUE && (packet->NvmeCmd->Cdw0 & 0xff) == WRITE_ZEROES)
		return EFI_SUCCESS;
	return honest(nvme, namespace_id, packet, event);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_GUID guid = EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID;
	EFI_BOOT_SERVICES *services = system->BootServices;
	EFI_HANDLE *handle;
	UINTN n;
	EFI_STATUS efi = services->LocateHandleBuffer(ByProtocol, &guid, NULL, &n, &handle);

	(void)image;
	for (UINTN i = 0; efi == EFI_SUCCESS && i < n; i++) {
		EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme;

		efi = services->HandleProtocol(handle[i], &guid, (VOID **)&nvme);
		if (efi != EFI_SUCCESS)
			break;
		honest = nvme->PassThru; /* of all the same driver */
		nvme->PassThru = lying;
	}
	return efi;
}
