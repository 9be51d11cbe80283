/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A 64-bit checksum (XXH64), at the speed of memory: for faults of devices, not against people. */
uint64_t checksum(const void *bytes, size_t n, uint64_t seed);
