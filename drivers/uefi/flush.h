/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/status.h"

/*
 * Makes the cache of a disk's own electronics go to its medium. FlushBlocks() does nothing for ATA,
 * SCSI and USB in EDK2 and what comes of it: for ATA and SCSI the drive's own command is sent. Does
 * nothing for others. `disk` is the handle of a whole disk. Errors: those of the command,
 * ST_NO_MEMORY.
 */
[[nodiscard]] enum status flush_drive(EFI_HANDLE disk);

/* Whether FlushBlocks() or flush_drive() reaches such a disk, as far as can be told. */
bool flush_reaches(EFI_HANDLE disk);
