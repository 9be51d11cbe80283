/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/out.h"
#include "base/tree.h"
#include "format/create.h"
#include "format/probe.h"
#include "storage/access.h"

/*
 * What an image format is to everything outside of its folder. There is one folder for each,
 * core/format/NAME/, with `const struct image_format format_NAME`; nothing else has to know of it:
 * the list of formats is generated from the names of the folders.
 *
 * What a format can do is grouped by subject, in tables; a member that is NULL is what it cannot
 * do, and the command says so. Functions fail with words that do not name the image; whoever calls
 * them puts its name before.
 */

struct image;

/* Making new images. */
struct create_ops {
	const struct create_option *options; /* ends with a NULL name */
	bool backing;                        /* images can have a backing file */

	/*
	 * Checks a request and adds the files that it takes to an empty plan, which the caller
	 * frees, on failure too; touches nothing. NULL: images of this format can be read, but not
	 * made.
	 */
	enum status (*plan)(const struct create_request *, struct create_plan *ret, struct error *);

	/*
	 * Says what an image as requested would take, if the disk `source` (NULL: an empty one)
	 * were converted to it; as qemu-img counts, for which no file needs to be named. NULL: that
	 * is not known.
	 */
	enum status (*measure)(const struct create_request *, const struct image *source,
			       struct image_measure *ret, struct error *);

	/*
	 * Writes the image into new, empty files, those of the plan in its order. The caller keeps
	 * back the first sector of the image until everything else is on the medium, flushes, and
	 * on failure removes the files.
	 */
	enum status (*write_files)(const struct create_request *, struct blk *const file[],
				   struct error *);

	/*
	 * Writes what makes the image whole besides the first sector, such as a footer by which
	 * other programs recognise it, into file[0] of what write_files has begun, and the disk has
	 * been written to since. Everything but the first sector is on the medium by then. The
	 * caller flushes, writes the first sector, and on failure removes the files. NULL: the
	 * first sector is all that it takes.
	 */
	enum status (*finish)(const struct create_request *, struct blk *file, struct error *);

	/*
	 * Whether a copy into a new image with these options can be resumed: the image is one file,
	 * which can be opened and written again from any point on. NULL: always.
	 */
	bool (*resumable)(const struct create_values *);

	/*
	 * How many bytes at the end of its file are written more than once, or out of order, while
	 * such an image is created and its disk is written from the beginning to the end. All
	 * before them is written once, in order. 0: it needs more than that, has several files, or
	 * could be taken for complete without its last sector. NULL: 0.
	 */
	uint64_t (*changed_end_bytes)(const struct create_request *);
};

/* What a check has found, counted as qemu-img counts it: scripts rely on the numbers. */
struct check_result {
	uint64_t corruptions; /* what contradicts itself, and can lose data */
	uint64_t leaks;       /* clusters that take space for nothing */
	/* what could not be looked at because of corruptions; > 0: the check is not complete */
	uint64_t check_errors;
	/* bytes; nothing of the file after it is in use; 0: not known */
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

/* Checking and repairing images. */
struct check_ops {
	/*
	 * Reads all that describes where data is, and compares it with itself; neither the disk's
	 * contents nor other files are read, except by formats that have checksums of the contents,
	 * which compare those, too. Needs no load. Each problem goes to `problems` (NULL:
	 * nowhere) as a line of text with its kind, place and value, up to CHECK_PROBLEMS_MAX of
	 * them. On failure, which is for what could not be read or held in memory, there is no
	 * verdict.
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
};

/*
 * Is told how far a change has come: `done` of `total` > 0 steps, which grows; `total` is the same
 * in all calls. In all functions that take one, NULL: nobody is told.
 */
struct change_progress {
	void (*step)(struct change_progress *, uint64_t done, uint64_t total);
};

/* Changing an image that is loaded for writing, beyond reading and writing its disk. */
struct change_ops {
	/*
	 * Whether the disk can get this size by blk_resize(): nothing is changed, the words say why
	 * not. ret[i] is how long image->file[i] gets, at most; they are all 0 before. NULL: disks
	 * of this format keep their size.
	 */
	enum status (*plan_resize)(const struct image *, uint64_t size, enum prealloc,
				   uint64_t ret[], struct error *);

	/*
	 * Gives an image, loaded with its backing files, other options: those of the values that
	 * are given, for OPTIONS_AMEND. Planning changes nothing; it refuses what cannot be, and
	 * says in `ret` how long the files get, as plan_resize does. Amending does what was
	 * planned, in steps: when the power goes, or when it fails, each is done or not, and the
	 * disk is as before or as after. NULL: images of this format keep the options that they
	 * were made with.
	 */
	enum status (*plan_amend)(struct image *, const struct create_values *, uint64_t ret[],
				  struct error *);
	enum status (*amend)(struct image *, const struct create_values *, struct change_progress *,
			     struct error *);

	/*
	 * Releases all that the image has stored: its backing file shows everywhere. Power may fail
	 * at any moment: each part is still there then, or released. NULL: it cannot.
	 */
	enum status (*make_empty)(struct image *);

	/*
	 * Makes an image that is flushed name another backing file (NULL: none) and its format
	 * (NULL: none). When the power goes, it names the old or the new one. Unless `write`, it
	 * only says whether that can be done, as far as can be known. NULL: images of this format
	 * have none.
	 */
	enum status (*set_backing)(struct image *, const char *name, const char *backing_format,
				   bool write, struct error *);

	/*
	 * Makes a range of the disk read as zeros whatever the backing file has there: unlike
	 * blk_write_zeros(), also where that has zeros now. NULL where set_backing is.
	 */
	enum status (*store_zeros)(struct image *, uint64_t offset, uint64_t len);

	/*
	 * Stores one unit of the disk (image->unit_bytes), which begins at `offset`, in its
	 * compressed form of `n` bytes, less than a unit. NULL: it cannot.
	 */
	enum status (*write_compressed)(struct image *, uint64_t offset, const void *packed,
					size_t n);
};

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

struct image_format {
	const char *name;
	const char *summary; /* one line for `help` */
	/* the file is the disk, byte by byte: it can grow as the disk is written */
	bool flat;
	/* its images do not say whether they were closed cleanly, and `info` has no "dirty-flag" */
	bool no_dirty_flag;
	/* `info` shows the space that all files of an image take, not the first */
	bool counts_files;
	/* what the files of an image are besides the first; of formats with several */
	enum access_role other_files;
	/* of the struct that begins with struct image */
	size_t instance_bytes;

	/*
	 * How sure it is that this is an image of this format: 0 no, PROBE_CERTAIN yes. It is asked
	 * with the first sector alone, and of a file again with all of head and tail if no format
	 * was certain.
	 */
	int (*probe)(const struct image_probe *);

	/*
	 * Reads what describes the image from image->file[0] (open for reading), adds the other
	 * files (image_add_file()), and fills the rest of struct image. On failure close is still
	 * called. Neither the backing file nor another file is opened.
	 */
	enum status (*open)(struct image *, struct error *);
	/*
	 * Frees what open and load made, but not struct image and the files. NULL: nothing to free.
	 */
	void (*close)(struct image *);

	/*
	 * Makes ready what reading the disk needs (tables): after it, image->blk.ops and
	 * image->blk.size count. Offsets of extents are places in image->data; without an `extent`,
	 * all of the disk is data, which is read through image->blk only. For writing, an image
	 * that was not closed cleanly is repaired before.
	 */
	enum status (*load)(struct image *, struct error *);

	/*
	 * Writes the members of "format-specific"."data" in qemu-img's order. NULL: the format has
	 * none.
	 */
	void (*describe)(const struct image *, struct tree *);

	/*
	 * How many bytes of the loaded disk from `offset` on QEMU looks at in one step, so that
	 * `map` and `compare` see the same borders. NULL: as many as there are.
	 */
	uint64_t (*step)(const struct image *, uint64_t offset);

	struct create_ops create;
	struct check_ops check;
	struct change_ops change;
	struct snapshot_ops snapshots; /* all of it, or nothing */
	struct bitmap_ops bitmaps;     /* all of it, or nothing */
};

extern const struct image_format *const image_formats[]; /* sorted by name, ends with NULL */

/* The format of that name, or NULL. */
const struct image_format *image_format_find(const char *name);

/*
 * Like it, for a name that a person gave: fails with the list of the formats there are. `option`
 * ("-f") said it.
 */
enum status image_format_get(const char *name, const char *option, const struct image_format **ret,
			     struct error *);

/* Whether images of the format can be created. ST_UNSUPPORTED. */
enum status image_format_check_new(const struct image_format *, struct error *);
