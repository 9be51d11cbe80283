/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"

/*
 * Translates a status code of the firmware (UEFI 2.10, appendix D). Codes without a counterpart are
 * ST_IO.
 */
[[nodiscard]] enum status status_from_efi(EFI_STATUS);
