/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Block I/O of a disk that cannot be read or written, for drivers that are about what comes before
 * a transfer: which disks there are, and what they say of themselves. <efi.h> comes first.
 */

/* The GUID of the vendor in their device paths. */
#define DEAD_DISK_VENDOR \
	{ \
		0x6d2e1c35, 0x9b0e, 0x4d1c, \
		{ \
			0xa3, 0x5c, 0x1f, 0x0f, 0x0d, 0x0d, 0xb1, 0x0c \
		} \
	}

static EFI_STATUS EFIAPI dead_disk_reset(EFI_BLOCK_IO_PROTOCOL *io, BOOLEAN all)
{
	(void)io;
	(void)all;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI dead_disk_transfer(EFI_BLOCK_IO_PROTOCOL *io, UINT32 id, EFI_LBA lba,
					    UINTN n, VOID *buf)
{
	(void)io;
	(void)id;
	(void)lba;
	(void)n;
	(void)buf;
	return EFI_DEVICE_ERROR;
}

static EFI_STATUS EFIAPI dead_disk_flush(EFI_BLOCK_IO_PROTOCOL *io)
{
	(void)io;
	return EFI_DEVICE_ERROR;
}

static inline EFI_BLOCK_IO_PROTOCOL dead_disk(EFI_BLOCK_IO_MEDIA *media)
{
	return (EFI_BLOCK_IO_PROTOCOL){ .Revision = EFI_BLOCK_IO_INTERFACE_REVISION,
					.Media = media,
					.Reset = dead_disk_reset,
					.ReadBlocks = dead_disk_transfer,
					.WriteBlocks = dead_disk_transfer,
					.FlushBlocks = dead_disk_flush };
}
