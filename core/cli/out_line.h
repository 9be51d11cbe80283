/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

/* Makes one line of JSON that has several: drops newlines and the blanks at the start of lines. */
struct out_line {
	struct out out;
	struct out *to;
	_Bool blank; /* at the start of a line */
};

void out_line_init(struct out_line *, struct out *to);
