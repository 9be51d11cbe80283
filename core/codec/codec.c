/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The kinds of compression behind one interface. Each kind is a file with an adapter to a library
 * (deflate.c, zstd.c, bzip2.c); here a kind is chosen by its number, and callers are held to the
 * contract.
 */
#include "codec/codec.h"

#include "base/check.h"
#include "codec/kinds.h"

struct codec *codec_open(enum codec_kind kind, int level)
{
	CHECK(kind != CODEC_BZIP2 || level == CODEC_ONLY_DECOMPRESS);
	if (kind == CODEC_BZIP2)
		return bzip2_open();
	if (kind == CODEC_ZSTD)
		return zstd_open(level == CODEC_DEFAULT ? CODEC_ZSTD_LEVEL : level);
	if (kind == CODEC_ZLIB)
		return zlib_open(level == CODEC_DEFAULT ? CODEC_ZLIB_LEVEL : level);
	return deflate_open(level == CODEC_DEFAULT ? CODEC_DEFLATE_LEVEL : level);
}

void codec_close(struct codec *codec)
{
	if (codec != NULL)
		codec->close(codec);
}

enum status codec_compress(struct codec *codec, const void *in, size_t in_len, void *out,
			   size_t capacity, size_t *ret_len)
{
	CHECK(codec->level != CODEC_ONLY_DECOMPRESS && in_len > 0 && in_len <= CODEC_INPUT_MAX);
	return codec->compress(codec, in, in_len, out, capacity, ret_len);
}

enum status codec_decompress(struct codec *codec, const void *in, size_t in_len, void *out,
			     size_t out_len)
{
	return codec->decompress(codec, in, in_len, out, out_len);
}
