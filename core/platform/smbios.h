/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Writes the OEM strings (SMBIOS 3.6, 7.12: structures of type 11) that start with `prefix`,
 * without the prefix, one per line, in the order of the table. `table` has `n` bytes; where it is
 * cut off or inconsistent, reading ends. Returns whether there was such a string.
 */
bool smbios_strings(const uint8_t *table, size_t n, const char *prefix, struct out *);

/*
 * Whether the table calls itself that of a virtual machine (SMBIOS 3.6, 7.1.2.2: structure of type
 * 0, second byte of the extension of the BIOS characteristics, bit 4). Cut off or inconsistent
 * before that: no.
 */
bool smbios_is_virtual(const uint8_t *table, size_t n);

/*
 * Writes manufacturer and product of the machine (SMBIOS 3.6, 7.2: structure of type 1), such as
 * "LENOVO 11T3S0". Nothing is written where the table is cut off or inconsistent before that, and
 * for what a maker has not filled in ("To be filled by O.E.M.").
 */
void smbios_model(const uint8_t *table, size_t n, struct out *);
