/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * EFI_DISK_INFO_PROTOCOL (Platform Initialization 1.7, volume 5, 2.2): the identification data that
 * a driver has read from its disk.
 */

#define EFI_DISK_INFO_PROTOCOL_GUID \
	{ \
		0xd432a67f, 0x14dc, 0x484b, \
		{ \
			0xb3, 0xbb, 0x3f, 0x02, 0x91, 0x84, 0x93, 0x27 \
		} \
	}

/* Values of `Interface`: the command set that the data belongs to. */
#define EFI_DISK_INFO_IDE_INTERFACE_GUID \
	{ \
		0x5e948fe3, 0x26d3, 0x42b5, \
		{ \
			0xaf, 0x17, 0x61, 0x02, 0x87, 0x18, 0x8d, 0xec \
		} \
	}
#define EFI_DISK_INFO_AHCI_INTERFACE_GUID \
	{ \
		0x9e498932, 0x4abc, 0x45af, \
		{ \
			0xa3, 0x4d, 0x02, 0x47, 0x78, 0x7b, 0xe7, 0xc6 \
		} \
	}
#define EFI_DISK_INFO_SCSI_INTERFACE_GUID \
	{ \
		0x08f74baa, 0xea36, 0x41d9, \
		{ \
			0x95, 0x21, 0x21, 0xa7, 0x0f, 0x87, 0x80, 0xbc \
		} \
	}
#define EFI_DISK_INFO_USB_INTERFACE_GUID \
	{ \
		0xcb871572, 0xc11a, 0x47b5, \
		{ \
			0xb4, 0x92, 0x67, 0x5e, 0xaf, 0xa7, 0x77, 0x27 \
		} \
	}
#define EFI_DISK_INFO_UFS_INTERFACE_GUID \
	{ \
		0x4b3029cc, 0x6b98, 0x47fb, \
		{ \
			0xbc, 0x96, 0x76, 0xdc, 0xb8, 0x04, 0x41, 0xf0 \
		} \
	}

typedef struct EFI_DISK_INFO_PROTOCOL EFI_DISK_INFO_PROTOCOL;

struct EFI_DISK_INFO_PROTOCOL {
	EFI_GUID Interface;
	EFI_STATUS(EFIAPI *Inquiry)(EFI_DISK_INFO_PROTOCOL *, VOID *data, UINT32 *size);
	EFI_STATUS(EFIAPI *Identify)(EFI_DISK_INFO_PROTOCOL *, VOID *data, UINT32 *size);
	EFI_STATUS(EFIAPI *SenseData)
	(EFI_DISK_INFO_PROTOCOL *, VOID *data, UINT32 *size, UINT8 *count);
	EFI_STATUS(EFIAPI *WhichIde)(EFI_DISK_INFO_PROTOCOL *, UINT32 *channel, UINT32 *device);
};
