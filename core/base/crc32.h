/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the CRC-32 of GPT and gzip (UEFI 2.10, 5.3.2; RFC 1952). Start with crc = 0; to continue,
 * pass the result for the bytes before.
 */
uint32_t crc32(uint32_t crc, const void *bytes, size_t n);

/* The same for `n` zero bytes, however many they are. */
uint32_t crc32_zeros(uint32_t crc, uint64_t n);
