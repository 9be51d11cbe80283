/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bzip2: what the library's own compressor makes is decompressed, at each level; everything else is
 * corrupt, and nothing outside of the output is written.
 */
#include "codecs.h"

/* The library's compressor, which the program leaves out. */
int BZ2_bzBuffToBuffCompress(char *to, unsigned *ret_len, char *from, unsigned len, int level,
			     int verbosity, int work);

static size_t compressed(const uint8_t *bytes, size_t n, uint8_t *to, size_t capacity, int level)
{
	unsigned len = (unsigned)capacity;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)to, &len, (char *)(uintptr_t)bytes,
						  (unsigned)n, level, 0, 0),
			 0);
	return len;
}

static size_t room_for(size_t n)
{
	return n + n / 50 + 1000;
}

static void test_reads_every_level(void **state)
{
	struct codec *codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(room_for(n));

			packed_len = compressed(bytes, n, packed, room_for(n),
						1 + (int)(i + data) % 9);
			assert_fills(codec, packed, packed_len, bytes, n);
			test_free(bytes);
			test_free(packed);
		}
	}
	codec_close(codec);
}

/* Chunks of the wrong length, and streams that are cut. */
static void test_lengths(void **state)
{
	struct codec *codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
	size_t n = 20000, packed_len;
	uint8_t *bytes = data_new(n, MIXED), *packed = test_malloc(room_for(n));

	(void)state;
	packed_len = compressed(bytes, n, packed, room_for(n), 9);
	assert_fills(codec, packed, packed_len, bytes, n);
	assert_fills(codec, packed, packed_len + 100, bytes, n); /* what follows is ignored */
	for (size_t i = 1; i < 200; i++) {
		assert_corrupt(codec, packed, packed_len, n - i);
		assert_corrupt(codec, packed, packed_len, n + i);
		assert_corrupt(codec, packed, packed_len - i, n);
		assert_corrupt(codec, packed, i - 1, n);
	}
	test_free(bytes);
	test_free(packed);
	codec_close(codec);
}

static void test_several_streams(void **state)
{
	struct codec *codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
	size_t n = 5000, packed_len = 0;
	uint8_t *bytes = data_new(3 * n, WORDS), *packed = test_malloc(3 * room_for(n));

	(void)state;
	for (size_t i = 0; i < 3; i++)
		packed_len += compressed(bytes + i * n, n, packed + packed_len, room_for(n),
					 9 - (int)i * 4);
	assert_fills(codec, packed, packed_len, bytes, 3 * n);
	assert_fills(codec, packed, packed_len, bytes, 2 * n);
	assert_corrupt(codec, packed, packed_len, 3 * n + 1);
	test_free(bytes);
	test_free(packed);
	codec_close(codec);
}

/* Each block and each stream has a checksum: no changed bit is missed. */
static void test_damage(void **state)
{
	struct codec *codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
	size_t n = 3000, packed_len, missed = 0;
	uint8_t *bytes = data_new(n, MIXED), *packed = test_malloc(room_for(n)),
		*out = test_malloc(n);

	(void)state;
	packed_len = compressed(bytes, n, packed, room_for(n), 1);
	for (size_t i = 0; i < 4000; i++) {
		uint8_t *bad = copy_of(packed, packed_len);

		flip_a_bit(bad, packed_len);
		if (i % 3 == 0)
			flip_a_bit(bad, packed_len);
		if (decompress(codec, bad, packed_len, out, n) == ST_OK)
			missed += memcmp(out, bytes, n) != 0;
		free(bad);
	}
	assert_int_equal(missed, 0);
	/* the codec is as good as new after all of that */
	assert_fills(codec, packed, packed_len, bytes, n);
	test_free(bytes);
	test_free(packed);
	test_free(out);
	codec_close(codec);
}

static void test_noise_and_zeros(void **state)
{
	struct codec *codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
	uint8_t in[600] = { 0 };

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		assert_corrupt(codec, in, i % sizeof in, 1000);
		fill(in, sizeof in, NOISE);
		if (i % 2 == 0)
			memcpy(in, "BZh9\x31\x41\x59\x26\x53\x59", 10);
	}
	codec_close(codec);
}

static void test_memory(void **state)
{
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct codec *codec;

		sim_fail_allocation(n);
		codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		assert_true((codec == NULL) == failed);
		codec_close(codec);
	}
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_level), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_several_streams),   cmocka_unit_test(test_damage),
		cmocka_unit_test(test_noise_and_zeros),   cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
