/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The cache of decompressed chunks: each is decompressed once when a disk is read in order, and
 * what cannot be read is not tried for ever. Reads of the file tell how often that was.
 */
#include "unit.h"

#include "codec/codec.h"
#include "format/chunk_cache.h"
#include "memory_blk.h"

enum { N_CHUNKS = 20, CHUNK = 100000, PLACE = 2000 };

static struct memory_blk *file;
static struct codec *codec;
static struct chunk_cache cache;
static struct chunk chunks[N_CHUNKS];
static uint8_t bytes[CHUNK];

static int set_up(void **state)
{
	struct codec *compressor = codec_open(CODEC_ZLIB, CODEC_DEFAULT);

	(void)state;
	file = memory_blk_new(&(struct memory_blk_kind){ .size = N_CHUNKS * PLACE });
	codec = codec_open(CODEC_ZLIB, CODEC_ONLY_DECOMPRESS);
	for (size_t i = 0; i < N_CHUNKS; i++) {
		memset(bytes, (int)i + 1, CHUNK);
		chunks[i] = (struct chunk){
			.index = i, .bytes = CHUNK, .offset = i * PLACE, .codec = codec
		};
		assert_ok(codec_compress(compressor, bytes, CHUNK, file->bytes + i * PLACE, PLACE,
					 &chunks[i].packed_bytes));
	}
	codec_close(compressor);
	file->n_reads = 0;
	cache = (struct chunk_cache){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	chunk_cache_free(&cache);
	codec_close(codec);
	blk_close(&file->blk);
	return sim_allocations() != 0;
}

static enum status read_some(size_t i, size_t skip, size_t n)
{
	enum status st = chunk_cache_read(&cache, &file->blk, &chunks[i], skip, bytes, n);

	for (size_t k = 0; st == ST_OK && k < n; k++)
		assert_int_equal(bytes[k], i + 1);
	return st;
}

/* The order of a copy, in pieces and as a whole. */
static void test_once_in_order(void **state)
{
	(void)state;
	for (size_t at = 0; at < N_CHUNKS * CHUNK; at += 1000)
		assert_ok(read_some(at / CHUNK, at % CHUNK, 1000));
	assert_int_equal(file->n_reads, N_CHUNKS);
	for (size_t i = 0; i < N_CHUNKS; i++)
		assert_ok(read_some(i, 0, CHUNK));
	assert_in_range(file->n_reads, 2 * N_CHUNKS - CHUNK_CACHE_SLOTS, 2 * N_CHUNKS);
}

/* As many as there are slots are kept, and the longest unused goes. */
static void test_the_last_are_kept(void **state)
{
	(void)state;
	for (size_t round = 0; round < 5; round++)
		for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++)
			assert_ok(read_some(i, 100 * round, 512));
	assert_int_equal(file->n_reads, CHUNK_CACHE_SLOTS);
	assert_ok(read_some(0, 0, 1));
	assert_ok(read_some(CHUNK_CACHE_SLOTS, 0, 1)); /* takes the place of chunk 1 */
	assert_ok(read_some(0, 0, 1));
	assert_int_equal(file->n_reads, CHUNK_CACHE_SLOTS + 1);
	assert_ok(read_some(1, 0, 1));
	assert_int_equal(file->n_reads, CHUNK_CACHE_SLOTS + 2);
}

/* Large chunks take the place of many. */
static void test_memory_is_bounded(void **state)
{
	struct chunk large = chunks[0];
	uint8_t *packed = test_malloc(CHUNK_CACHE_BYTES);
	size_t kept = 0;

	(void)state;
	for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++)
		assert_ok(read_some(i, 0, 1));
	large.index = 1000;
	large.bytes = CHUNK_CACHE_BYTES + 1;
	assert_int_equal(chunk_cache_read(&cache, &file->blk, &large, 1, packed, 1), ST_CORRUPT);
	for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++)
		kept += cache.slot[i].n;
	assert_int_equal(kept, 0);
	test_free(packed);
}

static void test_what_cannot_be_read(void **state)
{
	(void)state;
	memset(file->bytes, 0x55, PLACE);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(read_some(0, i, 1), ST_CORRUPT);
	assert_int_equal(file->n_reads, 1);
	file->calls_to_failure = 1;
	file->status = ST_IO;
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(read_some(1, i, 1), ST_IO);
	assert_int_equal(file->n_reads, 1 + CHUNK_TRIES);
	file->calls_to_failure = 0;
	assert_ok(read_some(2, 0, 10));
	chunks[3].packed_bytes = 0;
	assert_int_equal(read_some(3, 0, 10), ST_CORRUPT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_once_in_order),
		TEST(test_the_last_are_kept),
		TEST(test_memory_is_bounded),
		TEST(test_what_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
