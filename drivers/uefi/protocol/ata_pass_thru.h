/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_ATA_PASS_THRU_PROTOCOL (UEFI 2.10, 13.16): commands to the devices of an ATA controller. */

#define EFI_ATA_PASS_THRU_PROTOCOL_GUID \
	{ \
		0x1d3de7f0, 0x0807, 0x424f, \
		{ \
			0xaa, 0x69, 0x11, 0xa5, 0x4e, 0x19, 0xa4, 0x6f \
		} \
	}

enum {
	EFI_ATA_PASS_THRU_PROTOCOL_ATA_NON_DATA = 2,
	EFI_ATA_PASS_THRU_PROTOCOL_PIO_DATA_IN = 4,
	EFI_ATA_PASS_THRU_PROTOCOL_PIO_DATA_OUT = 5,
	EFI_ATA_PASS_THRU_PROTOCOL_UDMA_DATA_OUT = 11,
};

/* Packet.Length: transfer lengths are in bytes, and the drive is told them by its sector count. */
enum {
	EFI_ATA_PASS_THRU_LENGTH_SECTOR_COUNT = 0x20,
	EFI_ATA_PASS_THRU_LENGTH_BYTES = 0x80,
};

typedef struct {
	UINT8 Reserved1[2];
	UINT8 AtaCommand;
	UINT8 AtaFeatures;
	UINT8 AtaSectorNumber;
	UINT8 AtaCylinderLow;
	UINT8 AtaCylinderHigh;
	UINT8 AtaDeviceHead;
	UINT8 AtaSectorNumberExp;
	UINT8 AtaCylinderLowExp;
	UINT8 AtaCylinderHighExp;
	UINT8 AtaFeaturesExp;
	UINT8 AtaSectorCount;
	UINT8 AtaSectorCountExp;
	UINT8 Reserved2[6];
} EFI_ATA_COMMAND_BLOCK;

typedef struct {
	UINT8 Reserved1[2];
	UINT8 AtaStatus;
	UINT8 AtaError;
	UINT8 AtaSectorNumber;
	UINT8 AtaCylinderLow;
	UINT8 AtaCylinderHigh;
	UINT8 AtaDeviceHead;
	UINT8 AtaSectorNumberExp;
	UINT8 AtaCylinderLowExp;
	UINT8 AtaCylinderHighExp;
	UINT8 Reserved2;
	UINT8 AtaSectorCount;
	UINT8 AtaSectorCountExp;
	UINT8 Reserved3[6];
} EFI_ATA_STATUS_BLOCK;

/* Bits of AtaStatus: "error" and "device fault" (ATA8-ACS, 6.2). */
enum { ATA_STATUS_FAILED = 0x21 };

typedef struct {
	EFI_ATA_STATUS_BLOCK *Asb; /* aligned to Mode->IoAlign */
	EFI_ATA_COMMAND_BLOCK *Acb;
	UINT64 Timeout; /* in 100 ns */
	VOID *InDataBuffer;
	VOID *OutDataBuffer;
	UINT32 InTransferLength;
	UINT32 OutTransferLength;
	UINT8 Protocol;
	UINT8 Length;
} EFI_ATA_PASS_THRU_COMMAND_PACKET;

typedef struct EFI_ATA_PASS_THRU_PROTOCOL EFI_ATA_PASS_THRU_PROTOCOL;

typedef EFI_STATUS(EFIAPI *ata_pass_thru)(EFI_ATA_PASS_THRU_PROTOCOL *, UINT16 port,
					  UINT16 multiplier_port,
					  EFI_ATA_PASS_THRU_COMMAND_PACKET *, EFI_EVENT);

struct EFI_ATA_PASS_THRU_PROTOCOL {
	VOID *Mode;
	ata_pass_thru PassThru;
	VOID *GetNextPort;
	VOID *GetNextDevice;
	VOID *BuildDevicePath;
	EFI_STATUS(EFIAPI *GetDevice)
	(EFI_ATA_PASS_THRU_PROTOCOL *, EFI_DEVICE_PATH_PROTOCOL *, UINT16 *port,
	 UINT16 *multiplier_port);
};
