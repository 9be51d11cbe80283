/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"

/*
 * Returns model and serial number of a disk, by whichever protocol its driver offers: printable
 * ASCII without surrounding blanks, "" where unknown. The caller frees both with mem_free(), on
 * failure as well. Statuses: ST_NO_MEMORY.
 */
[[nodiscard]] enum status identity_of(EFI_HANDLE disk, char **ret_model, char **ret_serial);
