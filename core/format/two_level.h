/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blk/blk.h"
#include "format/table_cache.h"

/*
 * Tables in two levels, with entries of 64 bits, one for each cluster of the disk: entry `index` is
 * in L2 table index / l2_entries, whose place in the file is an entry of the L1 table; 0: there is
 * no such table, and all of its entries are 0. What the entries of L2 tables mean is the format's.
 *
 * Both levels are read through bounded caches, in pieces, so that the tables may be larger than the
 * memory that there is: 2 * TABLE_CACHE_BYTES at most. What is set stays in memory until
 * two_level_commit().
 */
enum {
	TWO_LEVEL_PIECE_BYTES = 64 << 10, /* of a table, that are in memory as one, at most */
};

struct two_level;

struct two_level_ops {
	/* Whether an L1 entry, not 0, leads to where an L2 table can be: ST_CORRUPT. */
	enum status (*check)(const struct two_level *, uint64_t offset);
	/*
	 * Takes room for an L2 table, l2_entries * 8 bytes, which nothing refers to. NULL: the
	 * image is read only.
	 */
	enum status (*allocate)(struct two_level *, uint64_t *ret_offset);
};

struct two_level {
	const struct two_level_ops *ops;
	void *user; /* the format's own */
	struct blk *file;
	bool big_endian;
	uint64_t l1_offset;  /* > 0, in the file */
	uint64_t l1_entries; /* that count */
	uint64_t l2_entries; /* a power of two */

	/* Below: two_level.c's own. 0 at first. */
	struct table_cache l1, l2;
};

/* Makes the caches. The caller has set what is above them. ST_NO_MEMORY. */
enum status two_level_init(struct two_level *);
void two_level_free(struct two_level *); /* half-initialised ones as well */

/*
 * The L1 table has another place or number of entries now, and what both have in common is in the
 * file as it is in memory. Nothing that was set is not yet written.
 */
void two_level_set_l1(struct two_level *, uint64_t offset, uint64_t n);

/*
 * Reads an entry: `index` < l1_entries * l2_entries. *ret_run: for so many entries from there on,
 * > 1 only where there is no L2 table, the answer is the same.
 */
enum status two_level_get(struct two_level *, uint64_t index, uint64_t *ret_entry,
			  uint64_t *ret_run);

/*
 * Sets an entry in memory; makes its L2 table if there is none. On failure all entries are as
 * before. two_level_is_full() is false.
 */
enum status two_level_set(struct two_level *, uint64_t index, uint64_t entry);

/* Whether two_level_commit() has to come before the next entry is set. */
bool two_level_is_full(const struct two_level *);

/*
 * Writes what was set: L2 tables, a flush, then the L1 table, which refers to them. What the
 * entries refer to is flushed, and the caller flushes the file thereafter. After a failure it may
 * be called again, unless the flush failed.
 */
enum status two_level_commit(struct two_level *);

/* Forgets all that is in memory: the tables were changed in the file. */
void two_level_forget(struct two_level *);
