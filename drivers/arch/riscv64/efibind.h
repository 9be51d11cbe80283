/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Included by gnu-efi's efi.h. */
#include "efi_types.h"
