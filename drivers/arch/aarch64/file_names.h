/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Names of files on a boot volume, without a folder (UEFI 2.10, 3.5.1.1). */
#define SHELL_FILE_NAME "shellaa64.efi"
