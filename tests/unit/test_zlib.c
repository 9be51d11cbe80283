/* SPDX-License-Identifier: BSD-2-Clause */
/* Deflate in the format of zlib, beside zlib itself. */
#include "codecs.h"

#include <zlib.h>

/* As QEMU reads grains of VMDK: the whole stream, up to its checksum. */
static bool zlib_fills(const uint8_t *in, size_t in_len, uint8_t *out, size_t n)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in,
		       .avail_in = (uInt)in_len,
		       .next_out = out,
		       .avail_out = (uInt)n };
	int verdict;

	assert_int_equal(inflateInit(&z), Z_OK);
	verdict = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return verdict == Z_STREAM_END && z.avail_out == 0;
}

static void test_zlib_reads_ours(void **state)
{
	struct codec *codec = codec_open(CODEC_ZLIB, CODEC_DEFAULT);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n)),
				*back = test_malloc(n);

			assert_ok(compress_into(codec, bytes, n, packed, roomy(n), &packed_len));
			assert_int_equal(packed[0], 0x78);
			assert_true(zlib_fills(packed, packed_len, back, n));
			assert_memory_equal(bytes, back, n);
			test_free(bytes);
			test_free(packed);
			test_free(back);
		}
	}
	codec_close(codec);
}

static void test_reads_zlib(void **state)
{
	struct codec *codec = codec_open(CODEC_ZLIB, CODEC_ONLY_DECOMPRESS);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (int level = -1; level <= 9; level += 5) {
			size_t n = sizes[i];
			uint8_t *bytes = data_new(n, MIXED), *packed = test_malloc(roomy(n));
			uLongf packed_len = roomy(n);

			assert_int_equal(compress2(packed, &packed_len, bytes, n, level), Z_OK);
			assert_fills(codec, packed, packed_len, bytes, n);
			assert_corrupt(codec, packed, packed_len, n + 1);
			assert_corrupt(codec, packed, packed_len - 1, n);
			if (n > 1)
				assert_corrupt(codec, packed, packed_len, n - 1);
			test_free(bytes);
			test_free(packed);
		}
	}
	codec_close(codec);
}

/*
 * What zlib accepts is accepted with the same bytes. libdeflate accepts some codes that zlib calls
 * incomplete; the checksum then vouches for the bytes.
 */
static void test_damaged(void **state)
{
	enum { ROUNDS = 10000, N = 700 };
	struct codec *codec = codec_open(CODEC_ZLIB, CODEC_ONLY_DECOMPRESS);

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t packed[2 * N], expected[N], got[N];
		uint8_t *bytes = data_new(N, random_below(N_DATA));
		size_t n = 1 + random_below(N);
		uLongf packed_len = sizeof packed;
		enum status st;

		assert_int_equal(compress2(packed, &packed_len, bytes, n, (int)random_below(10)),
				 Z_OK);
		for (uint32_t i = random_below(3); i > 0; i--)
			flip_a_bit(packed, packed_len);
		st = decompress(codec, packed, packed_len, got, n);
		if (zlib_fills(packed, packed_len, expected, n)) {
			assert_ok(st);
			assert_memory_equal(got, expected, n);
		}
		assert_true(st == ST_OK || st == ST_CORRUPT);
		if (st == ST_OK)
			assert_memory_equal(got, bytes, n);
		test_free(bytes);
	}
	codec_close(codec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zlib_reads_ours),
		cmocka_unit_test(test_reads_zlib),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
