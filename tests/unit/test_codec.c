#include "unit.h"

#include <dlfcn.h>
#include <pthread.h>
#include <zlib.h>

#include "codec/codec.h"
#include "codec/inflate.h"

enum { MIB = 1 << 20, CLUSTER = 65536, GUARD = 64, GUARD_BYTE = 0x5a };

/* ---- data ---- */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t random_u32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static uint32_t random_below(uint32_t n)
{
	return random_u32() % n;
}

enum data { ZEROS, NOISE, WORDS, PERIOD_4000, PERIOD_32000, MIXED, N_DATA };

static void fill(uint8_t *bytes, size_t n, enum data kind)
{
	static const char *const words[] = { "the ", "cluster ", "of ", "an ", "image ", "is ", "described\n", "by ",
		"0x", "entry, " };
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

static uint8_t *data_new(size_t n, enum data kind)
{
	uint8_t *bytes = test_malloc(n);

	fill(bytes, n, kind);
	return bytes;
}

/* In half of the cases near the beginning, where the headers are. */
static void flip_a_bit(uint8_t *bytes, size_t n)
{
	size_t at = random_below(2) > 0 ? random_below(30) % n : random_below((uint32_t)n);

	bytes[at] ^= (uint8_t)(1 << random_below(8));
}

/* ---- calls with everything around them looked at ---- */

/* Inputs are copied into memory of just their size, so that the sanitizer sees what is read behind them. */
static uint8_t *copy_of(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	return memcpy(copy, bytes, n);
}

static enum status decompress(struct codec *codec, const void *in, size_t in_len, uint8_t *out, size_t out_len)
{
	uint8_t *from = copy_of(in, in_len), *to = malloc(out_len + 2 * GUARD);
	enum status st;

	memset(to, GUARD_BYTE, out_len + 2 * GUARD);
	st = codec != NULL ? codec_decompress(codec, from, in_len, to + GUARD, out_len) :
		inflate_prefix(from, in_len, to + GUARD, out_len);
	for (size_t i = 0; i < GUARD; i++)
		assert_true(to[i] == GUARD_BYTE && to[GUARD + out_len + i] == GUARD_BYTE);
	if (out != NULL)
		memcpy(out, to + GUARD, out_len);
	free(from);
	free(to);
	return st;
}

static enum status compress_into(struct codec *codec, const void *in, size_t in_len, uint8_t *out, size_t capacity,
	size_t *ret_len)
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

static void assert_fills(struct codec *codec, const void *in, size_t in_len, const uint8_t *expected, size_t n)
{
	uint8_t *out = test_malloc(n);

	assert_ok(decompress(codec, in, in_len, out, n));
	assert_memory_equal(out, expected, n);
	test_free(out);
}

#define assert_corrupt(codec, in, in_len, n) assert_int_equal(decompress(codec, in, in_len, NULL, n), ST_CORRUPT)

static size_t roomy(size_t n)
{
	return n + n / 8 + 1024;
}

/* ---- zlib, as QEMU uses it ---- */

static size_t zlib_compress(const void *in, size_t in_len, void *out, size_t capacity, int level, int window_bits,
	int strategy)
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
static size_t zlib_decompress(const void *in, size_t in_len, uint8_t *out, size_t n, int *ret_verdict)
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

/* ---- the system's libzstd, of another build, and as QEMU uses it ---- */

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
		{ &theirs.compressor, "ZSTD_createCCtx" }, { &theirs.decompressor, "ZSTD_createDCtx" },
		{ &theirs.set, "ZSTD_CCtx_setParameter" }, { &theirs.compress, "ZSTD_compress2" },
		{ &theirs.decompress_some, "ZSTD_decompressStream" }, { &theirs.is_error, "ZSTD_isError" },
		{ &theirs.free_compressor, "ZSTD_freeCCtx" }, { &theirs.free_decompressor, "ZSTD_freeDCtx" },
	};

	for (size_t i = 0; library != NULL && i < N_OF(rows); i++) {
		void *function = dlsym(library, rows[i].name);

		assert_non_null(function);
		memcpy(rows[i].function, &function, sizeof function);
	}
	return library != NULL;
}

static size_t their_frame(const void *in, size_t in_len, void *out, size_t capacity, int level, int window_log,
	bool checksum)
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

/* ---- both kinds ---- */

static const size_t sizes[] = { 1, 2, 3, 7, 40, 511, 512, 513, 4096, 65535, CLUSTER, CLUSTER + 1, 200000, MIB,
	CODEC_INPUT_MAX };

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
	for (enum codec_kind kind = CODEC_DEFLATE; kind <= CODEC_ZSTD; kind++) {
		struct codec *codec = codec_open(kind, CODEC_PRESET);

		for (size_t i = 0; i < N_OF(sizes); i++)
			for (enum data data = 0; data < N_DATA; data++)
				round_trips(codec, sizes[i], data);
		codec_close(codec);
	}
}

static void test_levels(void **state)
{
	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind <= CODEC_ZSTD; kind++) {
		for (int level = 1; level <= (kind == CODEC_DEFLATE ? CODEC_DEFLATE_LEVEL_MAX : CODEC_ZSTD_LEVEL_MAX); level++) {
			struct codec *codec = codec_open(kind, level);

			/*
			 * Between these sizes zstd changes its parameters; what memory it needs does not depend on the
			 * data.
			 */
			round_trips(codec, 16384, MIXED);
			round_trips(codec, CLUSTER, WORDS);
			round_trips(codec, 3 * CLUSTER, MIXED);
			round_trips(codec, CODEC_INPUT_MAX, ZEROS);
			codec_close(codec);
		}
	}
}

/* Whatever the capacity, the result fits or ST_NO_SPACE says that it does not, and nothing is written behind it. */
static void test_capacity(void **state)
{
	enum { SLACK = 8 };

	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind <= CODEC_ZSTD; kind++) {
		struct codec *codec = codec_open(kind, 3);

		for (enum data data = 0; data < N_DATA; data++) {
			enum { N = 6000 };
			uint8_t *bytes = data_new(N, data), packed[2 * N];
			size_t needed, n;

			assert_ok(compress_into(codec, bytes, N, packed, sizeof packed, &needed));
			for (size_t capacity = 0; capacity < needed + SLACK;
				capacity += capacity + 1000 < needed ? 31 : 1) {
				enum status st = compress_into(codec, bytes, N, packed, capacity, &n);

				assert_true(st == ST_OK || st == ST_NO_SPACE);
				if (st == ST_OK)
					assert_fills(codec, packed, n, bytes, N);
				else
					assert_true(capacity < needed + (kind == CODEC_DEFLATE ? SLACK + 1 : SLACK));
			}
			assert_ok(compress_into(codec, bytes, N, packed, needed + SLACK + 1, &n));
			if (data == NOISE)
				assert_int_equal(compress_into(codec, bytes, N, packed, N - 1, &n), ST_NO_SPACE);
			test_free(bytes);
		}
		codec_close(codec);
	}
}

static void test_no_memory(void **state)
{
	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind <= CODEC_ZSTD; kind++) {
		for (int level = CODEC_ONLY_DECOMPRESS; level <= CODEC_PRESET; level++) {
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
			assert_int_equal(n, level == CODEC_ONLY_DECOMPRESS ? 3 : 4); /* all that failed, and the one that did not come */
		}
	}
	sim_fail_allocation(0);
	codec_close(NULL);
}

/* A worker may not ask the firmware for memory. */
static void test_works_without_memory(void **state)
{
	uint8_t *bytes = data_new(CODEC_INPUT_MAX, MIXED), *packed = test_malloc(roomy(CODEC_INPUT_MAX));

	(void)state;
	for (enum codec_kind kind = CODEC_DEFLATE; kind <= CODEC_ZSTD; kind++) {
		struct codec *codec = codec_open(kind, CODEC_PRESET);
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
			codec_decompress(codec, packed, n, back, len) != ST_OK || memcmp(shared, back, len) != 0;
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
		codecs[i] = codec_open(i % 2 == 0 ? CODEC_DEFLATE : CODEC_ZSTD, 3);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, codecs[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		assert_null(failures);
		codec_close(codecs[i]);
	}
}

/* ---- deflate ---- */

static void test_zlib_reads_ours(void **state)
{
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_PRESET);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n)), *back = test_malloc(n);
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
		{ -1, -12, Z_DEFAULT_STRATEGY }, { -1, -15, Z_DEFAULT_STRATEGY }, { 1, -15, Z_DEFAULT_STRATEGY },
		{ 9, -15, Z_DEFAULT_STRATEGY }, { 0, -12, Z_DEFAULT_STRATEGY }, { 6, -12, Z_FIXED },
		{ 6, -12, Z_HUFFMAN_ONLY }, { 6, -15, Z_RLE }, { 6, -9, Z_FILTERED },
	};
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_ONLY_DECOMPRESS);

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i];
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n));

			for (size_t row = 0; row < (n <= CLUSTER ? N_OF(rows) : 2); row++) {
				size_t packed_len = zlib_compress(bytes, n, packed, roomy(n), rows[row].level,
					rows[row].window_bits, rows[row].strategy);

				assert_fills(codec, packed, packed_len, bytes, n);
				assert_fills(codec, packed, packed_len + 500, bytes, n);
				if (n <= 4096)
					assert_fills(NULL, packed, packed_len, bytes, n);
				assert_corrupt(codec, packed, packed_len, n + 1);
				/*
				 * A stream of more than a cluster is cut, in the middle of a match or of a stored block
				 * too.
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
 * Beside zlib: what QEMU accepts is accepted with the same bytes; inflate_prefix() alone tells also whether zlib filled
 * the cluster.
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
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_PRESET);

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
		{ { 0x78, 0xda, 0x63, 0x00, 0x00 }, 5 },       /* a header of zlib */
		{ { 0x07 }, 1 },                               /* a block of type 3 */
		{ { 0x01, 0x04, 0x00, 0xfb, 0xfe, 1, 2 }, 7 }, /* stored, but the complement of the length is not one */
		{ { 0x01, 0x04, 0x00, 0xfb, 0xff, 1, 2 }, 7 }, /* stored, but shorter than it says */
		{ { 0x03, 0x02, 0x00 }, 3 },                   /* fixed: a match from before the output */
		{ { 0x03, 0x00 }, 2 },                         /* an empty block, the last one */
		{ { 0x05, 0xe0, 0x81, 0x08, 0, 0, 0, 0 }, 8 }, /* dynamic, ends inside its codes */
		{ { 0x05, 0, 0x12, 0, 0, 0, 0, 0 }, 8 },       /* dynamic, its first length is that of the one before */
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
			packed_len = zlib_compress(bytes, n, packed, sizeof packed, (int)random_below(10), -15,
				(int)random_below(5));
			for (uint32_t i = random_below(4); i > 0; i--)
				flip_a_bit(packed, packed_len);
		}
		beside_zlib(codec, packed, packed_len, 1 + random_below((uint32_t)n + 20));
		test_free(bytes);
	}
	codec_close(codec);
}

/* ---- zstd ---- */

static void test_libzstd_reads_ours(void **state)
{
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_PRESET);

	(void)state;
	if (!load_libzstd())
		skip();
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (enum data data = 0; data < N_DATA; data++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, data), *packed = test_malloc(roomy(n)), *back = test_malloc(n);

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
		{ 3, 0, false }, { 1, 0, true }, { 19, 0, true }, { 22, 0, false }, { -5, 0, false }, { 3, 27, true },
		{ 3, 10, false },
	};
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_ONLY_DECOMPRESS);

	(void)state;
	if (!load_libzstd())
		skip();
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (size_t row = 0; row < (sizes[i] <= CLUSTER ? N_OF(rows) : 2); row++) {
			size_t n = sizes[i], packed_len;
			uint8_t *bytes = data_new(n, row % 2 ? WORDS : MIXED), *packed = test_malloc(roomy(n));

			packed_len = their_frame(bytes, n, packed, roomy(n), rows[row].level, rows[row].window_log,
				rows[row].checksum);
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
	static const uint8_t skippable[SKIPPABLE] = { 0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o' };
	static const uint8_t endless[8] = { 0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff };
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_PRESET);
	uint8_t *bytes = data_new(N, WORDS), packed[4 * N];
	size_t n = 0, len;

	(void)state;
	for (size_t half = 0; half < 2; half++) {
		memcpy(packed + n, skippable, SKIPPABLE);
		n += SKIPPABLE;
		assert_ok(compress_into(codec, bytes + half * HALF, HALF, packed + n, sizeof packed - n, &len));
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
	struct codec *codec = codec_open(CODEC_ZSTD, CODEC_PRESET);

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
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_works_without_memory),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_zlib_reads_ours),
		cmocka_unit_test(test_reads_zlib),
		cmocka_unit_test(test_deflate_truncated),
		cmocka_unit_test(test_deflate_malformed),
		cmocka_unit_test(test_deflate_damaged),
		cmocka_unit_test(test_libzstd_reads_ours),
		cmocka_unit_test(test_reads_libzstd),
		cmocka_unit_test(test_zstd_frames),
		cmocka_unit_test(test_zstd_truncated),
		cmocka_unit_test(test_zstd_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
