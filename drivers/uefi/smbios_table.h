/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Finds the firmware's table of SMBIOS structures by its entry point (SMBIOS 3.6, 5.2). *ret_n is
 * its length in bytes. NULL: there is none.
 */
const uint8_t *smbios_table(size_t *ret_n);
