/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/status.h"

/*
 * Compression from buffer to buffer, each buffer by itself: clusters of qcow2, grains of VMDK.
 *
 * A codec belongs to one worker: several codecs may run at once, but one of them may not be used by
 * two processors at once. codec_open() and codec_close(), for the boot processor, allocate and free
 * all memory. The calls between them call nothing of the platform, so that any processor can run
 * them, and use less than 8 KiB of stack (measured).
 */

enum codec_kind {
	CODEC_DEFLATE, /* raw deflate (RFC 1951), without the header of zlib */
	CODEC_ZLIB,    /* deflate with the header and checksum of zlib (RFC 1950) */
	CODEC_ZSTD,    /* zstd (RFC 8878) */
	CODEC_KINDS,   /* how many there are of the kinds above, which units of images have */
	CODEC_BZIP2 = CODEC_KINDS, /* bzip2, which is only decompressed; 3.6 MiB */
};

/*
 * Levels, and the memory that a codec takes. The default of deflate is the fastest level that makes
 * no more bytes than zlib with QEMU's settings; that of zstd is QEMU's. Processor time of the whole
 * command and bytes out, as multiples of those of qemu-img convert -c with zlib, measured on the
 * disk of `make bench-host` (programs and texts, in clusters of 64 KiB):
 *     deflate 1: 0.18, 1.01      deflate 3: 0.26, 0.95      deflate 5: 0.30, 0.93
 *     deflate 2: 0.25, 0.96      deflate 4: 0.26, 0.95      deflate 6: 0.35, 0.93
 * QEMU writes grains of VMDK in the format of zlib with other settings, and its output is smaller:
 *     zlib 2: 0.19, 1.05         zlib 5: 0.24, 1.01         zlib 6: 0.32, 1.00
 */
enum {
	CODEC_ONLY_DECOMPRESS = -1, /* deflate 12 KiB, zstd 95 KiB */
	CODEC_DEFAULT = 0,          /* that of the kind: */
	CODEC_DEFLATE_LEVEL = 2,    /* 1 to 9; 0.7 MiB from 2 on */
	CODEC_ZLIB_LEVEL = 5,       /* 1 to 9, as deflate */
	CODEC_DEFLATE_LEVEL_MAX = 9,
	CODEC_ZSTD_LEVEL = 3, /* 1 to 19; 1.4 MiB, 19: 34 MiB */
	CODEC_ZSTD_LEVEL_MAX = 19,
};

/* bytes that are compressed at once, at most: qcow2's largest cluster */
enum { CODEC_INPUT_MAX = 2 << 20 };

struct codec;

/*
 * Opens a codec of a level that the kind has, CODEC_DEFAULT or CODEC_ONLY_DECOMPRESS. The caller
 * closes it. NULL: no memory.
 */
struct codec *codec_open(enum codec_kind, int level);

/* Frees a codec. NULL is allowed. */
void codec_close(struct codec *);

/*
 * Compresses 1 to CODEC_INPUT_MAX bytes into `out`; *ret_len is the length of the result.
 * ST_NO_SPACE: the result (with deflate: and 8 bytes more) does not fit into `capacity` bytes, and
 * `out` is undefined. Bytes that cannot be compressed end so: the caller stores them as they are.
 */
enum status codec_compress(struct codec *, const void *in, size_t in_len, void *out,
			   size_t capacity, size_t *ret_len);

/*
 * Decompresses untrusted input into exactly `out_len` bytes. It follows the rules of QEMU's reader,
 * because images exist that need them: bytes after the end of the compressed data are ignored (in
 * qcow2: the rest of a sector, the data of the next cluster); zstd data may be several frames,
 * among them skippable ones, and bzip2 data several streams; raw deflate data that would give more
 * than `out_len` bytes is cut. ST_CORRUPT: the data is damaged, too short, or (but for raw deflate)
 * too long, and `out` is undefined.
 */
enum status codec_decompress(struct codec *, const void *in, size_t in_len, void *out,
			     size_t out_len);
