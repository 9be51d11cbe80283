/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `n` bytes are all zeros. */
bool is_zero(const uint8_t *bytes, size_t n);
