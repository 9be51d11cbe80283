/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: a disk of 1 MiB of zeros whose last block cannot be read. It
 * reports success for that, as U-Boot 2025.01 does past the end of a SATA disk: the first read
 * leaves the caller's buffer as it is, and keeps what is in it as the content of the block. Reads
 * of more than a few blocks fail honestly, so that a reader turns to single ones.
 */
#include <efi.h>

#include "dead_disk.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

enum { BLOCK_BYTES = 512, LAST = 2047, CACHED_BLOCKS = 8 };

static EFI_BOOT_SERVICES *services;
static UINT8 kept[BLOCK_BYTES];
static BOOLEAN is_kept;

static EFI_STATUS EFIAPI read(EFI_BLOCK_IO_PROTOCOL *io, UINT32 id, EFI_LBA lba, UINTN n, VOID *buf)
{
	UINT8 *last;

	(void)io;
	(void)id;
	if (lba + n / BLOCK_BYTES <= LAST) {
		services->SetMem(buf, n, 0);
		return EFI_SUCCESS;
	}
	if (n > CACHED_BLOCKS * BLOCK_BYTES)
		return EFI_DEVICE_ERROR;
	last = (UINT8 *)buf + n - BLOCK_BYTES;
	services->SetMem(buf, n - BLOCK_BYTES, 0);
	services->CopyMem(is_kept ? last : kept, is_kept ? kept : last, BLOCK_BYTES);
	is_kept = TRUE;
	return EFI_SUCCESS;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	static EFI_GUID block_io = EFI_BLOCK_IO_PROTOCOL_GUID;
	static EFI_GUID device_path = EFI_DEVICE_PATH_PROTOCOL_GUID;
	static EFI_BLOCK_IO_MEDIA media = { .MediaPresent = TRUE,
					    .BlockSize = BLOCK_BYTES,
					    .LastBlock = LAST };
	static struct {
		VENDOR_DEVICE_PATH vendor;
		EFI_DEVICE_PATH_PROTOCOL end;
	} __attribute__((packed)) path = {
		.vendor = { { HARDWARE_DEVICE_PATH, HW_VENDOR_DP, { sizeof path.vendor, 0 } },
			    DEAD_DISK_VENDOR },
		.end = { END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, { 4, 0 } },
	};
	static EFI_BLOCK_IO_PROTOCOL io;
	EFI_HANDLE handle = NULL;

	(void)image;
	services = system->BootServices;
	io = dead_disk(&media);
	io.ReadBlocks = read;
	return services->InstallMultipleProtocolInterfaces(&handle, &block_io, &io, &device_path,
							   &path, NULL);
}
