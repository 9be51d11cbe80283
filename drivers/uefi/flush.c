/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The flush command of ATA and SCSI drives, which EDK2's FlushBlocks() does not send (flush.h).
 *
 * A drive that cannot write a part of its cache reports that once: it may drop that part, and the
 * next flush succeeds. So every result counts, and a command that has failed is neither repeated
 * nor replaced by another one.
 */
#include <efi.h>

#include "flush.h"

#include "ahci.h"
#include "ata.h"
#include "base/memory.h"
#include "device_path.h"
#include "firmware.h"
#include "protocol/disk_info.h"
#include "protocol/nvme_pass_thru.h"
#include "protocol/scsi_io.h"
#include "status.h"

/* In units of 100 ns. Writing a whole cache may take a drive many seconds. */
#define TIMEOUT_30_S UINT64_C(300000000)

/*
 * Whether the sense data means that the drive does not have this command: ILLEGAL REQUEST, invalid
 * command operation code (SPC-4, 4.5), in fixed format (70h) or descriptor format (72h). Deferred
 * errors (71h, 73h) are about an earlier command.
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
 * SYNCHRONIZE CACHE (10) for the whole medium (SBC-4, 5.22), which a drive without a cache need not
 * have. The packet reports failures in two places besides the returned status (UEFI 2.10, 15.4):
 * the status of the adapter, and that of the drive.
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
 * The command of this drive: FLUSH CACHE EXT or FLUSH CACHE (ATA8-ACS, 7.15 and 7.14), as word 83
 * of IDENTIFY DEVICE has it, which is valid if its upper two bits are 01 (7.16.7). FLUSH CACHE EXT
 * if that is unknown: every drive of more than 128 GiB has it.
 */
static UINT8 flush_command_of(EFI_HANDLE disk)
{
	/* the upper byte of word 83, and bits of it */
	enum {
		SUPPORT = 2 * 83 + 1,
		VALID_MASK = 0xc0,
		VALID = 0x40,
		HAS_EXT = 0x20,
		HAS_PLAIN = 0x10,
	};
	EFI_DISK_INFO_PROTOCOL *info = PROTOCOL(disk, EFI_DISK_INFO_PROTOCOL);
	uint8_t answer[512] = { 0 };
	UINT32 size = sizeof answer;

	if (info == NULL || info->Identify(info, answer, &size) != EFI_SUCCESS ||
	    (answer[SUPPORT] & VALID_MASK) != VALID || (answer[SUPPORT] & HAS_EXT) != 0)
		return FLUSH_CACHE_EXT;
	return (answer[SUPPORT] & HAS_PLAIN) != 0 ? FLUSH_CACHE : NO_COMMAND;
}

/*
 * Drivers may report success although the drive has not. So the bits "error" and "device fault" of
 * the drive's status count as well, and so does a command that was sent more than once (ahci.c).
 */
static enum status flush_ata(const struct ata_port *port, UINT8 flush_command)
{
	EFI_ATA_COMMAND_BLOCK command = { .AtaCommand = flush_command,
					  .AtaDeviceHead = ATA_DEVICE_HEAD };
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
	ahci_count_begin(port->controller, port->port);
	st = status_from_efi(
		port->ata->PassThru(port->ata, port->port, port->multiplier_port, &packet, NULL));
	if (ahci_count_end() > 1 || (packet.Asb->AtaStatus & ATA_STATUS_FAILED) != 0)
		st = st == ST_OK ? ST_IO : st;
	io_free(packet.Asb, sizeof *packet.Asb);
	return st;
}

static enum status flush_on_controller(EFI_HANDLE controller, EFI_HANDLE disk,
				       const EFI_DEVICE_PATH_PROTOCOL *path)
{
	UINT8 command = flush_command_of(disk);
	struct ata_port port;
	enum status st = ata_find(controller, path, &port);

	if (st != ST_OK || command == NO_COMMAND)
		return st;
	return flush_ata(&port, command);
}

enum status flush_drive(EFI_HANDLE disk)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	EFI_SCSI_IO_PROTOCOL *scsi = PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL);
	EFI_HANDLE controller = ata_controller_of(path);

	if (scsi != NULL)
		return flush_scsi(scsi);
	return controller != NULL ? flush_on_controller(controller, disk, path) : ST_OK;
}

bool flush_reaches(EFI_HANDLE disk)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);

	/* for NVMe and virtio, EDK2's FlushBlocks() flushes */
	return PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL) != NULL || ata_controller_of(path) != NULL ||
	       device_path_locate(path, &(EFI_GUID)EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID) !=
		       NULL ||
	       device_path_is_virtio(path);
}
