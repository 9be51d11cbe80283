/* SPDX-License-Identifier: BSD-2-Clause */
/* Deflate, zlib and zstd alike. */
#include "codecs.h"

#include <pthread.h>

static void round_trips(struct codec *codec, size_t n, enum data kind)
{
	uint8_t *bytes = data_new(n, kind), *packed = test_malloc(roomy(n));
	size_t packed_len;

	assert_ok(compress_into(codec, bytes, n, packed, roomy(n), &packed_len));
	if (kind == ZEROS && n >= 4096)
		assert_true(packed_len < n / 50);
	assert_fills(codec, packed, packed_len, bytes, n);
	/* The rest of a sector, and of the next one: zeros, or something else's data. */
	memset(packed + packed_len, 0, 511);
	assert_fills(codec, packed, packed_len + 511, bytes, n);
	memset(packed + packed_len, 0xff, 511);
	assert_fills(codec, packed, packed_len + 511, bytes, n);
	fill(packed + packed_len, 511, NOISE);
	assert_fills(codec, packed, packed_len + 511, bytes, n);
	test_free(bytes);
	test_free(packed);
}

static void test_round_trips(void **state)
{
	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind < CODEC_KINDS; kind++) {
		struct codec *codec = codec_open(kind, CODEC_DEFAULT);

		for (size_t i = 0; i < N_OF(sizes); i++)
			for (enum data data = 0; data < N_DATA; data++)
				round_trips(codec, sizes[i], data);
		codec_close(codec);
	}
}

static void test_levels(void **state)
{
	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind < CODEC_KINDS; kind++) {
		for (int level = 1;
		     level <= (kind == CODEC_ZSTD ? CODEC_ZSTD_LEVEL_MAX : CODEC_DEFLATE_LEVEL_MAX);
		     level++) {
			struct codec *codec = codec_open(kind, level);

			/*
			 * Between these sizes zstd changes its parameters; what memory it needs
			 * does not depend on the data.
			 */
			round_trips(codec, 16384, MIXED);
			round_trips(codec, CLUSTER, WORDS);
			round_trips(codec, 3 * CLUSTER, MIXED);
			round_trips(codec, CODEC_INPUT_MAX, ZEROS);
			codec_close(codec);
		}
	}
}

/* A stream that lies after the end of a file reads as zeros, and these are no stream. */
static void test_zeros_are_no_stream(void **state)
{
	static const uint8_t zeros[2 * CLUSTER + 512];
	static uint8_t cluster[CLUSTER];

	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind < CODEC_KINDS; kind++) {
		struct codec *codec = codec_open(kind, CODEC_ONLY_DECOMPRESS);

		for (size_t n = 1; n <= sizeof zeros; n += n < 600 ? 1 : 511)
			assert_int_equal(codec_decompress(codec, zeros, n, cluster, sizeof cluster),
					 ST_CORRUPT);
		codec_close(codec);
	}
}

/*
 * Whatever the capacity, the result fits or ST_NO_SPACE says that it does not, and nothing is
 * written behind it.
 */
static void test_capacity(void **state)
{
	enum { SLACK = 8 };

	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind < CODEC_KINDS; kind++) {
		struct codec *codec = codec_open(kind, 3);

		for (enum data data = 0; data < N_DATA; data++) {
			enum { N = 6000 };
			uint8_t *bytes = data_new(N, data), packed[2 * N];
			size_t needed, n;

			assert_ok(compress_into(codec, bytes, N, packed, sizeof packed, &needed));
			for (size_t capacity = 0; capacity < needed + SLACK;
			     capacity += capacity + 1000 < needed ? 31 : 1) {
				enum status st = compress_into(codec, bytes, N, packed, capacity,
							       &n);

				assert_true(st == ST_OK || st == ST_NO_SPACE);
				if (st == ST_OK)
					assert_fills(codec, packed, n, bytes, N);
				else
					assert_true(
						capacity <
						needed + (kind == CODEC_ZSTD ? SLACK : SLACK + 1));
			}
			assert_ok(compress_into(codec, bytes, N, packed, needed + SLACK + 1, &n));
			if (data == NOISE)
				assert_int_equal(compress_into(codec, bytes, N, packed, N - 1, &n),
						 ST_NO_SPACE);
			test_free(bytes);
		}
		codec_close(codec);
	}
}

static void test_no_memory(void **state)
{
	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind < CODEC_KINDS; kind++) {
		for (int level = CODEC_ONLY_DECOMPRESS; level <= CODEC_DEFAULT; level++) {
			unsigned n = 1;

			for (;; n++) {
				struct codec *codec;

				sim_fail_allocation(n);
				codec = codec_open(kind, level);
				if (!sim_allocation_failed()) {
					assert_non_null(codec);
					codec_close(codec);
					break;
				}
				assert_null(codec);
				assert_int_equal(sim_allocations(), 0);
			}
			assert_int_equal(sim_allocations(), 0);
			/* all that failed, and the one that did not come */
			assert_int_equal(n, level == CODEC_ONLY_DECOMPRESS ? 3 : 4);
		}
	}
	sim_fail_allocation(0);
	codec_close(NULL);
}

/* A worker may not ask the firmware for memory. */
static void test_works_without_memory(void **state)
{
	uint8_t *bytes = data_new(CODEC_INPUT_MAX, MIXED),
		*packed = test_malloc(roomy(CODEC_INPUT_MAX));

	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind < CODEC_KINDS; kind++) {
		struct codec *codec = codec_open(kind, CODEC_DEFAULT);
		size_t n;

		sim_fail_allocation(1);
		for (size_t len = 512; len <= CODEC_INPUT_MAX; len *= 8) {
			assert_ok(compress_into(codec, bytes, len, packed, roomy(len), &n));
			assert_fills(codec, packed, n, bytes, len);
			assert_corrupt(codec, packed, n / 2, len);
		}
		assert_false(sim_allocation_failed());
		sim_fail_allocation(0);
		codec_close(codec);
	}
	test_free(bytes);
	test_free(packed);
}

static uint8_t shared[CLUSTER]; /* only read by the workers */

static void *work(void *arg)
{
	enum { ROUNDS = 60 };
	struct codec *codec = arg;
	uint8_t *packed = malloc(CLUSTER * 2), *back = malloc(CLUSTER);
	size_t n;
	uintptr_t failures = 0;

	for (size_t len = CLUSTER; len > CLUSTER - ROUNDS; len--)
		failures += codec_compress(codec, shared, len, packed, CLUSTER * 2, &n) != ST_OK ||
			    codec_decompress(codec, packed, n, back, len) != ST_OK ||
			    memcmp(shared, back, len) != 0;
	free(packed);
	free(back);
	return (void *)failures;
}

static void test_workers(void **state)
{
	struct codec *codecs[4];
	pthread_t threads[4];

	(void)state;
	fill(shared, CLUSTER, WORDS);
	for (size_t i = 0; i < 4; i++)
		codecs[i] = codec_open((enum codec_kind)(i % 3), 3);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, codecs[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		assert_null(failures);
		codec_close(codecs[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeros_are_no_stream),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_works_without_memory),
		cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
