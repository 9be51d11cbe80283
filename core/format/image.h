/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/out.h"
#include "base/tree.h"
#include "blk/blk.h"
#include "codec/codec.h"
#include "format/create_options.h"
#include "format/foreign.h"
#include "format/probe.h"
#include "platform/files.h"
#include "storage/storage.h"

/*
 * Image formats. One folder each, core/format/NAME/, with `const struct image_format format_NAME`;
 * nothing else has to know of it: the list of formats is generated from the names of the folders.
 */

struct image;

enum { CREATE_FILES_MAX = 2 };

/*
 * What creating an image will write, known before the first byte: so that space and limits can be
 * checked.
 */
struct create_plan {
	struct {
		/* as the person gave it; for others than the image, relative to it */
		const char *name;
		uint64_t size; /* bytes in the end */
		enum prealloc prealloc;
	} file[CREATE_FILES_MAX]; /* [0] is the image itself */
	size_t n_files;
};

/* What is to be created. Texts belong to the caller. */
struct create_request {
	const char *file_name;
	/* virtual size, a multiple of 512, at most SIZE_LIMIT */
	uint64_t size;
	const struct create_values *options; /* of this format's table, in its order */
	const char *backing_name;            /* NULL: none */
	const char *backing_format;          /* NULL: none */
	bool bitmaps;                        /* the image will get some */
	bool compressed;                     /* what is written to the disk will be compressed */
	/* the disk will be written at once, so that a flat image need not have its zeros yet */
	bool filled;
};

/* What an image takes in its files. */
struct image_measure {
	uint64_t full_bytes; /* with all of the disk stored */
	/*
	 * of these: the disk itself. The others are tables, and all of them are counted, however
	 * empty the disk is
	 */
	uint64_t data_bytes;
	/* of the disk, only what holds data is stored, in units of this size; 0: all of it */
	uint32_t unit_bytes;
	bool has_bitmaps;       /* the bitmaps of the source could be copied as well, */
	uint64_t bitmaps_bytes; /* and would take this */
};

/* What a check has found, counted as qemu-img counts it: scripts rely on the numbers. */
struct check_result {
	uint64_t corruptions; /* what contradicts itself, and can lose data */
	uint64_t leaks;       /* clusters that take space for nothing */
	/* what could not be looked at because of corruptions; > 0: the check is not complete */
	uint64_t check_errors;
	/* bytes; nothing in the file behind it is in use; 0: not known */
	uint64_t image_end_offset;
	uint64_t total_clusters;     /* of the disk */
	uint64_t allocated_clusters; /* of them: those with a place in the file */
	uint64_t fragmented_clusters, compressed_clusters; /* of the allocated ones */
	uint64_t corruptions_fixed, leaks_fixed;           /* by a repair before it */
};

enum repair {
	REPAIR_LEAKS, /* only what takes space for nothing */
	REPAIR_ALL,
};

enum { CHECK_PROBLEMS_MAX = 1000 }; /* that are told one by one */

struct image_format {
	const char *name;
	const char *summary;                        /* one line for `help` */
	const struct create_option *create_options; /* ends with a NULL name */
	bool backing;                               /* images can have a backing file */
	/* the file is the disk, byte by byte: it can grow as the disk is written */
	bool flat;
	/* of the struct that begins with struct image */
	size_t instance_bytes;

	/*
	 * How sure it is that this is an image of this format: 0 no, PROBE_CERTAIN yes. It is asked
	 * with the first sector alone, and of a file again with all of head and tail if no format
	 * was certain.
	 */
	int (*probe)(const struct image_probe *);

	/*
	 * Reads what describes the image from image->file (open for reading) and fills the rest of
	 * struct image. Fails with words that do not name the file (image_open() puts it in front);
	 * on failure close is still called. Neither the backing file nor a data file is opened.
	 */
	enum status (*open)(struct image *, struct error *);
	/*
	 * frees what open and load made, but neither the image nor image->file; NULL: nothing to
	 * free
	 */
	void (*close)(struct image *);

	/*
	 * Gets ready what reading the disk needs (tables, a data file): after it, image->blk.ops
	 * and image->blk.size count. For writing, an image that was not closed cleanly is repaired
	 * before. Fails with words as open does.
	 */
	enum status (*load)(struct image *, struct error *);

	/*
	 * Stores one cluster of the disk, which begins at `offset`, in its compressed form of `n`
	 * bytes, less than a cluster. NULL: it cannot.
	 */
	enum status (*write_compressed)(struct image *, uint64_t offset, const void *packed,
					size_t n);

	const struct snapshot_ops *snapshots; /* NULL: the format has none */
	const struct bitmap_ops *bitmaps;     /* the same */

	/*
	 * Whether the disk, loaded for writing, can get this size by blk_resize(): nothing is
	 * changed, the words say why not. ret[0] is how long the image gets, at most; ret[1] its
	 * data file. NULL: disks of this format keep their size.
	 */
	enum status (*plan_resize)(const struct image *, uint64_t size, enum prealloc,
				   uint64_t ret[static CREATE_FILES_MAX], struct error *);

	/*
	 * Gives an image that is loaded for writing, with all that is behind it, other options:
	 * those of the values that are given, for OPTIONS_AMEND. Planning changes nothing; it
	 * refuses what cannot be, and says in `ret` how long the image and its data file get, as
	 * plan_resize does. Amending does what was planned, in steps: when the power goes, or when
	 * it fails, each is done or not, and the disk is as before or as after. Both fail with
	 * words that do not name the file. NULL: images of this format keep the options that they
	 * were made with.
	 */
	enum status (*plan_amend)(struct image *, const struct create_values *,
				  uint64_t ret[static CREATE_FILES_MAX], struct error *);
	enum status (*amend)(struct image *, const struct create_values *, struct error *);

	/*
	 * Gives up all that the image has stored, loaded for writing: what is behind it shows
	 * everywhere. Power may fail at any moment: each part is still there then, or given up.
	 * NULL: it cannot.
	 */
	enum status (*make_empty)(struct image *);

	/*
	 * Makes an image that is loaded for writing and flushed name another backing file (NULL:
	 * none) and its format (NULL: none). When the power goes, it names the old or the new one.
	 * Unless `write`, it only says whether that can be done, as far as can be known. NULL:
	 * images of this format have none.
	 */
	enum status (*set_backing)(struct image *, const char *name, const char *backing_format,
				   bool write, struct error *);

	/*
	 * Writes the members of "format-specific"."data" in qemu-img's order. NULL: the format has
	 * none.
	 */
	void (*describe)(const struct image *, struct tree *);

	/*
	 * Reads all that describes where data is, and holds it against itself; neither the disk's
	 * contents nor other files are read. Needs no load. Each problem goes to `problems` as a
	 * line of text with its kind, place and value, up to CHECK_PROBLEMS_MAX of them: a place
	 * for text that the command gives, of which nothing is asked, and so no call back up. On
	 * failure, which is for what could not be read or held in memory, there is no verdict.
	 * NULL: images of this format cannot be checked.
	 */
	enum status (*check)(struct image *, struct out *problems, struct check_result *ret,
			     struct error *);

	/*
	 * Checks an image that is open for writing, repairs what can be repaired without losing
	 * data, and if that was anything, checks it again: *ret is what is found in the end. Needs
	 * no load. Power may fail at any moment: what was readable before is so still, and another
	 * repair finishes. NULL: images of this format cannot be repaired.
	 */
	enum status (*repair)(struct image *, enum repair, struct out *problems,
			      struct check_result *ret, struct error *);

	/* Checks a request and says which files of which sizes it takes; touches nothing. */
	enum status (*plan)(const struct create_request *, struct create_plan *ret, struct error *);

	/*
	 * Says what an image as requested would take, if the disk `source` (NULL: an empty one)
	 * were converted to it; as qemu-img counts, for which no file needs to be named. NULL:
	 * nobody knows.
	 */
	enum status (*measure)(const struct create_request *, const struct image *source,
			       struct image_measure *ret, struct error *);

	/*
	 * Writes the image into new, empty files, those of the plan in its order. The caller keeps
	 * back the first sector of the image until everything else is on the medium, flushes, and
	 * on failure removes the files.
	 */
	enum status (*create)(const struct create_request *, struct blk *const file[],
			      struct error *);
};

extern const struct image_format *const image_formats[]; /* sorted by name, ends with NULL */

/*
 * What formats with internal snapshots do with them; `index` is that in image->snapshots. All fail
 * with words that do not name the file.
 */
struct snapshot_ops {
	/* As image_format's load, for the disk as it was then: image->size changes too. */
	enum status (*load)(struct image *, size_t index, struct error *);

	/*
	 * These change an image that is loaded for writing, and image->snapshots. When the power
	 * goes, the image is as it was before or after; what was not finished may waste space.
	 */
	enum status (*create)(struct image *, const char *name, struct error *);
	enum status (*apply)(struct image *, size_t index, struct error *);
	enum status (*remove)(struct image *, size_t index, struct error *);
};

/*
 * What formats with bitmaps do with them, in an image that is loaded; `index` is that in
 * image->bitmaps. What is written to the disk is noted in all bitmaps that are automatic and not
 * in_use, by itself; meanwhile they are in use on the medium, until the next blk_flush(). Words do
 * not name the file.
 */
struct bitmap_ops {
	/*
	 * Whether the bitmap, which is not in_use, can be read, as far as the image's directory of
	 * bitmaps says it.
	 */
	enum status (*check)(const struct image *, size_t index, struct error *);

	/*
	 * Whether the bit for the byte `offset` of the disk is set, and for how many bytes from
	 * there on that is so.
	 */
	enum status (*run)(struct image *, size_t index, uint64_t offset, bool *ret_set,
			   uint64_t *ret_bytes);

	/*
	 * Sets the bits for `len` > 0 bytes. They are on the medium after the next blk_flush();
	 * when the power goes before, the bitmap is in_use.
	 */
	enum status (*mark)(struct image *, size_t index, uint64_t offset, uint64_t len);

	/*
	 * These change image->bitmaps as well. When the power goes, the bitmaps are as they were
	 * before or after; what was not finished may waste space. A new one is empty, and the last
	 * one; unless `write`, `add` only says whether that can be done.
	 */
	enum status (*add)(struct image *, const char *name, uint64_t granularity_bytes,
			   bool automatic, bool write, struct error *);
	enum status (*remove)(struct image *, size_t index, struct error *);
	enum status (*clear)(struct image *, size_t index, struct error *);
	enum status (*set_automatic)(struct image *, size_t index, bool automatic, struct error *);
};

/* A bitmap of what was written to the disk, as all formats that have them describe it. */
struct bitmap {
	char *name;
	uint64_t granularity_bytes; /* of the disk, that one bit stands for: a power of two */
	uint64_t disk_bytes;        /* the size of the disk that it is of */
	bool automatic;             /* everything that is written is noted in it */
	/* it was not stored when it should have been: nobody knows what it lacks */
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

/*
 * An opened image is a blk, whose bytes are those of the virtual disk. It is closed by
 * image_close(), not by blk_close().
 */
struct image {
	struct blk blk; /* after image_load() */
	const struct image_format *format;
	/* in which it was opened, and what it names is found; it outlives the image */
	struct storage *storage;
	char *name;          /* of its file, as platform_open() takes it */
	enum open_mode mode; /* OPEN_WRITE: image_load() makes image->blk writable */
	struct blk *file;
	/*
	 * after image_load(): what the offsets of its extents count in, `file` or another file that
	 * it owns
	 */
	struct blk *data;
	/* of that other file, known once the image is open; NULL: it is `file` */
	char *data_name;
	/* after image_load(): how its compressed clusters are compressed */
	enum codec_kind compression;
	/* after image_load(): its data may lie in holes of the file, and is zeros there */
	bool sparse;
	/*
	 * after image_load(): QEMU looks at no more than the rest of such a piece at once; 0: at
	 * all of it
	 */
	uint64_t slice_bytes;
	/* zeros are stored even where they show anyway: what is behind it is about to change */
	bool stores_zeros;
	/* what shows through; NULL: zeros. Not owned: a chain has it (chain.h) */
	struct image *backing;
	uint64_t size;          /* of the virtual disk, bytes, a multiple of 512 */
	uint32_t cluster_bytes; /* 0: the format has no clusters */
	bool encrypted;
	bool dirty;           /* was not closed cleanly */
	char *backing_name;   /* as the image says; NULL: no backing file */
	char *backing_format; /* NULL: not said */
	struct snapshot *snapshots;
	size_t n_snapshots;
	struct bitmap *bitmaps;
	size_t n_bitmaps;
};

/* The format of that name, or NULL. */
const struct image_format *image_format_find(const char *name);

/*
 * Like it, for a name that a person gave: fails with the list of the formats there are. `option`
 * ("-f") said it.
 */
enum status image_format_get(const char *name, const char *option, const struct image_format **ret,
			     struct error *);

/*
 * Opens the image in the file or device `name` for reading what describes it. `format` NULL: it is
 * probed, and raw if no format claims it; a file that is known to be something else (foreign.h) is
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
 * Finds out why image_open() without a format refused a file: *ret is what the file is instead,
 * NULL if it is nothing that is known; *ret_bytes is what the file takes where it is stored.
 * Errors: those of opening and reading it.
 */
enum status image_foreign(struct storage *, const char *name, const struct foreign **ret,
			  uint64_t *ret_bytes, struct error *);

void image_close(struct image *); /* NULL is allowed; what was not flushed is lost */

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

/* The largest cluster of an image and of all that is behind it. */
uint32_t image_largest_cluster(const struct image *);

/*
 * What shows through at `offset` of an image that has nothing there: its backing file's bytes,
 * zeros behind the end of that.
 */
enum status image_read_backing(struct image *, uint64_t offset, void *buf, size_t len);
