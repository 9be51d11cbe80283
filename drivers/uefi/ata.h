/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"
#include "protocol/ata_pass_thru.h"

/* Where commands to an ATA drive go, through EFI_ATA_PASS_THRU_PROTOCOL (UEFI 2.10, 13.16). */
struct ata_port {
	EFI_HANDLE controller;
	EFI_ATA_PASS_THRU_PROTOCOL *ata;
	UINT16 port, multiplier_port;
};

/* Addressing by LBA (bit 6), and two bits that are obsolete and set (ATA8-ACS, 6.1). */
enum { ATA_DEVICE_HEAD = 0xe0 };

/* The controller that takes commands to the disk with this path; NULL: it is no ATA disk. */
EFI_HANDLE ata_controller_of(const EFI_DEVICE_PATH_PROTOCOL *);

/*
 * Finds the port of a disk on its controller, which is not NULL. Statuses: ST_MEDIUM_CHANGED (the
 * controller has gone), ST_NO_MEMORY, those of the firmware.
 */
enum status ata_find(EFI_HANDLE controller, const EFI_DEVICE_PATH_PROTOCOL *disk,
		     struct ata_port *ret);
