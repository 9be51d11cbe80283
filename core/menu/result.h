/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/flow.h"

/* How a task has ended, in words. */

/* Returns the style of the heading, which is printed to `heading`. */
enum style result_heading(const struct menu *, int code, struct out *heading);

/*
 * Prints what was done, how long it took and what the command said; below that its line and its
 * exit code. `log`: the name of the log, "": there is none.
 */
void result_text(const struct menu *, int code, const char *log, struct out *);
