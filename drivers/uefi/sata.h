/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * From now on the firmware's own drivers, those of file systems above all, read the SATA disk that
 * a device is, or is on, as we do: nothing is taken for read that was not (disk_read_blocks()), and
 * for written that the drive says it has not. No effect on other disks. sata_finish() undoes it,
 * before the program ends.
 */
void sata_watch(EFI_HANDLE volume);
void sata_finish(void);
