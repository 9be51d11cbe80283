/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/out.h"

enum { SIZE_COLUMNS = 9 };

/* Prints text from outside in `columns` columns, cut or padded, and a blank. */
void column(struct out *, const char *text, size_t columns);

/* Prints a size, aligned to the right. */
void column_size(struct out *, uint64_t bytes);
