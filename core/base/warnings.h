/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Receives what a function reports although it does not fail: one sentence a call, without the
 * program's name and without a newline. The text is valid during the call.
 */
struct warnings {
	void (*take)(struct warnings *, const char *text);
};

/* Composes the sentence; more than 1 KiB is cut. `warnings` NULL: it is dropped. */
void warn(struct warnings *, const char *format, ...) __attribute__((format(printf, 2, 3)));
