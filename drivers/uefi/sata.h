/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Makes failures of the SATA disk that a device is, or is on, visible to the firmware's own
 * drivers, such as that of FAT: a read that read nothing fails (disk_read_blocks()), and so does a
 * write that the drive has failed. No effect on other disks.
 */
void sata_watch(EFI_HANDLE volume);

/* Undoes all of it. Call before the program ends. */
void sata_finish(void);
