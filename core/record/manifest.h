/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/used_map.h"
#include "codec/sha256.h"
#include "engine/observer.h"
#include "record/losses.h"
#include "storage/storage.h"

/* The usual name is that of the image with this after it. */
#define MANIFEST_ENDING ".manifest"

/*
 * What was copied, in words that can be checked later: a JSON file beside an image with the SHA-256
 * of its disk, as a whole and by ranges, where it came from, and what of it was lost.
 */
struct manifest {
	struct observer observer; /* of a copy: what it reads is added */
	struct sha256 whole, range;
	uint64_t range_bytes;
	uint64_t n_bytes;              /* so many have been added */
	uint8_t (*hash)[SHA256_BYTES]; /* of each whole range so far */
	size_t n, capacity;
};

/* ST_NO_MEMORY; closed on failure too. */
enum status manifest_open(struct manifest *, uint64_t size, struct error *);
void manifest_close(struct manifest *);

/* The next `n` bytes of the disk; `bytes` NULL: zeros. */
void manifest_add(struct manifest *, const uint8_t *bytes, uint64_t n);

/* The last range, and the whole; once, when all of it has been added. */
void manifest_end(struct manifest *, uint8_t ret_whole[static SHA256_BYTES]);

/* The other fields of the file. Texts are the caller's. */
struct manifest_facts {
	struct storage *storage;
	/* the image's name, as it was given; the file has it relative to itself */
	const char *image, *format;
	char *const *source; /* the names that were read */
	size_t n_sources;
	const struct losses *losses; /* NULL: everything could be read */
	const struct used_map *used; /* what was left out, and is zeros; NULL: nothing was */
	uint64_t unused_bytes;
};

/* Whether the file can be written: refused if it is there, unless `replace`. Changes nothing. */
enum status manifest_plan(struct storage *, const char *file, bool replace, struct error *);

/*
 * Ends the manifest and writes it, over another file only if `replace`. What cannot be
 * written completely is removed.
 */
enum status manifest_write(struct manifest *, const struct manifest_facts *, const char *file,
			   bool replace, struct error *);

/* The fields of a manifest that are checked. */
struct manifest_claim {
	/* as it is named from here; freed by manifest_claim_free() */
	char *image;
	char format[16];
	uint64_t size, range_bytes;
	uint8_t whole[SHA256_BYTES];
	uint8_t (*hash)[SHA256_BYTES];
	size_t n;
};

/* Errors: ST_CORRUPT, with the field; those of opening; ST_NO_MEMORY. Freed on failure too. */
enum status manifest_read(const char *file, struct manifest_claim *, struct error *);
void manifest_claim_free(struct manifest_claim *);

/* Ranges of the disk that a manifest names, but not all where there are many. */
enum manifest_kind {
	MANIFEST_LOST,   /* could not be read */
	MANIFEST_UNUSED, /* no file system used them */
};

/*
 * Passes the ranges of a kind in the manifest of a disk of `disk_bytes` to each(), which are on the
 * disk. *ret_unnamed: so many bytes more are of that kind. A manifest of an earlier version may
 * have none. Errors: ST_INVALID, it is of a disk of another size; those of manifest_read().
 */
enum status manifest_ranges(const char *file, enum manifest_kind, uint64_t disk_bytes,
			    void (*each)(void *user, uint64_t offset, uint64_t n), void *user,
			    uint64_t *ret_unnamed, struct error *);

/*
 * Makes the text that the manifest beside the image `image` has once that image is called `name`,
 * in the same directory: its field "image" alone differs. The caller frees *ret. Errors:
 * ST_REFUSED, it is the manifest of another file; those of manifest_read().
 */
enum status manifest_text_renamed(const char *file, const char *image, const char *name, char **ret,
				  size_t *ret_n, struct error *);

/* Prints the disk that was read, "Samsung SSD 980 (S4X9R12)"; nothing if the file has none. */
void manifest_print_source(const char *file, struct out *);
