/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fs/fs.h"

/*
 * What the files of core/fs/ share: one kind of file system each (struct fs_kind), and the map that
 * they make (map.c).
 */

enum {
	FS_HEAD = 0x11000,         /* what all kinds see first: Btrfs' superblock ends here */
	FS_PIECE_UNITS = 64 << 13, /* units of a map that are loaded at once, at most */
	FS_PIECE_BYTES = FS_PIECE_UNITS / 8,
};

/* A file system that is being looked at. */
struct fs_view {
	struct blk *blk;
	const uint8_t *head; /* its first FS_HEAD bytes; zeros where the blk is shorter */
};

struct fs_kind {
	/*
	 * Returns whether the first blocks are those of this kind, by more than a few bytes. Reads
	 * nothing. NULL at the end of the list.
	 */
	bool (*recognise)(const struct fs_view *);
	/*
	 * Fills *ret, which is empty; the kind was recognised. A reason against a map goes to
	 * ret->note by fs_note(), the first one alone. Statuses: ST_NO_MEMORY; others of reading
	 * become a note.
	 */
	enum status (*look)(const struct fs_view *, struct fs *ret);
	/*
	 * Prepares a map: ret_map's geometry and `load`; look() found no reason against one.
	 * Statuses: ST_UNSUPPORTED with the reason, and those of reading. `map->kind_data` is freed
	 * by the caller, also after a failure. `why` is empty before, and may have a remark after
	 * ST_OK: see fs_map_open().
	 */
	enum status (*open)(const struct fs_view *, struct fs_map *map, struct error *why);
};

extern const struct fs_kind fs_kind_btrfs, fs_kind_exfat, fs_kind_ext, fs_kind_fat, fs_kind_lvm,
	fs_kind_ntfs, fs_kind_swap, fs_kind_xfs;

/* ---- Maps ---- */

/*
 * A map is loaded in pieces, as bits of units: clusters or blocks. Unit 0 is at `start`; what is
 * before it, and after the last unit, is used.
 */
struct fs_map {
	struct blk *blk;
	uint64_t start;       /* bytes */
	uint32_t shift;       /* a unit has 1 << shift bytes */
	uint64_t n_units;     /* which all lie in the blk */
	uint32_t piece_units; /* > 0, <= FS_PIECE_UNITS; 0: FS_PIECE_UNITS */
	/*
	 * Sets the bits of used units in `bits`, which are `n` zeros: bit 0 is unit `first`, a
	 * multiple of piece_units; bits are counted from the lowest of each byte. Checks what it
	 * reads. Called for each piece in order, and later again. Statuses: as those of open().
	 */
	enum status (*load)(struct fs_map *, uint64_t first, uint32_t n, uint8_t *bits,
			    struct error *why);
	/* Checks what can be told of all pieces: `n_unused` units. NULL: nothing. */
	enum status (*check)(struct fs_map *, uint64_t n_unused, struct error *why);
	/* Closes what kind_data has, which may be half of it. NULL: there is nothing to close. */
	void (*close)(struct fs_map *);
	void *kind_data; /* allocated by mem_alloc() */
	struct fs *fs;   /* what look() found, for open(), which may add to it */

	/* map.c alone: the piece that is loaded, of n_loaded units; 0: none */
	uint64_t first;
	uint32_t n_loaded;
	uint64_t n_unused;
	uint8_t *bits;
};

/* Opens a map of a kind that was recognised, and looked at: *fs, as fs_map_open() does. */
enum status fs_map_make(const struct fs_view *, const struct fs_kind *, struct fs *fs,
			struct fs_map **ret, struct error *why);

/*
 * Makes a status of fs_map_open() of any: a failure of reading is a reason for having no map, for
 * which it sets `why`, as for ST_NO_MEMORY.
 */
enum status fs_map_reason(enum status, struct error *why);

/* Set, or clear, the bits [first, first + n). */
void fs_bits_set(uint8_t *bits, uint64_t first, uint64_t n);
void fs_bits_clear(uint8_t *bits, uint64_t first, uint64_t n);

/* Returns how many of the first `n` bits are set. */
uint32_t fs_bits_count(const uint8_t *bits, uint32_t n);

/* ---- Help for all kinds ---- */

/* Sets the note, unless there is one. */
void fs_note(struct fs *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies a label up to a NUL, without blanks at its end; bytes that are not UTF-8 are replaced. */
void fs_label_utf8(struct fs *, const uint8_t *label, size_t n);

/* Writes a UUID of 16 bytes in the order of its text; nothing if it is all zeros. */
void fs_uuid_text(struct fs *, const uint8_t uuid[static 16]);

/* Returns log2 of a power of two. */
uint32_t fs_log2(uint64_t n);
