/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"

/*
 * A blk is something that holds bytes: a file on a volume, a disk, a split set, a range of another
 * blk, the disk in an opened image, memory in a test. A blk can be made of others, so they stack.
 *
 * Callers use blk_read(), blk_write() and so on, which take any range and any buffer. These
 * functions do once, for every kind, what the members of struct blk_ops rely on: ranges are
 * checked, transfers are cut, and partial blocks and unaligned buffers are bounced.
 *
 * A blk is used by one processor at a time, the boot processor, with one exception: see
 * parallel_reads. All calls are synchronous. Unless a function says otherwise, a call that fails
 * leaves the range that it was given undefined and everything else as it was.
 *
 * tests/unit/test_blk_contract.c holds every kind of blk to what this file says.
 */
struct blk;

/* How the bytes are made by which a blk grows. They read as zeros in every mode. */
enum prealloc {
	PREALLOC_OFF,      /* as cheaply as the file system can */
	PREALLOC_FALLOC,   /* space is reserved, but not necessarily written */
	PREALLOC_FULL,     /* zeros are written */
	PREALLOC_METADATA, /* of an image with tables: clusters are mapped; of others: as OFF */
};

/*
 * What a blk says of a range. What is allocated is `zero` or `data`, or both: clusters of an image
 * that lie in a hole of its file. A hole reads as zeros; it never means "don't care".
 *
 * `offset` counts in the blk itself, where it is the offset that was asked for; of an image, in
 * what stores its data (image->data; compressed: image->file).
 */
struct extent {
	uint64_t length; /* bytes, > 0, for which all of this holds */
	/*
	 * false: the blk has no contents here, and the backing file of the image decides what is
	 * read; without a backing file, zeros. Only images say so.
	 */
	bool allocated;
	bool zero;       /* reads as zeros */
	bool data;       /* bytes are stored */
	bool compressed; /* the whole cluster is stored in `packed_bytes` bytes at `offset` */
	bool has_offset; /* the bytes, or the space for them, are at `offset` */
	uint64_t offset;
	uint32_t packed_bytes;
};

/* What a kind of blk does. It relies on what is said here, and blk.c sees to it. */
struct blk_ops {
	/*
	 * Reads. `offset` and `len` are multiples of block_bytes and the range is inside the blk;
	 * `buf` is aligned to buffer_align; 0 < len <= transfer_bytes. Never NULL.
	 */
	enum status (*read)(struct blk *, uint64_t offset, void *buf, size_t len);
	/*
	 * Writes, with the same guarantees. If `resize` is not NULL, the range may end past the end
	 * of the blk, and begins at the end or before it: the blk grows. NULL: read-only.
	 */
	enum status (*write)(struct blk *, uint64_t offset, const void *buf, size_t len);
	/*
	 * Makes a range read as zeros without writing them all, and grows the blk as `write` does.
	 * `offset` and `len` > 0 are of any alignment and any length. ST_UNSUPPORTED, with nothing
	 * changed, or NULL: the caller writes zeros.
	 */
	enum status (*zero)(struct blk *, uint64_t offset, uint64_t len);
	/*
	 * Says what is at `offset`. [offset, offset + len) is inside the blk, len > 0; ret->length
	 * may be larger than `len`. NULL: all is data, stored where it is read.
	 */
	enum status (*extent)(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);
	/* NULL: there is nothing to do. */
	enum status (*flush)(struct blk *);
	/* Sets the size. Only where there is a `write`. NULL: the size is fixed. */
	enum status (*resize)(struct blk *, uint64_t size, enum prealloc);
	/* NULL: the blk takes its size. */
	enum status (*allocated)(struct blk *, uint64_t *ret);
	/* Frees the blk, and what it owns. Never NULL. */
	void (*close)(struct blk *);
};

/* The device that a blk is, or is a part of: a disk or partition of platform_devices(). */
struct blk_device {
	uintptr_t id; /* that of its struct device (platform/devices.h) */
	/*
	 * writes that this program has sent to the device, or to a device or file that overlaps it,
	 * since the blk was opened; counted for a blk that is open for reading
	 */
	uint64_t n_writes;
};

struct blk {
	const struct blk_ops *ops;
	/*
	 * bytes; a multiple of block_bytes; it changes by resize, and by writes and zeros where
	 * there is a resize
	 */
	uint64_t size;
	uint32_t block_bytes;  /* what reads and writes consist of: a power of two; 1 for files */
	uint32_t buffer_align; /* a power of two; 1: any buffer will do */
	/* largest single transfer: a multiple of block_bytes and buffer_align, at least 64 KiB */
	uint32_t transfer_bytes;
	/* a power of two: shorter runs of zeros are as fast to write as to ask for; 0: all are */
	uint32_t zero_bytes;
	/* NULL: a file, memory, or an image, none of which is a device by itself */
	const struct blk_device *device;
	/*
	 * several processors may call blk_read() at once, as long as no other function is called;
	 * false: only the boot processor may
	 */
	bool parallel_reads;
	/*
	 * reading before where the last read ended costs as much as reading everything up to there
	 * anew, as in a compressed stream; such a blk is read-only
	 */
	bool sequential;
};

/*
 * Reads `len` bytes at `offset`. Costs one transfer per transfer_bytes; ranges or buffers that are
 * not aligned are copied once more. Errors: ST_INVALID, [offset, offset + len) does not lie in the
 * blk, and nothing is read; ST_NO_MEMORY; those of the device. After a failure, `buf` is undefined.
 */
enum status blk_read(struct blk *, uint64_t offset, void *buf, size_t len);

/*
 * Reads as blk_read() does, and zeros past the end of the blk: image files may end inside their
 * last cluster.
 */
enum status blk_read_padded(struct blk *, uint64_t offset, void *buf, size_t len);

/*
 * Writes `len` bytes at `offset`. A blk that can be resized grows to at least offset + len, and a
 * gap between its old end and `offset` reads as zeros. Blocks of a device that are written in part
 * are read first. Errors: ST_READ_ONLY, it was opened for reading; ST_INVALID, the range does not
 * lie in a blk of fixed size, and nothing is written; ST_NO_SPACE, ST_TOO_LARGE, it could not grow,
 * and nothing is longer than SIZE_LIMIT (base/size.h), whatever an image says; ST_NO_MEMORY; those
 * of the device. After a failure the range may be written in part, and the blk may have grown.
 */
enum status blk_write(struct blk *, uint64_t offset, const void *buf, size_t len);

/*
 * Makes `len` bytes at `offset` read as zeros; grows and fails as blk_write() does. Calls
 * platform_cancelled() at least once per MiB that is written: ST_CANCELLED.
 */
enum status blk_write_zeros(struct blk *, uint64_t offset, uint64_t len);

/*
 * Says what is at `offset`, for at most `len` > 0 bytes, which must lie in the blk: ST_INVALID.
 * Reads tables at most, never the contents. Other errors: those of reading.
 */
enum status blk_extent(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);

/*
 * For a blk that is made of others, whose range at `offset` is that at `below_offset` of `below`:
 * what blk_extent() says there, as an extent of the upper blk. What is compressed or unallocated
 * below is data for the upper blk.
 */
enum status blk_extent_below(struct blk *below, uint64_t below_offset, uint64_t offset,
			     uint64_t len, struct extent *ret);

/*
 * Returns when all that was written is on the medium, as far as the driver can tell; of a device
 * that is open for reading, what the firmware holds back of the volumes on it, too. Otherwise a
 * failed write may first be reported here. Not cancelled: platform_cancelled() is false meanwhile.
 */
enum status blk_flush(struct blk *);

/*
 * Sets the size, of an image rounded up to 512; bytes by which the blk grows read as zeros. Errors:
 * ST_READ_ONLY; ST_UNSUPPORTED, the size is fixed and another one; ST_NO_SPACE, ST_TOO_LARGE,
 * ST_CANCELLED, after which the size may lie between the old and the new one.
 */
enum status blk_resize(struct blk *, uint64_t size, enum prealloc);

/* The bytes that the blk takes where it is stored: less than its size where it has holes. */
enum status blk_allocated(struct blk *, uint64_t *ret_bytes);

/*
 * Closes the blk, and the blks that it owns. What was not flushed may be lost without an error.
 * NULL is allowed.
 */
void blk_close(struct blk *);
