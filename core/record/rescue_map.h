/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/observer.h"
#include "record/record.h"
#include "storage/storage.h"

#include <stdint.h>

/*
 * Which bytes of a disk a copy of it has, in the file format of GNU ddrescue ("Mapfile structure"
 * in its manual), so that either program continues where the other one ended.
 *
 * What was finished in it when it was opened is neither read nor written again. What the copy finds
 * out about the rest is kept beside it, and merged only in the file: the ranges that are to be done
 * do not change during the job.
 */
enum { RESCUE_RANGES_MAX = 1 << 18 }; /* in a file, and that are added: 4 MiB each */

enum rescue_status {
	RESCUE_FINISHED = '+',
	RESCUE_BAD = '-',
	RESCUE_UNTRIED = '?',
	RESCUE_UNTRIMMED = '*',
	RESCUE_UNSCRAPED = '/',
};

struct rescue_range {
	uint64_t offset, end;
	enum rescue_status status;
};

struct rescue_ranges {
	struct rescue_range *range;
	size_t n, capacity;
};

struct rescue_map {
	struct observer observer; /* of a copy: keeps what follows up to date */
	struct record file;
	uint64_t size;            /* of the disk, bytes */
	struct rescue_ranges all; /* from 0 to `size`, without gaps: as it was opened */
	struct rescue_ranges bad; /* added since then, in the order of the disk */
	/* up to here everything was written by now, except for what is bad */
	uint64_t done;
	uint64_t absent; /* up to here the target has nothing, whatever was written */
};

/*
 * Reads the map of a disk of `size` bytes from the file `name`, or begins one where there is no
 * such file. The caller closes it, on failure too. Errors: ST_INVALID, it is no map;
 * ST_UNSUPPORTED, that of another disk, or of parts of sectors; ST_TOO_LARGE; those of
 * record_open() and record_read().
 */
enum status rescue_map_open(struct rescue_map *, struct storage *, const char *name, uint64_t size,
			    struct error *);
void rescue_map_close(struct rescue_map *);

/*
 * The text of a map, all of it, as rescue_map_open() reads it: sets map->all. `name` is for the
 * words.
 */
enum status rescue_map_parse(struct rescue_map *, const char *name, const char *text, size_t n,
			     struct error *);

/* Whether anything below `end` was finished when it was opened. */
bool rescue_map_has_finished(const struct rescue_map *, uint64_t end);

/*
 * What is to be done next, from *offset on: moves it there, and *ret_end to where that ends. False:
 * nothing.
 */
bool rescue_map_todo(const struct rescue_map *, uint64_t *offset, uint64_t *ret_end);

/* Notes `n` > 0 bytes that cannot be read. */
void rescue_map_bad(struct rescue_map *, uint64_t offset, uint64_t n);

/* Writes the map as it is now. */
void rescue_map_print(const struct rescue_map *, struct out *);

/* The same, into its file. Errors: those of record_write(). */
enum status rescue_map_save(struct rescue_map *, struct error *);

/*
 * The copy into `target` ended in `st`, with its words in `err`: the map is saved, unless nothing
 * came of it. Returns `st`, or how that ended.
 */
enum status rescue_map_end(struct rescue_map *, const char *target, enum status st,
			   struct error *err);
