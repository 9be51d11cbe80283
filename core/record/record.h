/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "base/out.h"
#include "storage/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A small file with the progress of a job, which is rewritten again and again. When the power fails
 * meanwhile, one that is whole is left, old or new: in that file, or in the side file, with ".new"
 * added to its name, which is written first.
 *
 * Both names are taken by adding to a name that a person gave, so both may be the name of another
 * file. Nothing is written to a file, nor is it removed, unless its contents show that it is such a
 * record, or there is nothing in it.
 */
enum record_state {
	RECORD_ABSENT,
	RECORD_EMPTY, /* no byte, or the mark (blk/mark.h): a power failure, or an error, came
			 before it was complete */
	RECORD_WHOLE, /* it begins as every record of its kind does */
	RECORD_FOREIGN,
};

struct record {
	const char *name; /* the caller's */
	char *side_name;
	enum record_state state, side_state;
	uint64_t size; /* of the file, when it was looked at */
};

/*
 * Looks at both files; changes nothing. `head`: what every record of this kind begins with.
 * ST_EXISTS: the side file is foreign. Whether a foreign file of the record's own name is one in
 * another form, which may be written over, is the caller's to decide, by reading it. The caller
 * closes the record, on failure too. Errors: those of platform_look() and of reading; ST_NO_MEMORY.
 */
enum status record_open(struct record *, const char *name, const char *head, struct error *);

/*
 * Puts both files into the access set: they will be written and removed. Errors: those of
 * storage_use().
 */
enum status record_use(const struct record *, struct storage *, enum access_role, struct error *);
void record_close(struct record *);

/*
 * Reads the file, or the side file: *ret_text is the caller's. 0 bytes: it is RECORD_ABSENT or
 * RECORD_EMPTY. ST_INVALID: it is longer than `most` bytes.
 */
enum status record_read(const struct record *, bool side, size_t most, char **ret_text,
			size_t *ret_n, struct error *err);

/* Writes what `print` prints. Errors: those of platform_create() and of writing. */
enum status record_write(struct record *, void (*print)(const void *user, struct out *),
			 const void *user, struct error *err);

/* Removes both files, unless they are foreign. */
enum status record_remove(struct record *, struct error *err);
