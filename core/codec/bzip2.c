/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bzip2, by the bzip2 library: only decompressing, which is what chunks of dmg images need. (Apple
 * compresses each chunk as a stream of its own.)
 *
 * The library asks for memory when it begins a stream and again when it has read the level in the
 * stream's header. Both requests are answered from one piece of memory, allocated when the codec is
 * opened, for the highest level: the state and 4 bytes for each of the 900000 bytes of a block.
 *
 * Its assertions call bz_internal_error(). None of them depends on the input, so that they are
 * mistakes in the library or here.
 */
#include <bzlib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/memory.h"
#include "codec/kinds.h"

enum {
	STATE_BYTES = 72 << 10, /* more than sizeof(DState), which no header of the library tells */
	BLOCK_BYTES = 900000 * 4,
	ALIGNMENT = 16,
};

struct bzip2 {
	struct codec codec;
	uint8_t *memory;
	size_t used;
};

void bz_internal_error(int code);

void bz_internal_error(int code)
{
	(void)code;
	CHECK(false);
}

static void *take(void *opaque, int n, int bytes)
{
	struct bzip2 *b = opaque;
	size_t wanted = (size_t)n * (size_t)bytes;
	uint8_t *ret = b->memory + b->used;

	CHECK(n >= 0 && bytes >= 0 && wanted <= STATE_BYTES + BLOCK_BYTES - b->used);
	b->used += (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return ret;
}

/* All of it becomes free with the next stream. */
static void give_back(void *opaque, void *memory)
{
	(void)opaque;
	(void)memory;
}

/* Decompresses one stream; advances the input and output of `s`. */
static enum status decompress_stream(struct bzip2 *b, bz_stream *s)
{
	int verdict;

	b->used = 0;
	CHECK(BZ2_bzDecompressInit(s, 0, 0) == BZ_OK);
	do {
		unsigned in = s->avail_in, out = s->avail_out;

		verdict = BZ2_bzDecompress(s);
		if (verdict == BZ_OK && s->avail_in == in && s->avail_out == out)
			verdict = BZ_UNEXPECTED_EOF; /* of the input, or of the room for output */
	} while (verdict == BZ_OK);
	(void)BZ2_bzDecompressEnd(s);
	return verdict == BZ_STREAM_END ? ST_OK : ST_CORRUPT;
}

static enum status bzip2_decompress(struct codec *codec, const void *in, size_t in_len, void *out,
				    size_t out_len)
{
	struct bzip2 *b = (struct bzip2 *)codec;
	bz_stream s = {
		.next_in = (char *)(uintptr_t)in,
		.avail_in = (unsigned)in_len,
		.next_out = out,
		.avail_out = (unsigned)out_len,
		.bzalloc = take,
		.bzfree = give_back,
		.opaque = b,
	};
	enum status st;

	CHECK(in_len <= INT32_MAX && out_len <= INT32_MAX);
	do
		st = decompress_stream(b, &s);
	while (st == ST_OK && s.avail_out > 0);
	return st;
}

static void bzip2_close(struct codec *codec)
{
	struct bzip2 *b = (struct bzip2 *)codec;

	mem_free(b->memory);
	mem_free(b);
}

struct codec *bzip2_open(void)
{
	struct bzip2 *b = mem_alloc(sizeof *b);

	if (b == NULL)
		return NULL;
	b->codec = (struct codec){ .decompress = bzip2_decompress,
				   .close = bzip2_close,
				   .level = CODEC_ONLY_DECOMPRESS };
	b->memory = mem_alloc(STATE_BYTES + BLOCK_BYTES);
	if (b->memory != NULL)
		return &b->codec;
	mem_free(b);
	return NULL;
}
