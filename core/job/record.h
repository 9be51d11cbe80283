#pragma once

#include "base/error.h"
#include "base/out.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A small file that says how far a job is, written anew again and again. When the power goes meanwhile, one that is whole
 * is left, old or new: in that file, or in the one beside it, with ".new" behind its name, which is written first.
 */
struct record {
	const char *name;         /* the caller's */
	char *side_name;
	bool exists, side_exists; /* those files do */
};

/*
 * Looks at the places for both files; changes nothing. `head`: what every file of its kind begins with; NULL: both names
 * belong to it, whatever is there. The caller closes it, on failure too. Errors: those of platform_look() and of reading;
 * ST_EXISTS, the file beside it is somebody else's; ST_NO_MEMORY.
 */
enum status record_open(struct record *, const char *name, const char *head, struct error *);
void record_close(struct record *);

/*
 * Reads the file, or the one beside it, if it is there (record->exists, side_exists): *ret_text is the caller's. 0 bytes:
 * it is not there, is empty, or was cut off while it was written. ST_INVALID: it is longer than `most` bytes.
 */
enum status record_read(const struct record *, bool beside, size_t most, char **ret_text, size_t *ret_n, struct error *);

/* Writes what `print` prints. Errors: those of platform_create() and of writing. */
enum status record_write(struct record *, void (*print)(const void *user, struct out *), const void *user, struct error *);

/* Removes both files. */
enum status record_remove(struct record *, struct error *);
