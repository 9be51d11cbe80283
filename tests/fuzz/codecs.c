/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compressed data of any bytes: the first byte says which codec, the second how much is to come
 * out.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"

/* bzip2 has no way back. */
static void decompress_bzip2(const uint8_t *data, size_t n)
{
	struct codec *codec = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
	size_t length = (size_t)(data[1] + 1) * 256;
	uint8_t *out = malloc(length);

	MUST(codec != NULL);
	(void)!codec_decompress(codec, data + 2, n - 2, out, length);
	codec_close(codec);
	free(out);
	fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum codec_kind kind;
	struct codec *codec;
	size_t length, packed_bytes;
	uint8_t *out, *packed, *again;

	if (n < 2)
		return 0;
	if ((data[0] & 7) == 4) {
		decompress_bzip2(data, n);
		return 0;
	}
	kind = (data[0] & 1) != 0 ? CODEC_ZSTD : (data[0] & 2) != 0 ? CODEC_ZLIB : CODEC_DEFLATE;
	length = (size_t)(data[1] + 1) * 256;
	out = malloc(length);
	again = malloc(length);
	packed = malloc(length);
	codec = codec_open(kind, kind == CODEC_ZSTD ? 1 : CODEC_DEFLATE_LEVEL);
	MUST(codec != NULL);
	/*
	 * What can be had from the input, and the input itself, come back from what they are
	 * compressed to.
	 */
	if (codec_decompress(codec, data + 2, n - 2, out, length) != ST_OK) {
		memset(out, 0, length);
		memcpy(out, data, n < length ? n : length);
	}
	if (codec_compress(codec, out, length, packed, length, &packed_bytes) == ST_OK) {
		MUST(codec_decompress(codec, packed, packed_bytes, again, length) == ST_OK);
		MUST(memcmp(out, again, length) == 0);
	}
	codec_close(codec);
	free(packed);
	free(again);
	free(out);
	fuzz_end();
	return 0;
}
