/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include <stdint.h>

enum { SIZE_COLUMNS = 9 };

/* Text from outside in so many columns, cut or filled up, and a blank. */
void column(struct out *, const char *text, size_t columns);

/* A size, aligned to the right. */
void column_size(struct out *, uint64_t bytes);
