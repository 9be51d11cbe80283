/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_EXT_SCSI_PASS_THRU_PROTOCOL (UEFI 2.10, 15.7): commands to all devices of a SCSI channel. */

#include "scsi_io.h"

#define EFI_EXT_SCSI_PASS_THRU_PROTOCOL_GUID \
	{ \
		0x143b7632, 0xb81b, 0x4cb7, \
		{ \
			0xab, 0xd3, 0xb6, 0x25, 0xa5, 0xb9, 0xbf, 0xfe \
		} \
	}

enum { TARGET_MAX_BYTES = 16 };

typedef struct EFI_EXT_SCSI_PASS_THRU_PROTOCOL EFI_EXT_SCSI_PASS_THRU_PROTOCOL;

typedef EFI_STATUS(EFIAPI *ext_scsi_pass_thru)(EFI_EXT_SCSI_PASS_THRU_PROTOCOL *, UINT8 *target,
					       UINT64 lun, EFI_SCSI_IO_SCSI_REQUEST_PACKET *,
					       EFI_EVENT);

typedef EFI_STATUS(EFIAPI *ext_scsi_reset)(EFI_EXT_SCSI_PASS_THRU_PROTOCOL *, UINT8 *target,
					   UINT64 lun);

struct EFI_EXT_SCSI_PASS_THRU_PROTOCOL {
	VOID *Mode;
	ext_scsi_pass_thru PassThru;
	VOID *GetNextTargetLun;
	VOID *BuildDevicePath;
	VOID *GetTargetLun;
	VOID *ResetChannel;
	ext_scsi_reset ResetTargetLun;
};
