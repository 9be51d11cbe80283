/*
 * The drive's own flush command (flush.h). SPDX-License-Identifier: BSD-2-Clause
 *
 * A drive that is told to write its cache and cannot says so once: what it could not write it may
 * have given up, and the next flush succeeds. So each answer counts, and no command is sent again,
 * or replaced by another, because it failed.
 */
#include <efi.h>

#include "flush.h"

#include "ahci.h"
#include "base/memory.h"
#include "device_path.h"
#include "firmware.h"
#include "protocol/ata_pass_thru.h"
#include "protocol/disk_info.h"
#include "protocol/nvme_pass_thru.h"
#include "protocol/scsi_io.h"
#include "status.h"

/* A drive may need long for all that is in its cache; 100 ns units. */
#define TIMEOUT_30_S UINT64_C(300000000)

/*
 * Whether a drive's sense data says, of this command, that it does not know it: ILLEGAL REQUEST,
 * invalid command operation code (SPC-4, 4.5). In the fixed format (70h) and in the one with
 * descriptors (72h) that stands elsewhere. A deferred error (71h, 73h) is about an earlier command,
 * and so never an answer to this one.
 */
static bool is_unknown_command(const uint8_t sense[static 18])
{
	enum { ILLEGAL_REQUEST = 5, INVALID_OPERATION_CODE = 0x20 };

	switch (sense[0] & 0x7f) {
	case 0x70:
		return (sense[2] & 0x0f) == ILLEGAL_REQUEST && sense[12] == INVALID_OPERATION_CODE;
	case 0x72:
		return (sense[1] & 0x0f) == ILLEGAL_REQUEST && sense[2] == INVALID_OPERATION_CODE;
	default:
		return false;
	}
}

/*
 * SYNCHRONIZE CACHE (10) (SBC-4, 5.22), of everything. A drive without a cache need not know the
 * command. The packet tells what became of it in two more places than the status (UEFI 2.10, 15.4):
 * the adapter's, and the drive's own.
 */
static enum status flush_scsi(EFI_SCSI_IO_PROTOCOL *scsi)
{
	enum { SYNCHRONIZE_CACHE = 0x35 };
	uint8_t command[10] = { SYNCHRONIZE_CACHE };
	uint8_t sense[18] = { 0 };
	EFI_SCSI_IO_SCSI_REQUEST_PACKET packet = {
		.Timeout = TIMEOUT_30_S,
		.SenseData = sense,
		.Cdb = command,
		.CdbLength = sizeof command,
		.DataDirection = EFI_SCSI_DATA_IN,
		.SenseDataLength = sizeof sense,
	};
	enum status st = status_from_efi(scsi->ExecuteScsiCommand(scsi, &packet, NULL));

	if (st == ST_OK && packet.HostAdapterStatus != 0)
		return ST_IO;
	if (st == ST_OK && packet.TargetStatus != 0 && !is_unknown_command(sense))
		return ST_IO;
	return st;
}

enum { NO_COMMAND = 0, FLUSH_CACHE = 0xe7, FLUSH_CACHE_EXT = 0xea };

/*
 * The command of this drive (ATA8-ACS, 7.14 and 7.15): FLUSH CACHE EXT, unless IDENTIFY DEVICE says
 * that it has none. That is in word 83, and counts if the upper two bits of it are 01 (7.16.7).
 */
static UINT8 flush_command_of(EFI_HANDLE disk)
{
	/* Bits of the upper byte of word 83. */
	enum { VALID_MASK = 0xc0, VALID = 0x40, HAS_EXT = 0x20, HAS_PLAIN = 0x10 };
	EFI_DISK_INFO_PROTOCOL *info = PROTOCOL(disk, EFI_DISK_INFO_PROTOCOL);
	uint8_t answer[512] = { 0 };
	UINT32 size = sizeof answer;

	if (info == NULL || info->Identify(info, answer, &size) != EFI_SUCCESS ||
	    (answer[167] & VALID_MASK) != VALID || (answer[167] & HAS_EXT) != 0)
		return FLUSH_CACHE_EXT;
	return (answer[167] & HAS_PLAIN) != 0 ? FLUSH_CACHE : NO_COMMAND;
}

/*
 * Sends it. Drivers may call it a success when the drive has reported an error: what that says in
 * its status counts, the bits "error" and "device fault"; and so does that the command had to be
 * sent again (ahci.c).
 */
static enum status flush_ata(EFI_ATA_PASS_THRU_PROTOCOL *ata, EFI_HANDLE controller, UINT16 port,
			     UINT16 multiplier_port, UINT8 flush_command)
{
	EFI_ATA_COMMAND_BLOCK command = { .AtaCommand = flush_command, .AtaDeviceHead = 0xe0 };
	EFI_ATA_PASS_THRU_COMMAND_PACKET packet = {
		.Asb = io_alloc(sizeof *packet.Asb),
		.Acb = &command,
		.Timeout = TIMEOUT_30_S,
		.Protocol = EFI_ATA_PASS_THRU_PROTOCOL_ATA_NON_DATA,
	};
	enum status st;

	if (packet.Asb == NULL)
		return ST_NO_MEMORY;
	memset(packet.Asb, 0, sizeof *packet.Asb);
	ahci_count_begin(controller, port);
	st = status_from_efi(ata->PassThru(ata, port, multiplier_port, &packet, NULL));
	if (ahci_count_end() > 1 || (packet.Asb->AtaStatus & ATA_STATUS_FAILED) != 0)
		st = st == ST_OK ? ST_IO : st;
	io_free(packet.Asb, sizeof *packet.Asb);
	return st;
}

/* The controller that takes ATA commands for what the path leads to. NULL: there is none. */
static EFI_HANDLE ata_controller_of(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	return device_path_locate(path, &(EFI_GUID)EFI_ATA_PASS_THRU_PROTOCOL_GUID);
}

/* Sends the command through the controller. */
static enum status flush_behind(EFI_HANDLE controller, EFI_HANDLE disk,
				const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_ATA_PASS_THRU_PROTOCOL *ata = PROTOCOL(controller, EFI_ATA_PASS_THRU_PROTOCOL);
	EFI_DEVICE_PATH_PROTOCOL *node = device_path_last(path);
	UINT8 command = flush_command_of(disk);
	UINT16 port, multiplier_port;
	enum status st;

	if (node == NULL)
		return ST_NO_MEMORY;
	st = ata != NULL ? status_from_efi(ata->GetDevice(ata, node, &port, &multiplier_port))
			 : ST_MEDIUM_CHANGED;
	mem_free(node);
	if (st != ST_OK || command == NO_COMMAND)
		return st;
	return flush_ata(ata, controller, port, multiplier_port, command);
}

enum status flush_drive(EFI_HANDLE disk)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	EFI_SCSI_IO_PROTOCOL *scsi = PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL);
	EFI_HANDLE controller = ata_controller_of(path);

	if (scsi != NULL)
		return flush_scsi(scsi);
	return controller != NULL ? flush_behind(controller, disk, path) : ST_OK;
}

bool flush_reaches(EFI_HANDLE disk)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);

	/* The drivers for NVMe and virtio do flush. */
	return PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL) != NULL || ata_controller_of(path) != NULL ||
	       device_path_locate(path, &(EFI_GUID)EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID) !=
		       NULL ||
	       device_path_is_virtio(path);
}
