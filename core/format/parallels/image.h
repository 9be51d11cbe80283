/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "format/block_map.h"
#include "format/image.h"
#include "format/problems.h"
#include "format/table_cache.h"

/*
 * What the files of the format Parallels share; parallels.c tells the layout and the order of
 * writes.
 */

enum {
	PARALLELS_VERSION = 2,
	PARALLELS_HEADER_BYTES = 64, /* the BAT follows */
	PARALLELS_SECTOR_BYTES = 512,
	PARALLELS_ENTRY_BYTES = 4,
	PARALLELS_PAGE_BYTES = 64 << 10, /* of the BAT, that are in memory as one */
	PARALLELS_CLUSTER_SECTORS_MAX = INT32_MAX / 513,
	PARALLELS_ENTRIES_MAX = INT32_MAX / PARALLELS_ENTRY_BYTES,
	PARALLELS_IN_USE = 0x746f6e59,
	PARALLELS_CLOSED = 0x312e3276,
};

extern const char parallels_magic_old[], parallels_magic_ext[];
enum { PARALLELS_MAGIC_BYTES = 16 };

struct parallels_header {
	char magic[PARALLELS_MAGIC_BYTES];
	le32 version;
	le32 heads;
	le32 cylinders;
	le32 cluster_sectors;
	le32 n_entries;
	le64 n_sectors; /* with the old magic, the lower half counts */
	le32 in_use;
	le32 data_sector; /* 0: after the BAT */
	le32 flags;
	le64 extension_sector; /* 0: none */
};

_Static_assert(sizeof(struct parallels_header) == PARALLELS_HEADER_BYTES, "Parallels header");
_Static_assert(offsetof(struct parallels_header, in_use) == 44, "Parallels header");

/* What the whole BAT says, read once. */
struct parallels_summary {
	uint64_t n_allocated, n_fragmented; /* as QEMU counts them */
	uint64_t end;         /* of the last cluster, bytes; at least where data begins */
	uint64_t n_past_end;  /* entries of clusters that begin past the end of the file */
	uint64_t n_cut;       /* entries of clusters that end past it */
	uint64_t n_misplaced; /* entries that lead into the BAT, or between two clusters */
	uint64_t n_doubled;   /* entries of the same cluster as another one before them */
};

enum { PARALLELS_LIST_MAX = 1024 };

struct parallels_image {
	struct image image; /* first */
	struct parallels_header header;
	uint64_t cluster_bytes, n_entries;
	uint64_t entry_bytes; /* what an entry counts in */
	uint64_t bat_end, data_start;
	bool was_in_use; /* it was not closed cleanly */
	le32 closed;     /* what the header says of an image that was: QEMU has 0 for it */
	struct block_map map;
	struct table_cache cache; /* of the BAT */
	/* For writing: */
	uint64_t end;                        /* where the next cluster goes, bytes */
	bool in_use;                         /* the header on the medium says so, by this program */
	uint32_t listed[PARALLELS_LIST_MAX]; /* entries of doubled clusters */
	size_t n_listed;
};

struct blk *parallels_file(const struct parallels_image *);

/* Reads and checks the header; fills in what it says. */
enum status parallels_read_header(struct parallels_image *, struct error *);

/* Has the header say whether the image is in use, on the medium. */
enum status parallels_set_in_use(struct parallels_image *, bool in_use);

/* Makes the BAT ready to be looked up, for p->map. ST_NO_MEMORY. */
enum status parallels_prepare(struct parallels_image *);

enum status parallels_entry(struct parallels_image *, uint64_t cluster, uint32_t *ret);
/* Changes it; the commit of parallels_block_ops writes it. */
enum status parallels_set_entry(struct parallels_image *, uint64_t cluster, uint32_t entry);

/* Clusters lie at multiples of their size from there on. */
uint64_t parallels_grid(const struct parallels_image *);

/*
 * Whether the data is said to begin past the end of the file, and not with the next cluster. The
 * file would grow up to there at a write, by up to 2 TiB.
 */
bool parallels_begins_outside(const struct parallels_image *);

/* The first place for a cluster at or after the offset `from` >= data_start. */
uint64_t parallels_place_from(const struct parallels_image *, uint64_t from);

/* How much of a cluster of the disk the file must have. */
uint64_t parallels_needed(const struct parallels_image *, uint64_t cluster);

extern const struct block_ops parallels_block_ops;

/* Reads the whole BAT on the medium. p->listed are entries of doubled clusters. */
enum status parallels_survey(struct parallels_image *, struct problems *,
			     struct parallels_summary *ret);

enum status parallels_check(struct image *, struct out *problems, struct check_result *ret,
			    struct error *);
enum status parallels_repair(struct image *, enum repair, struct out *problems,
			     struct check_result *ret, struct error *);

extern const struct create_option parallels_create_options[];
enum status parallels_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status parallels_measure(const struct create_request *, const struct image *source,
			      struct image_measure *ret, struct error *);
enum status parallels_write_files(const struct create_request *, struct blk *const file[],
				  struct error *);
