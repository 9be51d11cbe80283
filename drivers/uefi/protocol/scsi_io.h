/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_SCSI_IO_PROTOCOL (UEFI 2.10, 15.4): commands to one SCSI device. */

#define EFI_SCSI_IO_PROTOCOL_GUID \
	{ \
		0x932f47e6, 0x2362, 0x4002, \
		{ \
			0x80, 0x3e, 0x3c, 0xd5, 0x4b, 0x13, 0x8f, 0x85 \
		} \
	}

enum { EFI_SCSI_DATA_IN = 0 };

typedef struct {
	UINT64 Timeout; /* in 100 ns */
	VOID *InDataBuffer;
	VOID *OutDataBuffer;
	VOID *SenseData;
	VOID *Cdb;
	UINT32 InTransferLength;
	UINT32 OutTransferLength;
	UINT8 CdbLength;
	UINT8 DataDirection;
	UINT8 HostAdapterStatus;
	UINT8 TargetStatus;
	UINT8 SenseDataLength;
} EFI_SCSI_IO_SCSI_REQUEST_PACKET;

typedef struct EFI_SCSI_IO_PROTOCOL EFI_SCSI_IO_PROTOCOL;

typedef EFI_STATUS(EFIAPI *scsi_reset_device)(EFI_SCSI_IO_PROTOCOL *);

struct EFI_SCSI_IO_PROTOCOL {
	EFI_STATUS(EFIAPI *GetDeviceType)(EFI_SCSI_IO_PROTOCOL *, UINT8 *type);
	EFI_STATUS(EFIAPI *GetDeviceLocation)(EFI_SCSI_IO_PROTOCOL *, UINT8 **target, UINT64 *lun);
	EFI_STATUS(EFIAPI *ResetBus)(EFI_SCSI_IO_PROTOCOL *);
	scsi_reset_device ResetDevice;
	EFI_STATUS(EFIAPI *ExecuteScsiCommand)
	(EFI_SCSI_IO_PROTOCOL *, EFI_SCSI_IO_SCSI_REQUEST_PACKET *, EFI_EVENT);
	UINT32 IoAlign;
};
