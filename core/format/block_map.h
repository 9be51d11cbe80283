/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blk/blk.h"

struct image;

/*
 * Disks that are cut into blocks of one size, each of which has a place in a file, is zeros, or
 * shows the backing file: what VHD, VHDX, VMDK, VDI, QED, Parallels and qcow have in common. A
 * format keeps the table that says where each block is; reading, writing, zeros and extents of the
 * disk are the same for all, and so is the order of writes:
 *
 *   1. room for the block is taken, where no table refers to;
 *   2. all of the block is written: what the guest writes, and around it what was there before;
 *   3. the file is flushed;
 *   4. the table is written (`commit`), and the file flushed.
 *
 * Steps 3 and 4 come at the next flush, for all blocks that are new by then. When the power goes,
 * or when a write fails, each new block is there as a whole, or not at all.
 *
 * After a flush or a table that could not be written, nothing more is: what was written before may
 * be lost even if the next flush succeeds, and a table must not refer to it. Reading continues.
 */
enum block_state {
	BLOCK_ABSENT, /* the backing file shows, or zeros: not allocated */
	BLOCK_ZERO,   /* reads as zeros, whatever the backing file has */
	BLOCK_STORED,
	BLOCK_PACKED, /* compressed, as a whole */
};

/* What the format's table says of a part of the disk. */
struct block_run {
	enum block_state state;
	/* bytes, > 0, for which this holds; more than one block only if they lie side by side */
	uint64_t length;
	/* STORED: of the byte that was asked for; PACKED: of the compressed bytes; in map->file */
	uint64_t offset;
	uint32_t packed_bytes;
};

struct block_map;

/* What a format does. All but `find` is for writing. Calls come from the boot processor. */
struct block_ops {
	/*
	 * Says what is at `offset`, for at most `len` > 0 bytes, which lie in the disk; ret->length
	 * may be larger. ST_CORRUPT where the table makes no sense. A file may end inside its last
	 * block, whose rest is zeros; that STORED blocks begin in the file is seen to.
	 */
	enum status (*find)(struct block_map *, uint64_t offset, uint64_t len,
			    struct block_run *ret);
	/* Decompresses the block at `offset`, block_bytes of it. NULL: no block is PACKED. */
	enum status (*unpack)(struct block_map *, uint64_t offset, const struct block_run *,
			      void *ret);
	/*
	 * Takes room for block_bytes that nothing on the medium refers to, for the block of that
	 * number: *ret is its place in map->file.
	 */
	enum status (*allocate)(struct block_map *, uint64_t index, uint64_t *ret);
	/*
	 * Notes in memory that the block is STORED at `offset`, where all of it has been written,
	 * or ZERO. On failure the table is as before.
	 */
	enum status (*set)(struct block_map *, uint64_t index, enum block_state, uint64_t offset);
	/*
	 * As `allocate` and `set`, for the `n` bytes, fewer than block_bytes, of a PACKED block.
	 * NULL: blocks cannot be written in that form.
	 */
	enum status (*allocate_packed)(struct block_map *, uint64_t index, uint32_t n,
				       uint64_t *ret);
	enum status (*set_packed)(struct block_map *, uint64_t index, uint64_t offset, uint32_t n);
	/*
	 * Writes what was set since the last time to the medium. The data it refers to are flushed,
	 * and the caller flushes map->file thereafter. After a failure it is not called again.
	 */
	enum status (*commit)(struct block_map *);
	/* Whether `commit` must come before another `set`. NULL: never. */
	bool (*is_full)(const struct block_map *);
};

struct block_map {
	const struct block_ops *ops;
	struct blk *file;     /* that has the blocks */
	struct image *image;  /* whose backing file shows where blocks are absent */
	uint64_t disk_offset; /* of the first byte of the map, on the disk of the image */
	uint64_t data_offset; /* of the first byte of the file, in image->data */
	uint64_t size;        /* bytes of the disk that the map is for */
	uint32_t block_bytes; /* of any size; the last block may have less of the disk */
	bool zero_state;      /* `set` can say ZERO */
	bool sees_holes;      /* extents tell blocks that lie in holes of the file */

	/* Below: block_map.c's own. 0 at first. */
	struct {
		bool is; /* there is one: */
		uint64_t index, offset;
		uint64_t filled; /* of its bytes: they are written, what follows is as before */
	} fresh;                 /* the block that has room but is not in the table yet */
	bool changed;            /* something was set since the last commit */
	enum status failed;      /* of a flush or commit: from then on nothing is written */
};

/* Of the disk, as struct blk_ops has them; `offset` counts in the map. */
enum status block_map_read(struct block_map *, uint64_t offset, void *buf, size_t len);
enum status block_map_write(struct block_map *, uint64_t offset, const void *buf, size_t len);
enum status block_map_zero(struct block_map *, uint64_t offset, uint64_t len);
enum status block_map_extent(struct block_map *, uint64_t offset, uint64_t len, struct extent *ret);
enum status block_map_flush(struct block_map *);

/* Stores the block at `offset` in its compressed form: a change_ops' write_compressed. */
enum status block_map_write_packed(struct block_map *, uint64_t offset, const void *packed,
				   uint32_t n);

/* Forgets what was not flushed, where the format has emptied its table. */
void block_map_forget(struct block_map *);

/* Makes a range read as zeros whatever the backing file has: a change_ops' store_zeros. */
enum status block_map_store_zeros(struct block_map *, uint64_t offset, uint64_t len);
