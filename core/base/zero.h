/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns whether `n` bytes are all zero. Callable on every processor. */
bool is_zero(const uint8_t *bytes, size_t n);
