/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Writes the OEM strings (SMBIOS 3.6, 7.12: structures of type 11) that begin with `prefix`,
 * without it, a line each, in the order of the table. Of a table that is cut off or contradicts
 * itself, those up to there. False: there is none.
 */
bool smbios_strings(const uint8_t *table, size_t n, const char *prefix, struct out *);
