/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

/*
 * Makes one line of JSON that has many: newlines, and the blanks that the next line begins with,
 * are left out.
 */
struct out_line {
	struct out out;
	struct out *to;
	_Bool blank; /* at the beginning of a line */
};

void out_line_init(struct out_line *, struct out *to);
