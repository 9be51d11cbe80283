#include <efi.h>

#include "flush.h"

#include "base/memory.h"
#include "base/platform.h"
#include "device_path.h"
#include "firmware.h"
#include "protocol/ata_pass_thru.h"
#include "protocol/disk_info.h"
#include "protocol/nvme_pass_thru.h"
#include "protocol/scsi_io.h"
#include "status.h"

/* A drive may need long for all that is in its cache; 100 ns units. */
#define TIMEOUT_30_S UINT64_C(300000000)

/* SYNCHRONIZE CACHE (10) (SBC-4, 5.22), of everything. */
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

	/* ILLEGAL REQUEST: a drive without a cache need not know the command. */
	if (st == ST_OK && packet.TargetStatus != 0 && (sense[2] & 0x0f) != 5)
		st = ST_IO;
	return st;
}

/* Whether IDENTIFY DEVICE says that the drive has neither command: word 83, if its upper bits are as they are to be (ATA8-ACS, 7.16.7). */
static bool has_no_flush(EFI_HANDLE disk)
{
	EFI_DISK_INFO_PROTOCOL *info = PROTOCOL(disk, EFI_DISK_INFO_PROTOCOL);
	uint8_t answer[512] = { 0 };
	UINT32 size = sizeof answer;

	return info != NULL && info->Identify(info, answer, &size) == EFI_SUCCESS && (answer[167] & 0xf0) == 0x40;
}

/*
 * FLUSH CACHE EXT, or FLUSH CACHE for drives that are too old for it (ATA8-ACS, 7.14 and 7.15). Drivers may call it a
 * success when the drive has reported an error: what that says in its status counts, the bits "error" and "device fault".
 */
static enum status flush_ata(EFI_ATA_PASS_THRU_PROTOCOL *ata, UINT16 port, UINT16 multiplier_port)
{
	static const UINT8 commands[] = { 0xea, 0xe7 };
	EFI_ATA_COMMAND_BLOCK command = { .AtaDeviceHead = 0xe0 };
	EFI_ATA_PASS_THRU_COMMAND_PACKET packet = {
		.Asb = io_alloc(sizeof *packet.Asb),
		.Acb = &command,
		.Timeout = TIMEOUT_30_S,
		.Protocol = EFI_ATA_PASS_THRU_PROTOCOL_ATA_NON_DATA,
	};
	enum status st = ST_NO_MEMORY;

	for (size_t i = 0; packet.Asb != NULL && st != ST_OK && i < sizeof commands; i++) {
		memset(packet.Asb, 0, sizeof *packet.Asb);
		command.AtaCommand = commands[i];
		st = status_from_efi(ata->PassThru(ata, port, multiplier_port, &packet, NULL));
		if (st == ST_OK && (packet.Asb->AtaStatus & 0x21) != 0)
			st = ST_IO;
	}
	io_free(packet.Asb, sizeof *packet.Asb);
	return st;
}

/* Sends the command through the controller. */
static enum status flush_behind(EFI_ATA_PASS_THRU_PROTOCOL *ata, const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_DEVICE_PATH_PROTOCOL *node = device_path_last(path);
	UINT16 port, multiplier_port;
	enum status st;

	if (node == NULL)
		return ST_NO_MEMORY;
	st = status_from_efi(ata->GetDevice(ata, node, &port, &multiplier_port));
	mem_free(node);
	return st == ST_OK ? flush_ata(ata, port, multiplier_port) : st;
}

static EFI_ATA_PASS_THRU_PROTOCOL *ata_of(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_HANDLE controller = device_path_locate(path, &(EFI_GUID)EFI_ATA_PASS_THRU_PROTOCOL_GUID);

	return PROTOCOL(controller, EFI_ATA_PASS_THRU_PROTOCOL);
}

enum status flush_drive(EFI_HANDLE disk)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	EFI_SCSI_IO_PROTOCOL *scsi = PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL);
	EFI_ATA_PASS_THRU_PROTOCOL *ata = ata_of(path);
	enum status st;

	if (scsi != NULL)
		return flush_scsi(scsi);
	st = ata != NULL ? flush_behind(ata, path) : ST_OK;
	return st == ST_IO && has_no_flush(disk) ? ST_OK : st;
}

bool flush_reaches(EFI_HANDLE disk)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);

	/* The drivers for NVMe and virtio do flush. */
	return PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL) != NULL || ata_of(path) != NULL ||
	       device_path_locate(path, &(EFI_GUID)EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID) != NULL || device_path_is_virtio(path);
}
