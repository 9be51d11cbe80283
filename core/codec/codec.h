/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/status.h"

/*
 * Compression from buffer to buffer, each buffer on its own: clusters of qcow2, grains of VMDK.
 *
 * A codec is one worker's: several may run at the same time, one of them may not be used twice at
 * the same time. All memory is allocated by codec_open() and freed by codec_close(), on the boot
 * processor; what is between them calls nothing of the platform, so that it can run on any
 * processor, and needs less than 8 KiB of stack (measured).
 */

enum codec_kind {
	CODEC_DEFLATE, /* raw deflate (RFC 1951), without the header of zlib */
	CODEC_ZSTD,    /* zstd (RFC 8878) */
};

/*
 * Levels, and the memory of a codec. The preset of deflate is the fastest level that makes no more
 * bytes than zlib in QEMU's settings, that of zstd is QEMU's. Measured beside qemu-img convert -c,
 * with zlib, on the disk of `make bench-host` (programs and texts, in clusters of 64 KiB):
 * processor time of the whole command, and bytes out.
 *     deflate 1: 0.18, 1.01      deflate 3: 0.26, 0.95      deflate 5: 0.30, 0.93
 *     deflate 2: 0.25, 0.96      deflate 4: 0.26, 0.95      deflate 6: 0.35, 0.93
 */
enum {
	CODEC_ONLY_DECOMPRESS = -1, /* deflate 12 KiB, zstd 95 KiB */
	CODEC_PRESET = 0,           /* CODEC_DEFLATE_LEVEL or CODEC_ZSTD_LEVEL */
	CODEC_DEFLATE_LEVEL = 2,    /* 1 to 9; 0.7 MiB from 2 on */
	CODEC_DEFLATE_LEVEL_MAX = 9,
	CODEC_ZSTD_LEVEL = 3, /* 1 to 19; 1.4 MiB, 19: 34 MiB */
	CODEC_ZSTD_LEVEL_MAX = 19,
};

/* the most that is compressed at once: qcow2's largest cluster */
enum { CODEC_INPUT_MAX = 2 << 20 };

struct codec;

/* NULL: no memory. */
struct codec *codec_open(enum codec_kind, int level);
void codec_close(struct codec *); /* NULL is allowed */

/*
 * Compresses 1 to CODEC_INPUT_MAX bytes. ST_NO_SPACE: the result, or with deflate the result and 8
 * bytes more, has no room in `capacity` bytes; `out` is then undefined. Compressing what cannot be
 * compressed ends so: the caller stores it as it is.
 */
enum status codec_compress(struct codec *, const void *in, size_t in_len, void *out,
			   size_t capacity, size_t *ret_len);

/*
 * Fills exactly `out_len` bytes from untrusted input, by the rules of QEMU's reader, since images
 * were made that need them: what follows the end of the compressed data is ignored (in qcow2: the
 * rest of a sector, the next cluster's data). The data may be several frames of zstd, skippable
 * ones among them. Deflate data that goes on beyond `out_len` bytes is cut. ST_CORRUPT: damaged,
 * too short, or (zstd) too long; `out` is then undefined.
 */
enum status codec_decompress(struct codec *, const void *in, size_t in_len, void *out,
			     size_t out_len);
