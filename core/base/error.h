/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"

/*
 * The text of one error: file, field, value, and what to do. It is written where these are known,
 * and printed once, by the command. The caller owns it. UTF-8, without a newline at its end;
 * undefined until a function returns an error.
 */
struct error {
	char text[1024];
};

/* Sets the text, cut where it is too long. No argument may point into err->text. */
void error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends to the text, under the same conditions. */
void error_add(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Sets the text and has the value `st`, for `return fail(err, ST_INVALID, "...")`. A macro, so that
 * compilers and analysers see that this return is a failure.
 */
#define fail(err, st, ...) (error_set(err, __VA_ARGS__), (st))

/* fail() for ST_NO_MEMORY, which needs no details. */
#define fail_no_memory(err) fail(err, ST_NO_MEMORY, "%s", status_text(ST_NO_MEMORY))
