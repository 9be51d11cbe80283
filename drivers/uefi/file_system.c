/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounted volumes (EFI_SIMPLE_FILE_SYSTEM_PROTOCOL, UEFI 2.10, 13.4): opening, describing and
 * flushing them.
 *
 * The firmware does not say which file system a volume has. Only FAT has limits that matter here,
 * and its boot sector identifies it.
 */
#include <efi.h>

#include "file_system.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/size.h"
#include "device_path.h"
#include "disk.h"
#include "fs/fat_boot.h"
#include "firmware.h"
#include "sata.h"
#include "status.h"
#include "text16.h"

enum { SECTOR_BYTES = 512, INFO_USUAL = 1 << 10, INFO_MAX = 64 << 10 };

#define FAT_FILE_LIMIT UINT64_C(0xffffffff)

enum status file_get_info(EFI_FILE_PROTOCOL *file, EFI_GUID *type, void **ret, size_t *ret_bytes)
{
	UINTN size = INFO_USUAL;
	void *info = mem_alloc(size);
	EFI_STATUS efi;

	*ret = NULL;
	*ret_bytes = 0;
	if (info == NULL)
		return ST_NO_MEMORY;
	/* not asking for the size first: each call may flush the volume's cache */
	efi = file->GetInfo(file, type, &size, info);
	if (efi == EFI_BUFFER_TOO_SMALL && size <= INFO_MAX) {
		mem_free(info);
		info = mem_alloc(size);
		if (info == NULL)
			return ST_NO_MEMORY;
		efi = file->GetInfo(file, type, &size, info);
	}
	if (efi != EFI_SUCCESS) {
		mem_free(info);
		return efi == EFI_BUFFER_TOO_SMALL ? ST_IO : status_from_efi(efi);
	}
	*ret = info;
	*ret_bytes = size;
	return ST_OK;
}

enum status file_system_root(EFI_HANDLE handle, EFI_FILE_PROTOCOL **ret)
{
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs = PROTOCOL(handle, EFI_SIMPLE_FILE_SYSTEM_PROTOCOL);

	if (fs == NULL)
		return ST_UNSUPPORTED;
	sata_watch(handle);
	return status_from_efi(fs->OpenVolume(fs, ret));
}

/* The cluster size in a FAT boot sector (FAT specification 1.03, section 3); 0: it is not FAT. */
static uint32_t fat_cluster_bytes(const uint8_t sector[static SECTOR_BYTES])
{
	struct fat_boot_sector fat;

	return fat_recognise(sector, &fat) ? (uint32_t)bytes_from_le(sector + 11, 2) * sector[13]
					   : 0;
}

static enum status look_at_boot_sector(EFI_HANDLE handle, struct file_system *ret)
{
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(handle, EFI_BLOCK_IO_PROTOCOL);
	uint8_t sector[SECTOR_BYTES];
	uint32_t cluster_bytes = 0;
	struct blk *blk;
	enum status st;

	if (io == NULL)
		return ST_OK;
	st = disk_open(handle, &blk);
	if (st == ST_UNSUPPORTED)
		return ST_OK; /* not a disk, so no boot sector */
	if (st != ST_OK)
		return st;
	if (blk->size >= sizeof sector) {
		st = blk_read(blk, 0, sector, sizeof sector);
		if (st == ST_OK)
			cluster_bytes = fat_cluster_bytes(sector);
	}
	blk_close(blk);
	if (cluster_bytes > 0) {
		ret->cluster_bytes = cluster_bytes;
		ret->file_limit_bytes = FAT_FILE_LIMIT;
	}
	return st;
}

/* What drivers of volumes that cannot be written return from Flush(). */
static bool nothing_to_write(EFI_STATUS efi)
{
	return efi == EFI_SUCCESS || efi == EFI_WRITE_PROTECTED || efi == EFI_ACCESS_DENIED ||
	       efi == EFI_UNSUPPORTED;
}

enum status file_system_settle(EFI_HANDLE device)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(device);
	EFI_HANDLE *handles = NULL;
	size_t n;
	enum status st = firmware_handles(&(EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID, &handles,
					  &n);

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		EFI_FILE_PROTOCOL *root;
		EFI_STATUS efi;

		if (handles[i] != device &&
		    (path == NULL || !device_path_is_below(device_path_of(handles[i]), path)))
			continue;
		if (file_system_root(handles[i], &root) != ST_OK)
			continue; /* not mounted */
		efi = root->Flush(root);
		(void)root->Close(root); /* nothing was written */
		if (!nothing_to_write(efi))
			st = status_from_efi(efi);
	}
	firmware_free(handles);
	return st;
}

/*
 * Whether the volume is one that El Torito's catalogue names. EDK2 does not report the medium of a
 * USB CD drive as read-only, and waits for minutes after each write that the drive has refused.
 */
static bool is_on_cd(EFI_HANDLE handle)
{
	FOR_EACH_NODE(node, device_path_of(handle))
	{
		if (node->Type == MEDIA_DEVICE_PATH && node->SubType == MEDIA_CDROM_DP)
			return true;
	}
	return false;
}

enum status file_system_look(EFI_HANDLE handle, EFI_FILE_PROTOCOL *root, struct file_system *ret)
{
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(handle, EFI_BLOCK_IO_PROTOCOL);
	EFI_FILE_SYSTEM_INFO *info = NULL;
	size_t bytes;
	enum status st;

	*ret = (struct file_system){ 0 };
	st = file_get_info(root, &(EFI_GUID)EFI_FILE_SYSTEM_INFO_ID, (void **)&info, &bytes);
	if (st != ST_OK)
		return st;
	if (info == NULL || bytes < SIZE_OF_EFI_FILE_SYSTEM_INFO) {
		mem_free(info);
		return ST_IO;
	}
	*ret = (struct file_system){
		.read_only = info->ReadOnly,
		.size_bytes = info->VolumeSize,
		.free_bytes = info->FreeSpace,
		.file_limit_bytes = SIZE_LIMIT,
		.cluster_bytes = info->BlockSize > 0 ? info->BlockSize : SECTOR_BYTES,
		.label = text16_to_utf8_n(info->VolumeLabel,
					  (bytes - SIZE_OF_EFI_FILE_SYSTEM_INFO) / sizeof(CHAR16)),
	};
	mem_free(info);
	/* not every driver looks at the medium */
	ret->read_only |= (io != NULL && io->Media->ReadOnly) || is_on_cd(handle);
	if (ret->label == NULL)
		return ST_NO_MEMORY;
	return look_at_boot_sector(handle, ret);
}

void file_system_free(struct file_system *fs)
{
	mem_free(fs->label);
	*fs = (struct file_system){ 0 };
}
