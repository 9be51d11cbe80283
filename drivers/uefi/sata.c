/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * SATA disks whose driver reports failures as success.
 *
 * EDK2's AHCI driver (202011 to 202302) returns success for a command that the drive has failed
 * five times in a row. The FAT driver sees only that success, and efi-img sees nothing of what the
 * two exchange. So two functions are replaced while the program runs, in the protocols by which
 * these drivers call each other:
 *
 * - ReadBlocks() of the disk, by one that recognises a read that has read nothing (disk_read_by());
 * - PassThru() of its controller, by one that checks the drive's own status after a write. (After a
 *   read that status may belong to an earlier command: PIO ends without one.)
 *
 * Asynchronous writes, which have an event, are passed on unchecked: neither the FAT driver nor
 * efi-img uses them.
 */
#include <efi.h>

#include "sata.h"

#include "base/memory.h"
#include "device_path.h"
#include "disk.h"
#include "firmware.h"
#include "protocol/ata_pass_thru.h"

enum { DISKS_MAX = 32, CONTROLLERS_MAX = 16 };

/* Static, because the firmware calls the replacements without a context of ours. */
static struct watched {
	EFI_HANDLE disk;
	EFI_BLOCK_IO_PROTOCOL *io;
	EFI_BLOCK_READ read; /* the driver's own */
} watched[DISKS_MAX];

static size_t n_watched;

static EFI_STATUS EFIAPI read_checked(EFI_BLOCK_IO_PROTOCOL *io, UINT32 media_id, EFI_LBA lba,
				      UINTN len, VOID *buf)
{
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i].io == io)
			return disk_read_by(watched[i].read, io, media_id, lba, buf, len);
	return EFI_DEVICE_ERROR; /* unreachable: only hooked instances point here */
}

static struct answering {
	EFI_HANDLE controller;
	EFI_ATA_PASS_THRU_PROTOCOL *ata;
	ata_pass_thru own; /* the driver's */
} answering[CONTROLLERS_MAX];

static size_t n_answering;

static EFI_STATUS EFIAPI pass_thru_checked(EFI_ATA_PASS_THRU_PROTOCOL *ata, UINT16 port,
					   UINT16 multiplier_port,
					   EFI_ATA_PASS_THRU_COMMAND_PACKET *packet,
					   EFI_EVENT event)
{
	EFI_STATUS efi = EFI_DEVICE_ERROR;
	bool writes;

	for (size_t i = 0; i < n_answering; i++)
		if (answering[i].ata == ata)
			efi = answering[i].own(ata, port, multiplier_port, packet, event);
	writes = packet->Protocol == EFI_ATA_PASS_THRU_PROTOCOL_PIO_DATA_OUT ||
		 packet->Protocol == EFI_ATA_PASS_THRU_PROTOCOL_UDMA_DATA_OUT;
	if (efi == EFI_SUCCESS && writes && event == NULL && packet->Asb != NULL &&
	    (packet->Asb->AtaStatus & ATA_STATUS_FAILED) != 0)
		efi = EFI_DEVICE_ERROR;
	return efi;
}

/* The SATA disk that a handle is, or is on; NULL: neither. */
static EFI_HANDLE sata_disk(EFI_HANDLE volume)
{
	enum { SATA = 18 }; /* UEFI 2.10, 10.3.4.6 */
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(volume);
	EFI_DEVICE_PATH_PROTOCOL *above = NULL;
	EFI_HANDLE disk;
	bool past_sata = false;

	FOR_EACH_NODE(node, path)
	{
		if (past_sata && above == NULL)
			above = device_path_copy(path, (size_t)((const uint8_t *)node -
								(const uint8_t *)path));
		past_sata |= node->Type == MESSAGING_DEVICE_PATH && node->SubType == SATA;
	}
	if (!past_sata)
		return NULL;
	disk = above != NULL ? device_path_locate(above, &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID)
			     : volume;
	mem_free(above);
	return disk;
}

static void watch_controller(EFI_HANDLE disk)
{
	EFI_HANDLE controller = device_path_locate(device_path_of(disk),
						   &(EFI_GUID)EFI_ATA_PASS_THRU_PROTOCOL_GUID);
	EFI_ATA_PASS_THRU_PROTOCOL *ata = PROTOCOL(controller, EFI_ATA_PASS_THRU_PROTOCOL);

	if (ata == NULL || ata->PassThru == pass_thru_checked || n_answering == CONTROLLERS_MAX)
		return;
	answering[n_answering++] = (struct answering){ controller, ata, ata->PassThru };
	ata->PassThru = pass_thru_checked;
}

void sata_watch(EFI_HANDLE volume)
{
	EFI_HANDLE disk = sata_disk(volume);
	EFI_BLOCK_IO_PROTOCOL *io = disk != NULL ? PROTOCOL(disk, EFI_BLOCK_IO_PROTOCOL) : NULL;

	if (disk != NULL)
		watch_controller(disk);
	if (io == NULL || io->ReadBlocks == read_checked || n_watched == DISKS_MAX)
		return;
	watched[n_watched++] = (struct watched){ .disk = disk, .io = io, .read = io->ReadBlocks };
	io->ReadBlocks = read_checked;
}

void sata_finish(void)
{
	for (; n_answering > 0; n_answering--) {
		const struct answering *last = &answering[n_answering - 1];

		if (PROTOCOL(last->controller, EFI_ATA_PASS_THRU_PROTOCOL) == last->ata &&
		    last->ata->PassThru == pass_thru_checked)
			last->ata->PassThru = last->own;
	}
	for (; n_watched > 0; n_watched--) {
		const struct watched *last = &watched[n_watched - 1];

		/* A disk that has gone has taken its protocol with it. */
		if (PROTOCOL(last->disk, EFI_BLOCK_IO_PROTOCOL) == last->io &&
		    last->io->ReadBlocks == read_checked)
			last->io->ReadBlocks = last->read;
	}
}
