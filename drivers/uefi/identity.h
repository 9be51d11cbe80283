/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"

/*
 * The model and the serial number of a disk, from whatever its driver offers. Printable ASCII
 * without blanks around it, "" where the firmware does not know; both freed by the caller with
 * mem_free(), on failure too. Errors: ST_NO_MEMORY.
 */
[[nodiscard]] enum status identity_of(EFI_HANDLE disk, char **ret_model, char **ret_serial);
