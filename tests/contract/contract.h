/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blk/blk.h"
#include "platform/permit.h"
#include "storage/split.h"

/*
 * The tests that every kind of blk must pass (blk/blk.h), and what a program says of the kinds that
 * it has: tests/unit/test_blk_contract.c those of the core and of the simulated machine,
 * posix.c those of drivers/posix/, firmware.c those of drivers/uefi/.
 */

enum {
	KIB = 1 << 10,
	MIB = 1 << 20,
	BLOCK = 4096,
	SIZE = MIB + 256 * KIB,      /* of each blk at first: more than a part of a split set */
	LIMIT = 2 * MIB + 512 * KIB, /* to which those that grow can grow */
	PART = SPLIT_MARK,
	STEPS = 300,
};

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* A kind of blk. */
struct kind {
	const char *name;
	/* Makes a blk with contents(). */
	struct blk *(*open)(const struct kind *);
	bool writable, grows; /* of an image: if its format can */
	bool has_holes;       /* blk_extent() tells those of contents() */
	bool is_image, is_device;
	bool one_way; /* reads go forward, by and large */
	uintptr_t device_id;
	const void *of; /* what open() needs besides */
};

/* A blk and the bytes that it must have. */
struct subject {
	const struct kind *kind;
	struct blk *blk;
	uint8_t *expected; /* LIMIT bytes; zeros after the end */
	uint64_t size;
	bool writable, grows;
};

/* Bytes of all kinds, SIZE of them; every other block is zeros. */
const uint8_t *contents(void);

/* The next of a series of numbers below 2^24, which `state` begins. */
uint32_t random_next(uint32_t *state);

/* Fails, with all of this, if it does not hold. */
void check(bool holds, const struct subject *, const char *what, uint64_t offset, uint64_t len);

/* Compares the size, and each byte that is read. */
void check_all(const struct subject *);

/* Makes a blk, has it tested, and closes it. */
void contract_run(const struct kind *, void (*test)(struct subject *));

/* A test: several threads read at once, if the blk allows that (parallel.c). */
void read_in_parallel(struct subject *);

enum { N_CONTRACT_TESTS = 7 };

/* In any order: each is run with a new blk. */
extern const struct contract_test {
	const char *name;
	void (*run)(struct subject *);
} contract_tests[N_CONTRACT_TESTS];

/* Allows everything: what the tests write to is theirs. */
extern const struct permit contract_permit;

/* ---- supplied by the program ---- */

/* Called before a blk is made, and after it has been closed. */
void contract_prepare(void);
void contract_finish(const struct subject *);

/* Reports what does not hold. Does not return. */
_Noreturn void contract_failed(const char *what);
