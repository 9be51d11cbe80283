/*
 * What disk.c says of OVMF's driver of SATA disks holds for files as well: its success is all that the FAT driver gets to
 * see, and what it reads into its cache never comes by here. So the function that reads is replaced in the disk's
 * protocol, as long as the program runs.
 */
#include <efi.h>

#include "sata.h"

#include "base/platform.h"
#include "device_path.h"
#include "disk.h"
#include "firmware.h"

enum { DISKS_MAX = 32 };

static struct watched {
	EFI_HANDLE disk;
	EFI_BLOCK_IO_PROTOCOL *io;
	EFI_BLOCK_READ read; /* the driver's own */
} watched[DISKS_MAX];

static size_t n_watched;

static EFI_STATUS EFIAPI read_checked(EFI_BLOCK_IO_PROTOCOL *io, UINT32 media_id, EFI_LBA lba, UINTN len, VOID *buf)
{
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i].io == io)
			return disk_read_by(watched[i].read, io, media_id, lba, buf, len);
	return EFI_DEVICE_ERROR; /* nobody calls it so */
}

/* The handle of the SATA disk that is the volume, or has it. NULL: it is on none. */
static EFI_HANDLE sata_disk(EFI_HANDLE volume)
{
	enum { SATA = 18 }; /* UEFI 2.10, 10.3.4.6 */
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(volume);
	EFI_DEVICE_PATH_PROTOCOL *above = NULL;
	EFI_HANDLE disk;
	bool behind = false;

	FOR_EACH_NODE(node, path) {
		if (behind && above == NULL)
			above = device_path_copy(path, (size_t)((const uint8_t *)node - (const uint8_t *)path));
		behind |= node->Type == MESSAGING_DEVICE_PATH && node->SubType == SATA;
	}
	if (!behind)
		return NULL;
	disk = above != NULL ? device_path_locate(above, &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID) : volume;
	mem_free(above);
	return disk;
}

void sata_watch(EFI_HANDLE volume)
{
	EFI_HANDLE disk = sata_disk(volume);
	EFI_BLOCK_IO_PROTOCOL *io = disk != NULL ? PROTOCOL(disk, EFI_BLOCK_IO_PROTOCOL) : NULL;

	if (io == NULL || io->ReadBlocks == read_checked || n_watched == DISKS_MAX)
		return;
	watched[n_watched++] = (struct watched){ .disk = disk, .io = io, .read = io->ReadBlocks };
	io->ReadBlocks = read_checked;
}

void sata_finish(void)
{
	for (; n_watched > 0; n_watched--) {
		const struct watched *last = &watched[n_watched - 1];

		/* A disk that has gone has taken its protocol with it. */
		if (PROTOCOL(last->disk, EFI_BLOCK_IO_PROTOCOL) == last->io && last->io->ReadBlocks == read_checked)
			last->io->ReadBlocks = last->read;
	}
}
