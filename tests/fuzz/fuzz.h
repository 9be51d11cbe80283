/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim.h"

/* What every fuzz target has: libFuzzer calls it with bytes of any kind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Ends the program, so that libFuzzer keeps the input, unless `held`. */
#define MUST(held) \
	do { \
		if (!(held)) \
			fuzz_failed(#held, __FILE__, __LINE__); \
	} while (0)

_Noreturn void fuzz_failed(const char *what, const char *file, int line);

/*
 * A volume of 40 MiB with that file on it, and one of 64 KiB, "extent", which images can
 * name.
 */
void fuzz_volume(const char *name, const uint8_t *bytes, size_t n);

/*
 * Runs a command line, its words divided by blanks and "@" an empty one, in a bounded memory;
 * returns its exit code. What it printed is in these until the next.
 */
int fuzz_run(const char *line);
extern struct capture fuzz_out, fuzz_err;

/* Nothing that was allocated may be left after each input. */
void fuzz_end(void);
