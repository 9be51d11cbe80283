/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/out.h"

/* The problems that a check finds, as lines of text (format.h: check_ops). */
struct problems {
	struct out *out; /* NULL: nowhere */
	uint64_t n;      /* so many were found so far */
};

/*
 * Prints a line "KIND: TEXT", unless CHECK_PROBLEMS_MAX of them are printed already; `kind` is
 * "corrupt", "leak" or "not checked".
 */
void problems_add(struct problems *, const char *kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
