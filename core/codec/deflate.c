/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Raw deflate (RFC 1951), and deflate in the format of zlib (RFC 1950), by libdeflate.
 *
 * Streams use the full window of deflate, 32 KiB, although QEMU writes them with a window of 4 KiB
 * and opens its reader with that one: zlib's reader, given room for all output in one call as QEMU
 * does, looks distances up in the output, and never in the window.
 *
 * libdeflate chooses its variants by CPUID, and uses the registers of AVX only if CR4.OSXSAVE and
 * XCR0 say that the system saves them. Firmware leaves OSXSAVE clear; so plain code runs there, or
 * BMI2, which has no registers of its own. libdeflate keeps its choice in two words; workers that
 * make the choice at the same time write the same values.
 *
 * libdeflate refuses raw data whose end it does not see, which QEMU reads: inflate.c takes these.
 * In the format of zlib a checksum follows the end, and readers insist on both.
 */

#include <libdeflate.h>

#include "base/memory.h"
#include "codec/inflate.h"
#include "codec/include/deflate_parts.h"
#include "codec/kinds.h"

struct deflate {
	struct codec codec;
	struct libdeflate_compressor *compressor; /* NULL: this codec only decompresses */
	struct libdeflate_decompressor *decompressor;
};

static enum status deflate_compress(struct codec *codec, const void *in, size_t in_len, void *out,
				    size_t capacity, size_t *ret_len)
{
	struct deflate *d = (struct deflate *)codec;
	size_t n = libdeflate_deflate_compress(d->compressor, in, in_len, out, capacity);

	if (n == 0)
		return ST_NO_SPACE;
	*ret_len = n;
	return ST_OK;
}

static enum status deflate_decompress(struct codec *codec, const void *in, size_t in_len, void *out,
				      size_t out_len)
{
	struct deflate *d = (struct deflate *)codec;

	switch (libdeflate_deflate_decompress(d->decompressor, in, in_len, out, out_len, NULL)) {
	case LIBDEFLATE_SUCCESS:
		return ST_OK;
	case LIBDEFLATE_SHORT_OUTPUT:
		return ST_CORRUPT;
	default:
		/* The stream may be good as far as `out_len`; what it has written is not all. */
		return inflate_prefix(in, in_len, out, out_len);
	}
}

static enum status zlib_compress(struct codec *codec, const void *in, size_t in_len, void *out,
				 size_t capacity, size_t *ret_len)
{
	struct deflate *d = (struct deflate *)codec;
	size_t n = libdeflate_zlib_compress(d->compressor, in, in_len, out, capacity);

	if (n == 0)
		return ST_NO_SPACE;
	*ret_len = n;
	return ST_OK;
}

static enum status zlib_decompress(struct codec *codec, const void *in, size_t in_len, void *out,
				   size_t out_len)
{
	struct deflate *d = (struct deflate *)codec;

	return libdeflate_zlib_decompress(d->decompressor, in, in_len, out, out_len, NULL) ==
			       LIBDEFLATE_SUCCESS
		       ? ST_OK
		       : ST_CORRUPT;
}

static void deflate_close(struct codec *codec)
{
	struct deflate *d = (struct deflate *)codec;

	libdeflate_free_compressor(d->compressor);
	libdeflate_free_decompressor(d->decompressor);
	mem_free(d);
}

/* A codec of the given functions. */
static struct codec *open_codec(struct codec functions)
{
	int level = functions.level;
	struct deflate *d = mem_alloc(sizeof *d);

	if (d == NULL)
		return NULL;
	d->codec = functions;
	d->decompressor = libdeflate_alloc_decompressor();
	if (level != CODEC_ONLY_DECOMPRESS)
		d->compressor = deflate_alloc_compressor(level);
	if (d->decompressor == NULL || (level != CODEC_ONLY_DECOMPRESS && d->compressor == NULL)) {
		deflate_close(&d->codec);
		return NULL;
	}
	return &d->codec;
}

struct codec *deflate_open(int level)
{
	return open_codec(
		(struct codec){ deflate_compress, deflate_decompress, deflate_close, level });
}

struct codec *zlib_open(int level)
{
	return open_codec((struct codec){ zlib_compress, zlib_decompress, deflate_close, level });
}
