/* SPDX-License-Identifier: BSD-2-Clause */
/* zstd, beside the system's library, which is of another build, and as QEMU uses it. */
#include "codecs.h"

#include <dlfcn.h>

struct piece {
	void *bytes;
	size_t size, pos;
};

static struct {
	void *(*compressor)(void), *(*decompressor)(void);
	size_t (*set)(void *, int parameter, int value);
	size_t (*compress)(void *, void *, size_t, const void *, size_t);
	size_t (*decompress_some)(void *, struct piece *out, struct piece *in);
	unsigned (*is_error)(size_t);
	size_t (*free_compressor)(void *), (*free_decompressor)(void *);
} theirs;

/* zstd.h: these values are part of its stable interface. */
enum { ZSTD_LEVEL = 100, ZSTD_WINDOW_LOG = 101, ZSTD_CONTENT_SIZE = 200, ZSTD_CHECKSUM = 201 };

/* Not linked with, since its functions have the names of ours. */
static bool load_libzstd(void)
{
	void *library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
	const struct {
		void *function;
		const char *name;
	} rows[] = {
		{ &theirs.compressor, "ZSTD_createCCtx" },
		{ &theirs.decompressor, "ZSTD_createDCtx" },
		{ &theirs.set, "ZSTD_CCtx_setParameter" },
		{ &theirs.compress, "ZSTD_compress2" },
		{ &theirs.decompress_some, "ZSTD_decompressStream" },
		{ &theirs.is_error, "ZSTD_isError" },
		{ &theirs.free_compressor, "ZSTD_freeCCtx" },
		{ &theirs.free_decompressor, "ZSTD_freeDCtx" },
	};

	for (size_t i = 0; library != NULL && i < N_OF(rows); i++) {
		void *function = dlsym(library, rows[i].name);

		assert_non_null(function);
		memcpy(rows[i].function, &function, sizeof function);
	}
	return library != NULL;
}

static size_t their_frame(const void *in, size_t in_len, void *out, size_t capacity, int level,
			  int window_log, bool checksum)
{
	void *compressor = theirs.compressor();
	size_t n;

	theirs.set(compressor, ZSTD_LEVEL, level);
	theirs.set(compressor, ZSTD_CHECKSUM, checksum);
	if (window_log > 0) {
		theirs.set(compressor, ZSTD_WINDOW_LOG, window_log);
		theirs.set(compressor, ZSTD_CONTENT_SIZE, 0);
	}
	n = theirs.compress(compressor, out, capacity, in, in_len);
	assert_false(theirs.is_error(n));
	theirs.free_compressor(compressor);
	return n;
}

static bool qemu_unzstds(const void *in, size_t in_len, uint8_t *out, size_t n)
{
	struct piece from = { (void *)(uintptr_t)in, in_len, 0 }, to = { out, n, 0 };
	void *decompressor = theirs.decompressor();
	size_t left = 0;

	while (to.pos < to.size) {
		size_t from_pos = from.pos, to_pos = to.pos;

		left = theirs.decompress_some(decompressor, &to, &from);
		if (theirs.is_error(left) || (from.pos == from_pos && to.pos == to_pos)) {
			left = 1;
			break;
		}
	}
	theirs.free_decompressor(decompressor);
	return left == 0;
}

static void test_libzstd_reads_ours(void **state)
{
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_DEFAULT);

	(void)state;
	if (!load_libzstd())
		skip();
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n)),
				*back = test_malloc(n);

			assert_ok(compress_into(codec, bytes, n, packed, roomy(n), &packed_len));
			memset(packed + packed_len, 0, 511);
			assert_true(qemu_unzstds(packed, packed_len + 511, back, n));
			assert_memory_equal(bytes, back, n);
			test_free(bytes);
			test_free(packed);
			test_free(back);
		}
	}
	codec_close(codec);
}

/* Also with a window that claims to need 128 MiB, and a size that is not in the header. */
static void test_reads_libzstd(void **state)
{
	static const struct {
		int level, window_log;
		bool checksum;
	} rows[] = {
		{ 3, 0, false },  { 1, 0, true },  { 19, 0, true },  { 22, 0, false },
		{ -5, 0, false }, { 3, 27, true }, { 3, 10, false },
	};
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_ONLY_DECOMPRESS);

	(void)state;
	if (!load_libzstd())
		skip();
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (size_t row = 0; row < (sizes[i] <= CLUSTER ? N_OF(rows) : 2); row++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, row % 2 ? WORDS : MIXED),
				*packed = test_malloc(roomy(n));

			packed_len = their_frame(bytes, n, packed, roomy(n), rows[row].level,
						 rows[row].window_log, rows[row].checksum);
			assert_fills(codec, packed, packed_len, bytes, n);
			assert_fills(codec, packed, packed_len + 511, bytes, n);
			assert_corrupt(codec, packed, packed_len, n + 1);
			if (n > 1)
				assert_corrupt(codec, packed, packed_len, n - 1);
			if (rows[row].checksum) {
				packed[packed_len - 1] ^= 1;
				assert_corrupt(codec, packed, packed_len, n);
			}
			test_free(bytes);
			test_free(packed);
		}
	}
	codec_close(codec);
}

static void test_zstd_frames(void **state)
{
	enum { N = 4096, HALF = N / 2, SKIPPABLE = 8 + 5 };
	static const uint8_t skippable[SKIPPABLE] = { 0x53, 0x2a, 0x4d, 0x18, 5,   0,  0,
						      0,    'h',  'e',  'l',  'l', 'o' };
	static const uint8_t endless[8] = { 0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff };
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_DEFAULT);
	uint8_t *bytes = data_new(N, WORDS), packed[4 * N];
	size_t n = 0, len;

	(void)state;
	for (size_t half = 0; half < 2; half++) {
		memcpy(packed + n, skippable, SKIPPABLE);
		n += SKIPPABLE;
		assert_ok(compress_into(codec, bytes + half * HALF, HALF, packed + n,
					sizeof packed - n, &len));
		n += len;
	}
	assert_fills(codec, packed, n, bytes, N);
	memcpy(packed + n, "garbage", 7);
	assert_fills(codec, packed, n + 7, bytes, N);
	/* Half of it is a whole frame; a byte more is not. */
	assert_fills(codec, packed, n, bytes, HALF);
	assert_corrupt(codec, packed, n, HALF + 1);
	assert_corrupt(codec, packed, n - 1, N);
	assert_corrupt(codec, packed, SKIPPABLE, N);
	assert_corrupt(codec, endless, sizeof endless, N);
	assert_corrupt(codec, packed, 0, N);
	test_free(bytes);
	codec_close(codec);
}

static void test_zstd_truncated(void **state)
{
	enum { N = 3000 };
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_DEFAULT);

	(void)state;
	for (enum data data = 0; data < N_DATA; data++) {
		uint8_t *bytes = data_new(N, data), packed[2 * N];
		size_t packed_len;

		assert_ok(compress_into(codec, bytes, N, packed, sizeof packed, &packed_len));
		for (size_t len = 0; len < packed_len; len++)
			assert_corrupt(codec, packed, len, N);
		test_free(bytes);
	}
	codec_close(codec);
}

/* What QEMU accepts is accepted, with the same bytes. */
static void test_zstd_damaged(void **state)
{
	enum { ROUNDS = 10000, N = 700 };
	struct codec *codec = codec_open(CODEC_ZSTD, 6);
	uint8_t packed[2 * N + 8], got[N + 20], expected[N + 20];
	bool oracle = load_libzstd();

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t *bytes = data_new(N, random_below(N_DATA));
		size_t n = 1 + random_below(N), packed_len, asked;

		assert_ok(compress_into(codec, bytes, n, packed, sizeof packed, &packed_len));
		if (round % 4 == 0)
			fill(packed + 4, packed_len - 4, NOISE);
		else
			for (uint32_t i = random_below(4); i > 0; i--)
				flip_a_bit(packed, packed_len);
		asked = random_below(8) > 0 ? n : 1 + random_below((uint32_t)n + 20);
		if (oracle && qemu_unzstds(packed, packed_len, expected, asked)) {
			assert_ok(decompress(codec, packed, packed_len, got, asked));
			assert_memory_equal(got, expected, asked);
		} else {
			/* Whatever it says, the sanitizers have nothing to say. */
			(void)!decompress(codec, packed, packed_len, got, asked);
		}
		test_free(bytes);
	}
	codec_close(codec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libzstd_reads_ours), cmocka_unit_test(test_reads_libzstd),
		cmocka_unit_test(test_zstd_frames),        cmocka_unit_test(test_zstd_truncated),
		cmocka_unit_test(test_zstd_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
