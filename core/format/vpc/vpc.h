/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/range.h"
#include "format/block_map.h"
#include "format/image.h"
#include "format/table_cache.h"
#include "format/vpc/disk_header.h"

/* The parts of format_vpc; vpc.c has the write order. */

/* What is where a footer should be. */
enum vpc_found { VPC_NONE, VPC_WRONG_SUM, VPC_GOOD };

struct vpc_image {
	struct image image;       /* first */
	struct vpc_footer footer; /* the one that counts: of a fixed disk that at the end */
	struct vpc_footer end_footer;
	enum vpc_found at_front, at_end;
	uint32_t end_footer_bytes; /* VPC_FOOTER_BYTES, or VPC_OLD_FOOTER_BYTES */
	bool has_end;              /* a footer at the end is due: not on a disk */
	uint32_t type;

	/* All but VPC_FIXED: */
	struct vpc_header header;
	bool header_good; /* its checksum is right */
	uint64_t header_at, bat_at;
	uint32_t n_blocks, bitmap_bytes;
	uint8_t *bat;         /* as on the medium, in whole sectors; NULL: not read yet */
	bool *sector_changed; /* of each sector of the BAT: it is to be written */
	struct block_map map;
	struct table_cache bitmaps;

	/* For writing: */
	uint64_t next;       /* where the next block goes */
	uint64_t footer_at;  /* where the footer at the end is; at or after `next` */
	bool end_due;        /* there is none, or another one than at the front */
	uint32_t n_reserved; /* blocks that the file had room made for last time */
};

static inline struct vpc_image *vpc_of(struct blk *blk)
{
	return (struct vpc_image *)blk;
}

static inline struct blk *vpc_file(const struct vpc_image *v)
{
	return v->image.file[0].blk;
}

/* ---- footer.c ---- */

/* The checksum of a footer or header, whose own field counts as zeros: it begins at `field`. */
uint32_t vpc_checksum(const void *bytes, size_t n, size_t field);

enum vpc_found vpc_judge_footer(const struct vpc_footer *);
void vpc_seal_footer(struct vpc_footer *); /* sets the checksum */

/* The size of the disk, as the program that made the image has meant it. */
uint64_t vpc_disk_bytes(const struct vpc_footer *);

/* The largest geometry: whoever reads it takes the size from its own field. */
void vpc_set_largest_geometry(struct vpc_footer *);

/*
 * The size that the disk of a new image gets, and its footer, which has a new UUID. ST_TOO_LARGE.
 */
enum status vpc_new_size(const struct create_request *, uint64_t *ret, struct error *);
enum status vpc_new_footer(const struct create_request *, struct vpc_footer *ret, struct error *);

/* ---- open.c ---- */

int vpc_probe(const struct image_probe *);
enum status vpc_open(struct image *, struct error *);

/* Reads the BAT, unless it has been read. */
enum status vpc_read_bat(struct vpc_image *, struct error *);

/* ---- parent.c ---- */

/* Finds the name of the parent of a differencing disk, in the form that backing files have. */
enum status vpc_find_parent(struct vpc_image *, struct error *);

/* Whether the backing file is the image that the disk was made on. */
enum status vpc_check_parent(const struct vpc_image *, struct error *);

/* ---- map.c: dynamic and differencing disks ---- */

static inline uint32_t vpc_entry(const struct vpc_image *v, uint64_t index)
{
	return (uint32_t)bytes_from_be(v->bat + index * 4, 4);
}

/* Where a block that has this entry begins, which is its bitmap. */
static inline uint64_t vpc_block_at(uint32_t entry)
{
	return (uint64_t)entry * VPC_SECTOR;
}

/* How much of the file a whole block takes. */
static inline uint64_t vpc_block_space(const struct vpc_image *v)
{
	return (uint64_t)v->bitmap_bytes + v->map.block_bytes;
}

/* How much of its space the block needs: the last one may have less of the disk. */
static inline uint64_t vpc_block_used(const struct vpc_image *v, uint64_t index)
{
	return v->bitmap_bytes +
	       min_u64(v->map.block_bytes, v->image.size - index * v->map.block_bytes);
}

void vpc_set_entry(struct vpc_image *, uint64_t index, uint32_t entry);
enum status vpc_write_bat(struct vpc_image *); /* the sectors that were changed */
uint64_t vpc_bat_bytes(uint64_t n_blocks);     /* in whole sectors */

/* Where nothing of the file is in use any more, but for the footer. Needs the BAT. */
uint64_t vpc_used_end(const struct vpc_image *);

/* Where blocks end: at the footer at the end of the file, if there is a good one. */
uint64_t vpc_blocks_end(const struct vpc_image *);

/* Whether a part of the file has something in common with header, BAT or the front. */
bool vpc_meets_tables(const struct vpc_image *, uint64_t offset, uint64_t len);

/* Refuses to write to an image whose BAT refers to places that cannot be blocks. */
enum status vpc_check_entries(const struct vpc_image *, struct error *);

enum status vpc_write_footer(struct vpc_image *, uint64_t offset);

/* Moves the footer at the end to v->next, where the file then ends. */
enum status vpc_trim(struct vpc_image *);

extern const struct block_ops vpc_block_ops;

/* ---- create.c ---- */

extern const struct create_option vpc_create_options[];
bool vpc_is_fixed(const struct create_request *);
enum status vpc_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status vpc_measure(const struct create_request *, const struct image *source,
			struct image_measure *ret, struct error *);
enum status vpc_write_files(const struct create_request *, struct blk *const file[],
			    struct error *);
enum status vpc_finish(const struct create_request *, struct blk *file, struct error *);

/* ---- check.c ---- */

/*
 * Calls `each` for blocks that share a part of the file, by their numbers: their places in order
 * tell. ST_NO_MEMORY.
 */
enum status vpc_each_overlap(const struct vpc_image *,
			     void (*each)(void *user, uint64_t a, uint64_t b), void *user);

enum status vpc_check(struct image *, struct out *problems, struct check_result *ret,
		      struct error *);
enum status vpc_repair(struct image *, enum repair, struct out *problems, struct check_result *ret,
		       struct error *);

/* ---- resize.c ---- */

enum status vpc_plan_resize(const struct image *, uint64_t size, enum prealloc, uint64_t ret[],
			    struct error *);
enum status vpc_resize(struct blk *, uint64_t size, enum prealloc);
