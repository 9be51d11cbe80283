#pragma once

#include <stddef.h>

#include "base/status.h"

/*
 * Compression from buffer to buffer, each buffer on its own: clusters of qcow2, grains of VMDK.
 *
 * A codec is one worker's: several may run at the same time, one of them may not be used twice at the same time. All memory
 * is allocated by codec_open() and freed by codec_close(), on the boot processor; what is between them calls nothing of
 * the platform, so that it can run on any processor, and needs less than 6 KiB of stack.
 */

enum codec_kind {
	CODEC_DEFLATE, /* raw deflate (RFC 1951), without the header of zlib */
	CODEC_ZSTD,    /* zstd (RFC 8878) */
};

/*
 * Levels. A codec that only decompresses needs less memory (deflate 12 KiB, zstd 95 KiB). The others are the best of each kind that
 * compresses text in clusters of 64 KiB at least twice as fast as QEMU does with zlib, and smaller than that.
 */
enum {
	CODEC_ONLY_DECOMPRESS = 0,
	CODEC_DEFLATE_LEVEL = 6, /* 1 to 9 */
	CODEC_ZSTD_LEVEL = 3,    /* 1 to 19 */
};

enum { CODEC_INPUT_MAX = 2 << 20 }; /* the most that is compressed at once: qcow2's largest cluster */

struct codec;

/* NULL: no memory. */
struct codec *codec_open(enum codec_kind, int level);
void codec_close(struct codec *); /* NULL is allowed */

/*
 * Compresses 1 to CODEC_INPUT_MAX bytes. ST_NO_SPACE: the result, or with deflate the result and 8 bytes more, has no room in
 * `capacity` bytes; `out` is then undefined. Compressing what cannot be compressed ends so: the caller stores it as it is.
 */
enum status codec_compress(struct codec *, const void *in, size_t in_len, void *out, size_t capacity, size_t *ret_len);

/*
 * Fills exactly `out_len` bytes from untrusted input, by the rules of QEMU's reader, since images were made that need them:
 * what follows the end of the compressed data is ignored (in qcow2: the rest of a sector, the next cluster's data). The
 * data may be several frames of zstd, skippable ones among them. Deflate data that goes on beyond `out_len` bytes is cut.
 * ST_CORRUPT: damaged, too short, or (zstd) too long; `out` is then undefined.
 */
enum status codec_decompress(struct codec *, const void *in, size_t in_len, void *out, size_t out_len);
