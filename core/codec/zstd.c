/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * zstd (RFC 8878) by the zstd library. The compressor and the decompressor each get one piece of
 * memory when the codec is opened ("static" contexts) and never allocate. The library has variants
 * for BMI2, chosen by CPUID, and none for AVX.
 *
 * Frames are decompressed straight into the caller's buffer, which serves as the window: a frame
 * that claims a large window costs no memory, and a match that begins before the output is an
 * error.
 */

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "base/check.h"
#include "base/memory.h"
#include "codec/kinds.h"

struct zstd {
	struct codec codec;
	void *compressor_memory, *decompressor_memory;
	ZSTD_CCtx *compressor; /* NULL: this codec only decompresses */
	ZSTD_DCtx *decompressor;
};

static enum status zstd_compress(struct codec *codec, const void *in, size_t in_len, void *out,
				 size_t capacity, size_t *ret_len)
{
	struct zstd *z = (struct zstd *)codec;
	size_t n = ZSTD_compressCCtx(z->compressor, out, capacity, in, in_len, codec->level);

	if (ZSTD_isError(n)) {
		CHECK(ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall);
		return ST_NO_SPACE;
	}
	*ret_len = n;
	return ST_OK;
}

static enum status zstd_decompress(struct codec *codec, const void *in, size_t in_len, void *out,
				   size_t out_len)
{
	struct zstd *z = (struct zstd *)codec;
	const char *from = in;
	char *to = out;

	/* One frame at a time, so that what follows the last frame can be ignored. */
	while (out_len > 0) {
		size_t frame = ZSTD_findFrameCompressedSize(from, in_len);
		size_t n = ZSTD_isError(frame)
				   ? frame
				   : ZSTD_decompressDCtx(z->decompressor, to, out_len, from, frame);

		if (ZSTD_isError(n))
			return ST_CORRUPT;
		from += frame;
		in_len -= frame;
		to += n;
		out_len -= n;
	}
	return ST_OK;
}

static void zstd_close(struct codec *codec)
{
	struct zstd *z = (struct zstd *)codec;

	mem_free(z->compressor_memory);
	mem_free(z->decompressor_memory);
	mem_free(z);
}

/*
 * The memory for compressing at a level: the most that any of the four classes of input sizes
 * needs, for each of which zstd has parameters of its own.
 */
static size_t compressor_bytes(int level)
{
	static const size_t largest[] = { 16 << 10, 128 << 10, 256 << 10, CODEC_INPUT_MAX };
	size_t bytes = 0;

	for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
		size_t n = ZSTD_estimateCCtxSize_usingCParams(
			ZSTD_getCParams(level, largest[i], 0));

		bytes = n > bytes ? n : bytes;
	}
	return bytes;
}

struct codec *zstd_open(int level)
{
	struct zstd *z = mem_alloc(sizeof *z);
	size_t n;

	if (z == NULL)
		return NULL;
	z->codec = (struct codec){ zstd_compress, zstd_decompress, zstd_close, level };
	n = ZSTD_estimateDCtxSize();
	z->decompressor_memory = mem_alloc(n);
	if (z->decompressor_memory == NULL)
		goto no_memory;
	z->decompressor = ZSTD_initStaticDCtx(z->decompressor_memory, n);
	CHECK(z->decompressor != NULL);
	if (level == CODEC_ONLY_DECOMPRESS)
		return &z->codec;

	n = compressor_bytes(level);
	z->compressor_memory = mem_alloc(n);
	if (z->compressor_memory == NULL)
		goto no_memory;
	z->compressor = ZSTD_initStaticCCtx(z->compressor_memory, n);
	CHECK(z->compressor != NULL);
	return &z->codec;

no_memory:
	zstd_close(&z->codec);
	return NULL;
}
