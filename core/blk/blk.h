/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"

/*
 * Something that holds bytes: a file on a FAT volume, a disk, memory in a test, an opened image.
 * They stack.
 *
 * Callers use blk_read(), blk_write() and so on; they do once, for every kind, what the members of
 * blk_ops can then rely on: ranges inside the blk, whole blocks, aligned buffers, bounded length.
 */

struct blk;

/* How new bytes at the end of a growing file come to be zeros. Every way of them reads as zeros. */
enum prealloc {
	PREALLOC_OFF,    /* as cheaply as the file system can */
	PREALLOC_FALLOC, /* with space reserved, but not necessarily written */
	PREALLOC_FULL,   /* written */
	/* with a place for each, in images that store them anywhere; in other files as OFF */
	PREALLOC_METADATA,
};

/*
 * What a blk says of a range from some offset on. A hole is zeros, never "don't care", unless
 * something shows through it.
 */
struct extent {
	uint64_t length; /* bytes, > 0: so far it is all alike */
	/*
	 * this blk decides what is read there; false: what lies behind it does (a backing file),
	 * zeros without one
	 */
	bool allocated;
	bool zero; /* reads as zeros */
	bool data; /* bytes are stored for it */
	/*
	 * the whole cluster of the disk that `length` is part of comes from `packed_bytes` bytes at
	 * `offset`
	 */
	bool compressed;
	bool has_offset; /* `offset` is where in the file below the bytes are, as they are */
	uint64_t offset;
	uint32_t packed_bytes;
};

struct blk_ops {
	/*
	 * `offset` and `len` are multiples of block_bytes and inside the blk, `buf` has
	 * buffer_align, len <= transfer_bytes.
	 */
	enum status (*read)(struct blk *, uint64_t offset, void *buf, size_t len);
	/*
	 * The same; where `resize` is there, the write may go past the end, beginning at it or
	 * before. NULL: read-only.
	 */
	enum status (*write)(struct blk *, uint64_t offset, const void *buf, size_t len);
	/*
	 * Makes a range inside the blk read as zeros without having them as data, where it can.
	 * ST_UNSUPPORTED, or NULL: they are written.
	 */
	enum status (*zero)(struct blk *, uint64_t offset, uint64_t len);
	/*
	 * What is at `offset`, looking at up to `len` > 0 bytes, which are inside the blk. NULL:
	 * all of it is data.
	 */
	enum status (*extent)(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);
	/*
	 * Everything written is on the medium, as far as it can be told, when it returns ST_OK; of
	 * a device that is open for reading, what the firmware holds of the volumes on it, too.
	 * NULL: nothing to do.
	 */
	enum status (*flush)(struct blk *);
	/*
	 * Changes the size; growth reads as zeros. May stop half-way with ST_NO_SPACE, ST_CANCELLED
	 * ...; NULL: of fixed size.
	 */
	enum status (*resize)(struct blk *, uint64_t size, enum prealloc);
	/* The bytes that it occupies below. NULL: its size. */
	enum status (*allocated)(struct blk *, uint64_t *ret);
	/*
	 * How many writes this program has sent, since the blk was opened, to the device that it
	 * is, or to another one that has something in common with it. NULL: it is no device.
	 */
	uint64_t (*writes)(struct blk *);
	/* Frees the blk. What was not flushed may be lost, silently. */
	void (*close)(struct blk *);
};

struct blk {
	const struct blk_ops *ops;
	/* bytes, a multiple of block_bytes; resize and growing writes change it */
	uint64_t size;
	uint32_t block_bytes;  /* a power of two; 1 for files */
	uint32_t buffer_align; /* a power of two; 1: any buffer will do */
	/* largest single transfer, a multiple of block_bytes and buffer_align; at least 64 KiB */
	uint32_t transfer_bytes;
	/*
	 * of a device: from so many zeros on, a power of two, it is worth asking it for them; 0:
	 * never
	 */
	uint32_t zero_bytes;
};

/* [offset, offset + len) must lie in the blk: ST_INVALID. */
enum status blk_read(struct blk *, uint64_t offset, void *buf, size_t len);

/*
 * The same, but what lies behind the end reads as zeros: image files may end inside their last
 * cluster.
 */
enum status blk_read_padded(struct blk *, uint64_t offset, void *buf, size_t len);

/*
 * A blk that can be resized grows as needed, and a gap between its old end and `offset` reads as
 * zeros. Otherwise the range must lie in the blk: ST_INVALID. ST_READ_ONLY where it was opened for
 * reading.
 */
enum status blk_write(struct blk *, uint64_t offset, const void *buf, size_t len);

/*
 * Makes a range read as zeros, growing the blk like blk_write(). Asks platform_cancelled() on the
 * way: ST_CANCELLED.
 */
enum status blk_write_zeros(struct blk *, uint64_t offset, uint64_t len);

/* What is at `offset`, for at most `len` > 0 bytes; the range must lie in the blk: ST_INVALID. */
enum status blk_extent(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);

enum status blk_flush(struct blk *);
enum status blk_resize(struct blk *, uint64_t size, enum prealloc);
enum status blk_allocated(struct blk *, uint64_t *ret_bytes);
bool blk_writes(struct blk *, uint64_t *ret); /* false: it is no device that is open for reading */
void blk_close(struct blk *);                 /* NULL is allowed */
