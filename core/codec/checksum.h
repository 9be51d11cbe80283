/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The XXH64 checksum of `n` bytes, at the speed of memory. It finds what devices do wrong; it does
 * not protect against people, as SHA-256 (codec/sha256.h) does.
 */
uint64_t checksum(const void *bytes, size_t n, uint64_t seed);
