/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: the first flushes that SCSI drives are then sent are refused,
 * each in another way in which EFI_EXT_SCSI_PASS_THRU_PROTOCOL can say that (UEFI 2.10, 15.7;
 * SPC-4, 4.5). QEMU cannot be made to refuse them: it has nothing to flush after the writes of
 * OVMF, which have FUA set. SPDX-License-Identifier: BSD-2-Clause
 */
#include <efi.h>

#include "protocol/ext_scsi_pass_thru.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static const struct answer {
	UINT8 adapter, target, sense[18];
} answers[] = {
	{ 0, 2, { 0x70, 0, 3, [7] = 10, 0x00, 0, 0, 0, 0x0c } }, /* MEDIUM ERROR */
	{ 0, 2, { 0x72, 3, 0x15 } },                             /* with descriptors, ASC 15h */
	{ 0, 2, { 0x71, 0, 5, [7] = 10, 0x00, 0, 0, 0, 0x20 } }, /* of an earlier command */
	{ 0, 2, { 0x70, 0, 5, [7] = 10, 0x00, 0, 0, 0, 0x24 } }, /* a field that it does not like */
	{ 0x7f, 0, { 0 } },                                      /* the adapter's */
	{ 0, 8, { 0 } },                                         /* BUSY, without sense data */
	{ 0, 2, { 0x70, 0, 5, [7] = 10, 0x00, 0, 0, 0, 0x20 } }, /* it does not know the command */
	{ 0, 2, { 0x72, 5, 0x20 } },                             /* the same, with descriptors */
};

static struct hooked {
	EFI_EXT_SCSI_PASS_THRU_PROTOCOL *scsi;
	ext_scsi_pass_thru honest;
} hooked[8];

static UINTN n_hooked, n_flushes;

static ext_scsi_pass_thru honest_of(const EFI_EXT_SCSI_PASS_THRU_PROTOCOL *scsi)
{
	UINTN i = 0;

	while (hooked[i].scsi != scsi)
		i++;
	return hooked[i].honest;
}

static EFI_STATUS EFIAPI refusing(EFI_EXT_SCSI_PASS_THRU_PROTOCOL *scsi, UINT8 *target, UINT64 lun,
				  EFI_SCSI_IO_SCSI_REQUEST_PACKET *packet, EFI_EVENT event)
{
	enum { SYNCHRONIZE_CACHE = 0x35 };
	const struct answer *answer = &answers[n_flushes];

	if (*(const UINT8 *)packet->Cdb != SYNCHRONIZE_CACHE ||
	    n_flushes == sizeof answers / sizeof *answers)
		return honest_of(scsi)(scsi, target, lun, packet, event);
	n_flushes++;
	packet->HostAdapterStatus = answer->adapter;
	packet->TargetStatus = answer->target;
	for (UINT8 i = 0; i < packet->SenseDataLength && i < sizeof answer->sense; i++)
		((UINT8 *)packet->SenseData)[i] = answer->sense[i];
	return EFI_SUCCESS;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_GUID guid = EFI_EXT_SCSI_PASS_THRU_PROTOCOL_GUID;
	EFI_BOOT_SERVICES *services = system->BootServices;
	EFI_HANDLE *handle;
	UINTN n;
	EFI_STATUS efi = services->LocateHandleBuffer(ByProtocol, &guid, NULL, &n, &handle);

	(void)image;
	for (UINTN i = 0; efi == EFI_SUCCESS && i < n; i++) {
		EFI_EXT_SCSI_PASS_THRU_PROTOCOL *scsi;

		efi = services->HandleProtocol(handle[i], &guid, (VOID **)&scsi);
		if (efi != EFI_SUCCESS || n_hooked == sizeof hooked / sizeof *hooked)
			break;
		hooked[n_hooked++] = (struct hooked){ scsi, scsi->PassThru };
		scsi->PassThru = refusing;
	}
	return efi;
}
