/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blk/blk.h"

/*
 * A bounded cache of the tables of an image (L2 tables, refcount blocks), one cluster each. The
 * longest unused goes first, but a changed table stays until table_cache_write(): when that may be
 * is a matter of order, which commit.c decides.
 */
enum {
	/* at most, for each of its caches; with 64 KiB clusters that maps 128 GiB */
	TABLE_CACHE_BYTES = 16 << 20,
	TABLE_CACHE_SLOTS_MIN = 8, /* also of tables of 2 MiB */
	TABLE_CACHE_SLOTS_MAX = 1024,
	/*
	 * to read a table, where an operation continues with others: bad sectors take long to read
	 */
	TABLE_CACHE_TRIES = 8,
	/* slots that must be free of changes, so that an operation never runs out of them */
	TABLE_CACHE_CLEAN_MIN = 4,
};

struct table_cache {
	struct blk *file;
	size_t table_bytes;
	/*
	 * where in the file the tables end: a table that reaches further is zeros from there on,
	 * and is written up to there. UINT64_MAX at first: all tables are whole
	 */
	uint64_t end;
	size_t n_slots, n_changed;
	uint64_t clock;
	struct {
		uint64_t offset; /* of the table that could not be read last time, */
		/* and how often that was; TABLE_CACHE_TRIES: it is not tried again */
		unsigned n;
		enum status status;
	} failed;
	/* the slot that was used last: mostly the one that is wanted next */
	size_t recent;
	struct {
		uint8_t *bytes;  /* allocated when the slot is first used */
		uint64_t offset; /* in the file; 0: empty */
		uint64_t last_use;
		bool changed;
	} * slot;
};

enum status table_cache_init(struct table_cache *, struct blk *file, size_t table_bytes);
void table_cache_free(struct table_cache *); /* half-initialised ones as well */

/*
 * The table at `offset` > 0 of the file, read if need be; past the end of the file are
 * zeros. *ret is valid until the cache is asked for TABLE_CACHE_CLEAN_MIN - 1 other tables.
 */
enum status table_cache_get(struct table_cache *, uint64_t offset, uint8_t **ret);

/* The same for a table that is new: all zeros, and changed. */
enum status table_cache_make(struct table_cache *, uint64_t offset, uint8_t **ret);

/* Notes that the table at `offset`, which was just got, has been changed. */
void table_cache_change(struct table_cache *, uint64_t offset);

/* Whether changes have to be written before the next operation. */
bool table_cache_is_full(const struct table_cache *);

/* Forgets all changes that were not written, and all tables from `offset` on. */
void table_cache_forget(struct table_cache *, uint64_t offset);

/* Writes all changed tables, in the order of their offsets. */
enum status table_cache_write(struct table_cache *);

/* The same for those whose offsets are in [begin, end). */
enum status table_cache_write_range(struct table_cache *, uint64_t begin, uint64_t end);
