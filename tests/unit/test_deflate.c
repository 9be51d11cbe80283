/* SPDX-License-Identifier: BSD-2-Clause */
/* Deflate, beside zlib as QEMU uses it. */
#include "codecs.h"

#include <zlib.h>

static size_t zlib_compress(const void *in, size_t in_len, void *out, size_t capacity, int level,
			    int window_bits, int strategy)
{
	z_stream z = { 0 };
	size_t n;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, window_bits, 9, strategy), Z_OK);
	z.next_in = (void *)(uintptr_t)in;
	z.avail_in = (uInt)in_len;
	z.next_out = out;
	z.avail_out = (uInt)capacity;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = z.total_out;
	deflateEnd(&z);
	return n;
}

/* How many bytes it produces, at most `n`, and what it says then. */
static size_t zlib_decompress(const void *in, size_t in_len, uint8_t *out, size_t n,
			      int *ret_verdict)
{
	z_stream z = { 0 };

	assert_int_equal(inflateInit2(&z, -12), Z_OK);
	z.next_in = (void *)(uintptr_t)in;
	z.avail_in = (uInt)in_len;
	z.next_out = out;
	z.avail_out = (uInt)n;
	*ret_verdict = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return n - z.avail_out;
}

/* QEMU takes it when that is all, and zlib does not complain about what follows. */
static bool qemu_inflates(const void *in, size_t in_len, uint8_t *out, size_t n, bool *ret_produced)
{
	int verdict;

	*ret_produced = zlib_decompress(in, in_len, out, n, &verdict) == n;
	return *ret_produced && (verdict == Z_STREAM_END || verdict == Z_BUF_ERROR);
}

static void test_zlib_reads_ours(void **state)
{
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_DEFAULT);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n)),
				*back = test_malloc(n);
			bool produced;

			assert_ok(compress_into(codec, bytes, n, packed, roomy(n), &packed_len));
			assert_true(qemu_inflates(packed, packed_len, back, n, &produced));
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
	static const struct {
		int level, window_bits, strategy;
	} rows[] = {
		{ -1, -12, Z_DEFAULT_STRATEGY }, { -1, -15, Z_DEFAULT_STRATEGY },
		{ 1, -15, Z_DEFAULT_STRATEGY },  { 9, -15, Z_DEFAULT_STRATEGY },
		{ 0, -12, Z_DEFAULT_STRATEGY },  { 6, -12, Z_FIXED },
		{ 6, -12, Z_HUFFMAN_ONLY },      { 6, -15, Z_RLE },
		{ 6, -9, Z_FILTERED },
	};
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_ONLY_DECOMPRESS);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i];
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n));

			for (size_t row = 0; row < (n <= CLUSTER ? N_OF(rows) : 2); row++) {
				size_t packed_len = zlib_compress(bytes, n, packed, roomy(n),
								  rows[row].level,
								  rows[row].window_bits,
								  rows[row].strategy);

				assert_fills(codec, packed, packed_len, bytes, n);
				assert_fills(codec, packed, packed_len + 500, bytes, n);
				if (n <= 4096)
					assert_fills(NULL, packed, packed_len, bytes, n);
				assert_corrupt(codec, packed, packed_len, n + 1);
				/*
				 * A stream of more than a cluster is cut, in the middle of a match
				 * or of a stored block too.
				 */
				for (size_t cut = 1; cut < n && n <= CLUSTER; cut *= 7)
					assert_fills(codec, packed, packed_len, bytes, n - cut);
			}
			test_free(bytes);
			test_free(packed);
		}
	}
	codec_close(codec);
}

/*
 * Beside zlib: what QEMU accepts is accepted with the same bytes; inflate_prefix() alone tells also
 * whether zlib filled the cluster.
 */
static void beside_zlib(struct codec *codec, const uint8_t *in, size_t in_len, size_t n)
{
	uint8_t *expected = test_malloc(n), *got = test_malloc(n);
	bool produced, accepted = qemu_inflates(in, in_len, expected, n, &produced);

	assert_int_equal(decompress(NULL, in, in_len, got, n), produced ? ST_OK : ST_CORRUPT);
	if (produced)
		assert_memory_equal(got, expected, n);
	if (decompress(codec, in, in_len, got, n) == ST_OK) {
		if (produced)
			assert_memory_equal(got, expected, n);
	} else {
		assert_false(accepted);
	}
	test_free(expected);
	test_free(got);
}

static void test_deflate_truncated(void **state)
{
	enum { N = 3000 };
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_DEFAULT);

	(void)state;
	for (enum data data = 0; data < N_DATA; data++) {
		uint8_t *bytes = data_new(N, data), packed[2 * N];
		size_t packed_len;

		assert_ok(compress_into(codec, bytes, N, packed, sizeof packed, &packed_len));
		for (size_t len = 0; len < packed_len; len++) {
			beside_zlib(codec, packed, len, N);
			/* The last byte or two may hold nothing but the mark of the end. */
			if (len + 2 < packed_len)
				assert_corrupt(codec, packed, len, N);
		}
		test_free(bytes);
	}
	codec_close(codec);
}

static void test_deflate_malformed(void **state)
{
	static const struct {
		uint8_t in[8];
		size_t in_len;
	} rows[] = {
		{ { 0 }, 0 },
		{ { 0x78, 0xda, 0x63, 0x00, 0x00 }, 5 }, /* a header of zlib */
		{ { 0x07 }, 1 },                         /* a block of type 3 */
		{ { 0x01, 0x04, 0x00, 0xfb, 0xfe, 1, 2 },
		  7 }, /* stored, but the complement of the length is not one */
		{ { 0x01, 0x04, 0x00, 0xfb, 0xff, 1, 2 },
		  7 },                       /* stored, but shorter than it says */
		{ { 0x03, 0x02, 0x00 }, 3 }, /* fixed: a match from before the output */
		{ { 0x03, 0x00 }, 2 },       /* an empty block, the last one */
		{ { 0x05, 0xe0, 0x81, 0x08, 0, 0, 0, 0 }, 8 }, /* dynamic, ends inside its codes */
		{ { 0x05, 0, 0x12, 0, 0, 0, 0, 0 },
		  8 }, /* dynamic, its first length is that of the one before */
		{ { 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8 },
	};
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_ONLY_DECOMPRESS);

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_row(decompress(codec, rows[i].in, rows[i].in_len, NULL, 4) == ST_CORRUPT, i);
		beside_zlib(codec, rows[i].in, rows[i].in_len, 4);
	}
	codec_close(codec);
}

/*
 * A code of one distance may leave half of its bits without a meaning, which then must not come:
 * dynamic, an A, and three more.
 */
static void test_deflate_no_such_code(void **state)
{
	static const uint8_t good[] = { 0x0d, 0xc0, 0x81, 0x00, 0x00, 0x00, 0x00, 0x80, 0x20,
					0xb6, 0xfc, 0xa5, 0x3e, 0x0b, 0x00, 0x00, 0x00, 0x00 };
	static const uint8_t bad[] = { 0x0d, 0xc0, 0x81, 0x00, 0x00, 0x00, 0x00, 0x80, 0x20,
				       0xb6, 0xfc, 0xa5, 0x3e, 0x0f, 0x00, 0x00, 0x00, 0x00 };
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_ONLY_DECOMPRESS);
	uint8_t four[4];

	(void)state;
	assert_ok(decompress(codec, good, sizeof good, four, 4));
	assert_memory_equal(four, "AAAA", 4);
	beside_zlib(codec, good, sizeof good, 4);
	assert_int_equal(decompress(NULL, bad, sizeof bad, four, 4), ST_CORRUPT);
	beside_zlib(codec, bad, sizeof bad, 4);
	codec_close(codec);
}

static void test_deflate_damaged(void **state)
{
	enum { ROUNDS = 10000, N = 700 };
	struct codec *codec = codec_open(CODEC_DEFLATE, 9);
	uint8_t packed[2 * N];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t *bytes = data_new(N, random_below(N_DATA));
		size_t n = 1 + random_below(N), packed_len = random_below(200);

		if (round % 4 == 0) {
			fill(packed, packed_len, NOISE);
		} else {
			packed_len = zlib_compress(bytes, n, packed, sizeof packed,
						   (int)random_below(10), -15,
						   (int)random_below(5));
			for (uint32_t i = random_below(4); i > 0; i--)
				flip_a_bit(packed, packed_len);
		}
		beside_zlib(codec, packed, packed_len, 1 + random_below((uint32_t)n + 20));
		test_free(bytes);
	}
	codec_close(codec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zlib_reads_ours),
		cmocka_unit_test(test_reads_zlib),
		cmocka_unit_test(test_deflate_truncated),
		cmocka_unit_test(test_deflate_malformed),
		cmocka_unit_test(test_deflate_no_such_code),
		cmocka_unit_test(test_deflate_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
