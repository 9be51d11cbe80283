/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the CRC-32C (Castagnoli) of iSCSI and VHDX (RFC 3720, B.4). Start with crc = 0; to
 * continue, pass the result for the bytes before.
 */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);
