/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The problems that a check finds, one line each. A damaged image can have millions of them: the
 * first are printed, and the others counted.
 */
#include "format/problems.h"

#include "format/format.h"

void problems_add(struct problems *problems, const char *kind, const char *format, ...)
{
	va_list args;

	problems->n++;
	if (problems->out == NULL)
		return;
	if (problems->n == CHECK_PROBLEMS_MAX + 1)
		out_printf(problems->out, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
	if (problems->n > CHECK_PROBLEMS_MAX)
		return;
	out_printf(problems->out, "%s: ", kind);
	va_start(args, format);
	out_vprintf(problems->out, format, args);
	va_end(args);
	out_text(problems->out, "\n");
}
