/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The CRC-32 of GPT headers (UEFI 2.10, 5.3.2: polynomial 0x04c11db7 reflected). Feed pieces by
 * passing the last result; start with 0.
 */
uint32_t crc32(uint32_t crc, const void *bytes, size_t n);
