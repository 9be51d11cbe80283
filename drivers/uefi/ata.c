/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a disk to the port that takes its ATA commands. The protocol is on the handle of the
 * controller; the last node of the disk's device path says to it which drive is meant.
 */
#include <efi.h>

#include "ata.h"

#include "base/memory.h"
#include "device_path.h"
#include "firmware.h"
#include "status.h"

EFI_HANDLE ata_controller_of(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	return device_path_locate(path, &(EFI_GUID)EFI_ATA_PASS_THRU_PROTOCOL_GUID);
}

enum status ata_find(EFI_HANDLE controller, const EFI_DEVICE_PATH_PROTOCOL *disk,
		     struct ata_port *ret)
{
	EFI_DEVICE_PATH_PROTOCOL *node = device_path_last(disk);
	enum status st;

	*ret = (struct ata_port){ .controller = controller,
				  .ata = PROTOCOL(controller, EFI_ATA_PASS_THRU_PROTOCOL) };
	if (node == NULL)
		return ST_NO_MEMORY;
	st = ret->ata != NULL ? status_from_efi(ret->ata->GetDevice(ret->ata, node, &ret->port,
								    &ret->multiplier_port))
			      : ST_MEDIUM_CHANGED;
	mem_free(node);
	return st;
}
