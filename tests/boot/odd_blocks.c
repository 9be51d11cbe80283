/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: devices with Block I/O and blocks of lengths that no disk has,
 * such as iPXE's virtual volume, and one with blocks as they should be, to tell them from. All are
 * of the device path of DEAD_DISK_VENDOR, with the length of the blocks in the node.
 */
#include <efi.h>

#include "dead_disk.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static const UINT32 lengths[] = { 0, 1, 256, 768, 2352, 4 << 20, 512 };

enum { N = sizeof lengths / sizeof *lengths };

static struct path {
	VENDOR_DEVICE_PATH vendor;
	UINT8 length[4];
	EFI_DEVICE_PATH_PROTOCOL end;
} __attribute__((packed)) path[N];

static EFI_BLOCK_IO_MEDIA media[N];
static EFI_BLOCK_IO_PROTOCOL block_io[N];

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	static EFI_GUID block_io_guid = EFI_BLOCK_IO_PROTOCOL_GUID;
	static EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
	EFI_STATUS efi = EFI_SUCCESS;

	(void)image;
	for (UINTN i = 0; efi == EFI_SUCCESS && i < N; i++) {
		EFI_HANDLE handle = NULL;

		path[i] = (struct path){
			.vendor = { { HARDWARE_DEVICE_PATH,
				      HW_VENDOR_DP,
				      { sizeof path[i] - 4, 0 } },
				    DEAD_DISK_VENDOR },
			.length = { (UINT8)lengths[i], (UINT8)(lengths[i] >> 8),
				    (UINT8)(lengths[i] >> 16), 0 },
			.end = { END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, { 4, 0 } },
		};
		media[i] = (EFI_BLOCK_IO_MEDIA){ .MediaPresent = TRUE,
						 .BlockSize = lengths[i],
						 .LastBlock = 9999 };
		block_io[i] = dead_disk(&media[i]);
		efi = system->BootServices->InstallMultipleProtocolInterfaces(&handle,
									      &block_io_guid,
									      &block_io[i],
									      &path_guid, &path[i],
									      NULL);
	}
	return efi;
}
