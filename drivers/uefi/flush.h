/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/status.h"

/*
 * Makes a drive write its cache to the medium. FlushBlocks() does nothing for ATA, SCSI and USB in
 * EDK2 and firmware made from it, so for ATA and SCSI the drive's own command is sent. Does nothing
 * for other drives. `disk` is the handle of a whole disk. Statuses: those of the command,
 * ST_NO_MEMORY.
 */
[[nodiscard]] enum status flush_drive(EFI_HANDLE disk);

/* Returns whether FlushBlocks() or flush_drive() reaches the drive, as far as can be found out. */
bool flush_reaches(EFI_HANDLE disk);
