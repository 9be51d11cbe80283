/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/out.h"
#include "base/error.h"

/* The largest size of a disk or file: 2^63 - 1 bytes, as in qemu-img. */
#define SIZE_LIMIT ((uint64_t)INT64_MAX)

/*
 * Parses a size as qemu-img does: decimal digits with an optional fraction and one of the suffixes
 * b k M G T P E in either case (powers of 1024), or 0x and hexadecimal digits. A fraction needs a
 * suffix, and is rounded down to bytes. `what` names the value in the error ("image size").
 * Statuses: ST_INVALID (malformed, or above SIZE_LIMIT).
 */
enum status size_parse(const char *text, const char *what, uint64_t *ret_bytes, struct error *err);

/*
 * Prints "64 MiB", "1.5 GiB", "0.984 MiB" as qemu-img does: three significant digits, and the next
 * unit from 1000 on.
 */
void size_print(struct out *out, uint64_t bytes);
