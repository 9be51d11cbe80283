/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"

/*
 * The words of one failure, written where it is understood (which file, which field, which value,
 * what to do about it) and printed once, by the command. Owned by the caller; `text` is valid
 * UTF-8, without a newline at its end.
 */
struct error {
	char text[1024];
};

/* Writes the words, cut at the end of `text`. No argument may point into err->text itself. */
void error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts more words behind them, under the same conditions. */
void error_add(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Writes the words and has the value `st`, so that a function can end in `return fail(err,
 * ST_INVALID, "...")`. A macro, because compilers and analysers then see that such a return is a
 * failure.
 */
#define fail(err, st, ...) (error_set(err, __VA_ARGS__), (st))

/* fail() for the one case that needs no details. */
#define fail_no_memory(err) fail(err, ST_NO_MEMORY, "%s", status_text(ST_NO_MEMORY))
