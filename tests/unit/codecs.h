/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes of all kinds, and calls of codecs with everything around them looked at: for test_codec,
 * test_deflate and test_zstd.
 */
#pragma once

#include "unit.h"

#include "codec/codec.h"
#include "codec/inflate.h"

enum { MIB = 1 << 20, CLUSTER = 65536, GUARD = 64, GUARD_BYTE = 0x5a };

/* ---- data ---- */

static uint64_t seed = 0x9e3779b97f4a7c15;

static inline uint32_t random_u32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static inline uint32_t random_below(uint32_t n)
{
	return random_u32() % n;
}

enum data { ZEROS, NOISE, WORDS, PERIOD_4000, PERIOD_32000, MIXED, N_DATA };

static inline void fill(uint8_t *bytes, size_t n, enum data kind)
{
	static const char *const words[] = { "the ", "cluster ",    "of ", "an ", "image ",
					     "is ",  "described\n", "by ", "0x",  "entry, " };
	size_t period = kind == PERIOD_4000 ? 4000 : 32000, length;

	for (size_t i = 0; i < n; i++) {
		bytes[i] = kind == ZEROS ? 0 : (uint8_t)random_u32();
		if ((kind == PERIOD_4000 || kind == PERIOD_32000) && i >= period)
			bytes[i] = bytes[i - period];
	}
	if (kind == WORDS || kind == MIXED) {
		for (size_t i = 0; i < n; i += length) {
			const char *word = words[random_below(N_OF(words))];

			length = strlen(word) < n - i ? strlen(word) : n - i;
			if (kind == WORDS || i / 4096 % 2 == 0)
				memcpy(bytes + i, word, length);
		}
	}
}

static inline uint8_t *data_new(size_t n, enum data kind)
{
	uint8_t *bytes = test_malloc(n);

	fill(bytes, n, kind);
	return bytes;
}

/* In half of the cases near the beginning, where the headers are. */
static inline void flip_a_bit(uint8_t *bytes, size_t n)
{
	size_t at = random_below(2) > 0 ? random_below(30) % n : random_below((uint32_t)n);

	bytes[at] ^= (uint8_t)(1 << random_below(8));
}

/* ---- calls with everything around them looked at ---- */

/*
 * Inputs are copied into memory of just their size, so that the sanitizer sees what is read behind
 * them.
 */
static inline uint8_t *copy_of(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	return memcpy(copy, bytes, n);
}

static inline enum status decompress(struct codec *codec, const void *in, size_t in_len,
				     uint8_t *out, size_t out_len)
{
	uint8_t *from = copy_of(in, in_len), *to = malloc(out_len + 2 * GUARD);
	enum status st;

	memset(to, GUARD_BYTE, out_len + 2 * GUARD);
	st = codec != NULL ? codec_decompress(codec, from, in_len, to + GUARD, out_len)
			   : inflate_prefix(from, in_len, to + GUARD, out_len);
	for (size_t i = 0; i < GUARD; i++)
		assert_true(to[i] == GUARD_BYTE && to[GUARD + out_len + i] == GUARD_BYTE);
	if (out != NULL)
		memcpy(out, to + GUARD, out_len);
	free(from);
	free(to);
	return st;
}

static inline enum status compress_into(struct codec *codec, const void *in, size_t in_len,
					uint8_t *out, size_t capacity, size_t *ret_len)
{
	uint8_t *from = copy_of(in, in_len), *to = malloc(capacity + 2 * GUARD);
	enum status st;

	memset(to, GUARD_BYTE, capacity + 2 * GUARD);
	st = codec_compress(codec, from, in_len, to + GUARD, capacity, ret_len);
	for (size_t i = 0; i < GUARD; i++)
		assert_true(to[i] == GUARD_BYTE && to[GUARD + capacity + i] == GUARD_BYTE);
	if (st == ST_OK) {
		assert_true(*ret_len > 0 && *ret_len <= capacity);
		memcpy(out, to + GUARD, *ret_len);
	}
	free(from);
	free(to);
	return st;
}

static inline void assert_fills(struct codec *codec, const void *in, size_t in_len,
				const uint8_t *expected, size_t n)
{
	uint8_t *out = test_malloc(n);

	assert_ok(decompress(codec, in, in_len, out, n));
	assert_memory_equal(out, expected, n);
	test_free(out);
}

#define assert_corrupt(codec, in, in_len, n) \
	assert_int_equal(decompress(codec, in, in_len, NULL, n), ST_CORRUPT)

static inline size_t roomy(size_t n)
{
	return n + n / 8 + 1024;
}

/* Of what is compressed. */
static const size_t sizes[] = { 1,       2,           3,      7,    40,
				511,     512,         513,    4096, 65535,
				CLUSTER, CLUSTER + 1, 200000, MIB,  CODEC_INPUT_MAX };
