/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps EDK2's SCSI bus driver from memory that it has freed.
 *
 * Up to edk2-stable202211 the first address without a device ends that driver's search of the bus
 * as if there were no memory: it frees what it knows of the bus, and the disks that it has found
 * keep their pointers to that. (Corrected in edk2-stable202302: "ScsiBusDxe: Refactor
 * DiscoverScsiDevice()".) Commands to these disks do not need it. ResetDevice() and ResetBus() do:
 * they follow the device path in it, into whatever the memory has become, which may be harmless, or
 * an exception that stops the machine.
 *
 * efi-img itself resets nothing. But the driver of Disk I/O resets the disk below when it is
 * disconnected, as each is that lies on a disk that is opened EXCLUSIVE (target.c). So
 * ResetDevice() is replaced during that call, by one that does the same with the adapter's
 * protocol alone.
 * ResetBus() is only called for an "extended verification", which nothing asks for.
 */
#include <efi.h>

#include "scsi.h"

#include <stddef.h>

#include "device_path.h"
#include "firmware.h"
#include "protocol/ext_scsi_pass_thru.h"

/* The one disk. Static, because the firmware calls reset_device() without a context of ours. */
static struct {
	EFI_HANDLE disk;
	EFI_SCSI_IO_PROTOCOL *scsi; /* NULL: nothing is replaced */
	scsi_reset_device own;      /* the driver's */
	EFI_EXT_SCSI_PASS_THRU_PROTOCOL *adapter;
} replaced;

static EFI_STATUS EFIAPI reset_device(EFI_SCSI_IO_PROTOCOL *scsi)
{
	UINT8 target[TARGET_MAX_BYTES] = { 0 }, *at = target;
	UINT64 lun = 0;
	EFI_STATUS efi = scsi->GetDeviceLocation(scsi, &at, &lun);

	if (efi != EFI_SUCCESS)
		return efi;
	return replaced.adapter->ResetTargetLun(replaced.adapter, at, lun);
}

void scsi_reset_begin(EFI_HANDLE disk)
{
	EFI_SCSI_IO_PROTOCOL *scsi = PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL);
	EFI_HANDLE adapter = device_path_locate(device_path_of(disk),
						&(EFI_GUID)EFI_EXT_SCSI_PASS_THRU_PROTOCOL_GUID);

	replaced.disk = disk;
	replaced.adapter = PROTOCOL(adapter, EFI_EXT_SCSI_PASS_THRU_PROTOCOL);
	replaced.scsi = replaced.adapter != NULL ? scsi : NULL;
	if (replaced.scsi == NULL)
		return;
	replaced.own = scsi->ResetDevice;
	scsi->ResetDevice = reset_device;
}

void scsi_reset_end(void)
{
	/* A disk that has gone has taken its protocol with it. */
	if (replaced.scsi != NULL && PROTOCOL(replaced.disk, EFI_SCSI_IO_PROTOCOL) == replaced.scsi)
		replaced.scsi->ResetDevice = replaced.own;
	replaced.scsi = NULL;
}
