/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/guid.h"
#include "base/out.h"
#include "blk/blk.h"
#include "codec/codec.h"
#include "format/files.h"
#include "format/foreign.h"
#include "format/format.h"
#include "platform/files.h"
#include "storage/storage.h"

/* A bitmap of what was written to the disk, as all formats that have them describe it. */
struct bitmap {
	char *name;
	uint64_t granularity_bytes; /* of the disk, that one bit stands for: a power of two */
	uint64_t disk_bytes;        /* the size of the disk that it is of */
	bool automatic;             /* everything that is written is noted in it */
	/* it was not stored when it should have been: it is not known what it lacks */
	bool in_use;
};

/* An internal snapshot, as all formats that have them describe it. */
struct snapshot {
	char *id, *name;
	uint64_t vm_state_bytes;
	uint32_t date_seconds, date_nanoseconds; /* since 1970, UTC */
	uint64_t clock_nanoseconds;              /* how long the guest had run */
	uint64_t icount;                         /* UINT64_MAX: not known */
};

enum { IMAGE_UNIT_MAX = 2 << 20 };

/* An opened image is a blk, whose bytes are those of the virtual disk. */
struct image {
	struct blk blk; /* empty before image_load() */
	const struct image_format *format;
	/* in which it was opened, and what it names is found; it outlives the image */
	struct storage *storage;
	const char *name;    /* that of its first file, for messages */
	enum open_mode mode; /* OPEN_WRITE: image_load() makes image->blk writable */
	/*
	 * what it was created by, as long as the `finish` of that is still to come: the image may
	 * lack what that writes, and writes to its disk do not add it. NULL: it is whole
	 */
	const struct create_request *unfinished;
	struct image_file *file;
	size_t n_files; /* > 0; file[0] is the image itself */
	/* after image_load(): what the offsets of extents count in; NULL before */
	struct blk *data;
	/* after image_load(): whether it may have compressed units, and how they are compressed */
	bool has_packed;
	enum codec_kind compression;
	/*
	 * What of the disk is written, compressed and decompressed as one, from a multiple of it
	 * on: at most IMAGE_UNIT_MAX, whatever the clusters or blocks of the format are, so that
	 * a copy can have room for whole units. 0: any bytes.
	 */
	uint32_t unit_bytes;
	/* what shows through; NULL: zeros. Not owned: a chain has it (chain.h) */
	struct image *backing;
	uint64_t size;          /* of the virtual disk, bytes, a multiple of 512 */
	uint32_t cluster_bytes; /* as `info` shows it; 0: the format has no clusters */
	/* loaded for writing: it is compressed, whether that was asked for or not */
	bool packs;
	/*
	 * what it has to be for an image whose backing file it is, where formats store that;
	 * zeros: its format does not
	 */
	struct guid content_id;
	bool encrypted;
	bool dirty;           /* was not closed cleanly */
	char *backing_name;   /* as the image says; NULL: no backing file */
	char *backing_format; /* NULL: not said */
	struct snapshot *snapshots;
	size_t n_snapshots;
	struct bitmap *bitmaps;
	size_t n_bitmaps;
};

/*
 * Opens the image in the file or device `name` for reading what describes it. `format` NULL: it is
 * probed, and raw if no format claims it; of an archive with one virtual machine's disk, that disk
 * is opened, and image->name is its name; a file that is known to be something else (foreign.h) is
 * ST_UNSUPPORTED then, with words that say what it is. The caller closes it. Errors: those of
 * platform_open(); ST_CORRUPT, ST_UNSUPPORTED, ST_NO_MEMORY.
 */
enum status image_open(struct storage *, const char *name, const struct image_format *format,
		       struct image **ret, struct error *);

/*
 * The same in the mode that is asked for: OPEN_WRITE for an image that is to be changed.
 * image_load() is still due.
 */
enum status image_open_file(struct storage *, enum access_role, const char *name,
			    const struct image_format *format, enum open_mode, struct image **ret,
			    struct error *);

/* The same for a file that is open: `file` is the image's from here on, on failure too. */
enum status image_open_blk(struct storage *, struct blk *file, const char *name,
			   const struct image_format *format, enum open_mode, struct image **ret,
			   struct error *);

/*
 * The same for an image that is being created as requested, and not finished (create_ops). The
 * request outlives it.
 */
enum status image_open_unfinished(struct storage *, struct blk *file, const char *name,
				  const struct image_format *format, enum open_mode,
				  const struct create_request *, struct image **ret,
				  struct error *err);

/*
 * Finds out why image_open() without a format refused a file: *ret is what the file is instead,
 * NULL if it is nothing that is known; *ret_bytes is what the file takes where it is stored.
 * Errors: those of opening and reading it.
 */
enum status image_foreign(struct storage *, const char *name, const struct foreign **ret,
			  uint64_t *ret_bytes, struct error *);

/*
 * Closes the image with all of its files, as blk_close() of image->blk does. NULL is allowed; what
 * was not flushed is lost.
 */
void image_close(struct image *);
void image_close_blk(struct blk *); /* the `close` of the blk_ops of every format */

/* Makes the disk readable through image->blk. Fails with words that name the file. */
enum status image_load(struct image *, struct error *);

/*
 * The same for the disk as it was when image->snapshots[index] was made; the image was opened for
 * reading.
 */
enum status image_load_snapshot(struct image *, size_t index, struct error *);

/* Everything that was written is on the medium. Fails with words that name the file. */
enum status image_flush(struct image *, struct error *);

/* Checks an image whose format has a `check`. Fails with words that name the file. */
enum status image_check(struct image *, struct out *problems, struct check_result *ret,
			struct error *);

/* Repairs an image whose format has a `repair`. Fails with words that name the file. */
enum status image_repair(struct image *, enum repair, struct out *problems,
			 struct check_result *ret, struct error *);

/*
 * Whether several processors can read data of the image, or of one of its backing files, at once.
 * All are loaded.
 */
bool image_parallel_reads(const struct image *);

/*
 * The largest unit of an image and of its backing files, of those that may be compressed. 0: none
 * of them has such units. All are loaded.
 */
uint32_t image_largest_packed_unit(const struct image *);

/*
 * Reads what shows at `offset` of an image where it is unallocated: its backing file's bytes,
 * zeros past the end of that.
 */
enum status image_read_backing(struct image *, uint64_t offset, void *buf, size_t len);
