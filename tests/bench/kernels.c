/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Times what is written for this machine's processor beside its twin in plain C: the kernel of
 * core/arch/, and the firmware's memory functions in drivers/arch/. Prints a line for each:
 * name, bytes, ns of the one, ns of the other. What the processor has no version of, or no
 * instructions for, is left out.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arch/arch.h"

/* The Makefile gives them these names. In assembler; NULL, where the processor has none. */
__attribute__((weak)) void *firmware_memcpy(void *restrict to, const void *restrict from, size_t n);
__attribute__((weak)) void *firmware_memmove(void *to, const void *from, size_t n);
__attribute__((weak)) void *firmware_memset(void *to, int byte, size_t n);
__attribute__((weak)) int firmware_memcmp(const void *a, const void *b, size_t n);

/* In plain C. */
void *generic_memcpy(void *restrict to, const void *restrict from, size_t n);
void *generic_memmove(void *to, const void *from, size_t n);
void *generic_memset(void *to, int byte, size_t n);
int generic_memcmp(const void *a, const void *b, size_t n);

enum { LARGE = 1 << 20, SMALL = 100, OVERLAP = 4099, TOTAL = 64 << 20 };

static uint8_t one[LARGE + OVERLAP], other[LARGE + OVERLAP];
static uint32_t state[8];
static volatile int result; /* so that comparisons are not left out */

static void sha256(bool fast, size_t n)
{
	(fast ? arch_sha256_blocks() : sha256_blocks_generic)(state, one, n / SHA256_BLOCK_BYTES);
}

static void copy(bool fast, size_t n)
{
	(fast ? firmware_memcpy : generic_memcpy)(one, other, n);
}

static void move(bool fast, size_t n)
{
	(fast ? firmware_memmove : generic_memmove)(one + OVERLAP, one, n);
}

static void set(bool fast, size_t n)
{
	(fast ? firmware_memset : generic_memset)(one, 0, n);
}

static void compare(bool fast, size_t n)
{
	result = (fast ? firmware_memcmp : generic_memcmp)(one, other, n);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t time_of(void (*work)(bool fast, size_t n), bool fast, size_t n)
{
	uint64_t begin = now_ns();

	for (size_t done = 0; done < TOTAL; done += n)
		work(fast, n);
	return now_ns() - begin;
}

int main(void)
{
	const bool has_memory = firmware_memcpy != NULL;
	const struct {
		const char *name;
		void (*work)(bool fast, size_t n);
		size_t n;
		bool there;
	} rows[] = {
		{ "sha256", sha256, LARGE, arch_sha256_blocks() != sha256_blocks_generic },
		{ "memcpy-large", copy, LARGE, has_memory },
		{ "memcpy-small", copy, SMALL, has_memory },
		{ "memmove-overlap", move, LARGE, has_memory },
		{ "memset-large", set, LARGE, has_memory },
		{ "memset-small", set, SMALL, has_memory },
		{ "memcmp-large", compare, LARGE, has_memory },
		{ "memcmp-small", compare, SMALL, has_memory },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!rows[i].there)
			continue;
		memset(one, 0, sizeof one);
		memset(other, 0, sizeof other);
		printf("%s %d %ju", rows[i].name, TOTAL,
		       (uintmax_t)time_of(rows[i].work, true, rows[i].n));
		printf(" %ju\n", (uintmax_t)time_of(rows[i].work, false, rows[i].n));
	}
	return 0;
}
