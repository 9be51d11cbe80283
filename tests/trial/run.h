/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "unit.h"
#include "volume.h"

/* Runs command lines on the simulated platform, and keeps what they print. */

enum { WORDS = 16 };

extern struct capture out, err;

/* The exit code; `words` end with a NULL. */
int run(const char *const words[]);
#define RUN(...) run((const char *const[WORDS]){ __VA_ARGS__ })

/* The same where nothing may go wrong. */
void must(const char *const words[]);
#define MUST(...) must((const char *const[WORDS]){ __VA_ARGS__ })

/*
 * Bytes of all kinds, which differ with `seed`; of each 35000, the first `same` * 7000 are as with
 * seed 1.
 */
void put_raw(const char *name, uint32_t seed, size_t n, size_t same);

/*
 * What is tried now has this name, which a failure is told with. False: it is not to be tried,
 * since ONLY in the environment says another name; ONLY=resize is all whose names begin with
 * "resize/".
 */
bool trying(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether anything whose name begins like that is to be tried. */
bool trying_any(const char *name);

/* Says which it was, in the way in which it is run again. */
void tell_tried(void);
#define wrong(...) \
	do { \
		tell_tried(); \
		fail_msg(__VA_ARGS__); \
	} while (0)

/* A number of the environment; make soak gives larger ones than those of the short form. */
unsigned setting(const char *name, unsigned otherwise);

uint32_t dice(uint32_t *state);
