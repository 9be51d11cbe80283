/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "format/image.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"

/*
 * What the files of a check share: check.c, check_counts.c, check_references.c, check_refcounts.c;
 * and repair.c.
 */

enum {
	QCOW2_CHECK_PIECE = 8192, /* entries of a long table that are in memory at once */
};

/* Most clusters that a file can have to be checked: the number that qemu-img checks too. */
#define QCOW2_CHECK_CLUSTERS_MAX ((uint64_t)INT32_MAX)

/*
 * What a cluster of the file is used as. One that is used as two things, or that is other metadata
 * with two users, is corrupt, whatever its refcount says.
 */
enum qcow2_use {
	QCOW2_USE_NONE,
	QCOW2_USE_DATA,  /* of the guest, also compressed */
	QCOW2_USE_L2,    /* an L2 table: several L1 tables can have it */
	QCOW2_USE_OTHER, /* any other metadata: it has one user */
};

/* A check under way. */
struct qcow2_check {
	const struct qcow2_image *q;
	struct blk *file;
	struct error *err;
	struct check_result result;

	struct out *problems; /* NULL: they are only counted */
	uint64_t n_problems;
	/*
	 * Where we are: the entry of a table; table NULL: nowhere in particular. It is printed with
	 * each problem.
	 */
	struct qcow2_place {
		const char *table;
		uint64_t offset, index, value;
	} place;

	uint64_t n_clusters; /* of the file; one more if an unaligned entry leads across its end */
	/*
	 * The references that were found, later the refcounts of the file; laid out as in refcount
	 * blocks.
	 */
	uint8_t *counts;
	/* the first use of each cluster: enum qcow2_use, two bits each, from the lowest on */
	uint8_t *uses;
	/* whether it has another use, a bit each: no page of it is touched in a sound image */
	uint8_t *used_twice;
	bool overlaps;     /* a cluster is used as two things */
	bool header_taken; /* the first one, which has the header, also as a table */
	bool unreadable;   /* some refcounts of the file could not be had */

	/* Of the corruptions, for a repair: */
	uint64_t n_flags;      /* COPIED flags that are wrong */
	uint64_t n_repairable; /* L2 entries that qcow2_check_repairable() says can be repaired */
	uint64_t n_incomplete; /* snapshots that do not say the size of the disk */
	/*
	 * The refcount structures cannot be used as they are: a block is not where one can be, or
	 * is missing, or one of them is used twice;
	 */
	bool unusable;
	/*
	 * with that, or a cluster in use whose refcount is 0, qemu-img does not repair leaks alone.
	 */
	bool needs_rebuild;
	/*
	 * References that lead past the end of the file: whether one does so before this offset,
	 * to where the file might grow.
	 */
	uint64_t growth_end;
	bool in_the_way;

	uint8_t *table; /* one cluster: an L2 table or a refcount block */
	be64 *piece;    /* of a longer table */
	/* of L1 and bitmap tables, before it is clear that they overlap */
	uint64_t table_bytes_left;
};

/* ---- check.c ---- */

/*
 * Prepares to count references, from 0 on. On failure qcow2_check_end() is due as well. The caller
 * has set the first four members.
 */
enum status qcow2_check_begin(struct qcow2_check *);
void qcow2_check_end(struct qcow2_check *);

/* A check from the beginning: all but the COPIED flags; and with these, everything. */
enum status qcow2_check_counts(struct qcow2_check *);
enum status qcow2_check_all(struct qcow2_check *);

/*
 * Counts a problem, and prints it in these words, which begin with qemu-img's "ERROR", "Leaked" or
 * "Can't get refcount", and with the place where it is.
 */
void qcow2_check_corrupt(struct qcow2_check *, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void qcow2_check_leak(struct qcow2_check *, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void qcow2_check_unknown(struct qcow2_check *, uint64_t n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * How many of the `n` entries of a table at `offset` are in the file: those past its end are
 * zeros.
 */
uint64_t qcow2_check_in_file(const struct qcow2_check *, uint64_t offset, uint64_t n);

/*
 * Reads the entries of a table of `n` from `first` on into c->piece: *ret_count of them. `what`
 * names the table in an error. Asks whether to stop: ST_CANCELLED.
 */
enum status qcow2_check_piece(struct qcow2_check *, const char *what, uint64_t offset,
			      uint64_t first, uint64_t n, uint64_t *ret_count);

/* Reads the cluster at `offset`, which need not be aligned, into c->table. Asks whether to stop. */
enum status qcow2_check_table(struct qcow2_check *, const char *what, uint64_t offset);

/* ---- check_counts.c ---- */

enum status qcow2_counts_init(struct qcow2_check *);
void qcow2_counts_free(struct qcow2_check *);

/* Counts a reference to each cluster that these bytes of the file touch. */
void qcow2_count(struct qcow2_check *, enum qcow2_use, uint64_t offset, uint64_t bytes);

static inline uint64_t qcow2_counts_get(const struct qcow2_check *c, uint64_t cluster)
{
	return qcow2_refcount_at(c->q->header.refcount_order, c->counts, cluster);
}

/* Whether it is used as two things; whether it is used as nothing but this. */
bool qcow2_counts_overlap(const struct qcow2_check *, uint64_t cluster);
bool qcow2_counts_is_only(const struct qcow2_check *, uint64_t cluster, enum qcow2_use);

/* ---- check_references.c ---- */

/*
 * Counts all references to clusters, except those of the refcount structures, and checks the tables
 * that have them.
 */
enum status qcow2_check_references(struct qcow2_check *);

/* What is done about an L2 entry, its offset, and what kind of cluster that is. */
#define QCOW2_UNALIGNED_WORDS \
	"%s offset=%jx: %s cluster is not properly aligned; L2 entry corrupted."

/*
 * Whether an L2 entry only reserves a place for zeros, and that where there can be none: it can
 * become one without a place.
 */
bool qcow2_check_repairable(const struct qcow2_check *, uint64_t entry, uint64_t bitmap);

/*
 * Notes that tables of so many bytes are about to be walked. False: they cannot all be different
 * ones.
 */
bool qcow2_check_take_table(struct qcow2_check *, uint64_t bytes);

/* ---- check_refcounts.c ---- */

/* How many entries the refcount table has. */
static inline uint64_t qcow2_check_reftable_entries(const struct qcow2_check *c)
{
	return ((uint64_t)c->q->header.reftable_clusters << c->q->header.cluster_bits) / 8;
}

/* Counts the references of the refcount structures, and checks them. */
enum status qcow2_check_blocks(struct qcow2_check *);

/* Compares what was counted with the refcounts of the file, which take its place in c->counts. */
enum status qcow2_check_refcounts(struct qcow2_check *);

/*
 * A refcount of the file; where it was not compared, it is read. *ret_known false: it cannot be
 * had.
 */
enum status qcow2_check_refcount(struct qcow2_check *, uint64_t cluster, uint64_t *ret,
				 bool *ret_known);

/*
 * How qemu-img tells of a COPIED flag: what is done about it ("ERROR", "Repairing"), the entry, and
 * the refcount of what that leads to; for L1 tables also the index.
 */
#define QCOW2_L1_FLAG_WORDS "%s OFLAG_COPIED L2 cluster: l1_index=%ju l1_entry=%jx refcount=%ju"
#define QCOW2_L2_FLAG_WORDS "%s OFLAG_COPIED data cluster: l2_entry=%jx refcount=%ju"

/* Checks the COPIED flags of the active tables against these refcounts. */
enum status qcow2_check_copied(struct qcow2_check *);
