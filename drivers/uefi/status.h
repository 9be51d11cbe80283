/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"

/* The one place where the firmware's status codes (UEFI 2.10, appendix D) become ours. */
[[nodiscard]] enum status status_from_efi(EFI_STATUS);
