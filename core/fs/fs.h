/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

/*
 * File systems: what fills a partition, and which of its bytes are in use.
 *
 * A copy may leave out what a file system does not use, and nothing else. So a map of a file system
 * is given only if all of this holds: it was unmounted cleanly, each of its feature bits is known,
 * each checksum is right, and its counts of free blocks agree with its tables. In every other case
 * there is no map, and a reason in words; then all of the partition is to be copied. Nothing is
 * repaired, replayed or written.
 *
 * The blk is a partition, or a disk without a table, and begins where the file system does; for a
 * partition of a disk, a window (blk/window.h). All functions are for the boot processor.
 */

enum {
	FS_LABEL = 256 * 3 + 1, /* 256 bytes, each of which may become 3 in UTF-8, and a NUL */
	FS_UUID = 40,
	FS_NOTE = 200,
	FS_VOLUME_NAME = 128, /* with a NUL */
	/*
	 * At each end of a partition or volume, where systems look for signatures; ZFS has the
	 * longest ones, two labels of 256 KiB
	 */
	FS_END_BYTES = 512 << 10,
};

/*
 * Which other file systems are needed with all their blocks, used or not; the later, the more. A
 * Linux whose file systems are still mounted may be hibernated, into a file in one of them, and
 * then it has pages in swap areas. Hashes on a disk are those of all blocks of another partition. A
 * system that is hibernated in a swap area has the tables of all file systems that it had mounted
 * in its memory, and pages in other swap areas.
 */
enum fs_binds { FS_BINDS_NONE, FS_BINDS_SWAP, FS_BINDS_DISK, FS_BINDS_MACHINE };

/* The type of a swap area. */
#define FS_SWAP "Linux swap"

/* Sets the reason for which one that has a map is copied as a whole, for FS_BINDS_SWAP. */
void fs_need_swap(struct error *why);

/* What fills a partition, as far as its first blocks, and a few others, tell. */
struct fs {
	const char *type;     /* "ext4", "NTFS", "FAT32", "LUKS" ...; "": unknown; static */
	char label[FS_LABEL]; /* UTF-8, of any characters; "": none, or not known */
	/* as Linux writes it: "d1b8...-...", "1234-ABCD", "0123456789ABCDEF"; "": none */
	char uuid[FS_UUID];
	bool has_data; /* unknown, and its first 68 KiB are not all zeros: encrypted, perhaps */
	uint64_t size; /* bytes that it manages, from the start of the blk; 0: not known */
	/* bytes in use, as it counts them itself; has_used false: not known without its tables */
	uint64_t used;
	bool has_used;
	/* whether it needs what other file systems do not use, too; the note tells why */
	enum fs_binds binds;
	/*
	 * Why no map of it will be given, and what to do about that, as far as it can be told
	 * without reading all its tables: "Windows was not shut down: choose Restart, then
	 * capture". Without a full stop. "": nothing stands against it, or fs_map_open() reads no
	 * tables of that type.
	 */
	char note[FS_NOTE];
};

/*
 * Recognises what fills `blk`. What is not recognised is no failure: ret->type is "". Reads less
 * than 1 MiB; of a blk that is `sequential`, only the first 68 KiB. What cannot be read apart from
 * these makes the note. Statuses: those of reading them, ST_NO_MEMORY; then *ret is empty, with
 * ret->type "".
 */
enum status fs_look(struct blk *blk, struct fs *ret);

/* The same for [start, start + size) of a blk, which lies within it. */
enum status fs_look_at(struct blk *, uint64_t start, uint64_t size, struct fs *ret);

/* A logical volume, and what fills it. */
struct fs_volume {
	char name[FS_VOLUME_NAME];
	uint64_t size; /* bytes */
	struct fs fs;
};

/*
 * Lists the logical volumes in `blk`, a physical volume of LVM, in the order of its metadata: none
 * if that is not understood, of which the note of fs_look() has the reason, or cannot be read. What
 * fills a volume that cannot be read has the type "". Reads what fs_look() does for each of them.
 * The caller frees *ret with mem_free(); it is NULL if *ret_n is 0. Statuses: ST_NO_MEMORY.
 */
enum status fs_list_volumes(struct blk *blk, struct fs_volume **ret, size_t *ret_n);

/* Returns whether the first sector of a disk is the boot sector of a file system, not an MBR. */
bool fs_is_boot_sector(const uint8_t sector[static 512]);

/* ---- Used and unused bytes ---- */

struct fs_map;

/*
 * A part of the blk. Unused: the file system never reads what is there before it has written it;
 * its bytes may be left out of a copy, and read as anything afterwards. Used: all else, and also
 * all that the file system does not manage: what is before its first cluster, after its last, and
 * bad clusters.
 */
struct fs_extent {
	uint64_t offset, length; /* bytes, length > 0; multiples of 512, but for the blk's end */
	bool used;
};

/*
 * Opens the map of the file system in `blk`. Reads all its tables once, in order to check them: of
 * ext4 32 MiB for each TiB, of XFS also its log. Takes at most 1 MiB of memory, of Btrfs 16 bytes
 * more for each chunk, of NTFS with an empty journal 32 MiB more, and of LVM as much again for each
 * volume. Calls platform_cancelled().
 *
 * ST_OK: *ret_map is the map, which the caller closes before `blk`; meanwhile nobody writes to
 * `blk`. `why` is empty, or has clauses about volumes of LVM that are used as a whole, with the
 * reasons. ST_UNSUPPORTED: there is no map, and all has to be copied. `why` has the reason, and
 * what to do, for a person: a clause without a full stop, which fits after "all of it is copied: ".
 * Tables that cannot be read are such a reason. In both cases *ret_fs is that of fs_look(), and
 * after ST_OK has its used bytes. ST_NO_MEMORY, ST_CANCELLED: failures, with `why` set as well.
 * Unless ST_OK is returned, *ret_map is NULL.
 */
enum status fs_map_open(struct blk *blk, struct fs *ret_fs, struct fs_map **ret_map,
			struct error *why);

/*
 * Returns what is at `offset` (< size of the blk): ret->offset is `offset`. The extent after it
 * begins at ret->offset + ret->length, and may be of the same kind; so a loop from 0 to the size of
 * the blk goes over all of it, sorted and without a gap. Any order of offsets is allowed;
 * ascending, each table is read once more.
 *
 * Never fails: what can no longer be read, or no longer agrees with what was checked, is used.
 */
void fs_map_extent(struct fs_map *, uint64_t offset, struct fs_extent *ret);

/* Returns the sum of all unused extents, in bytes, as it was counted when the map was opened. */
uint64_t fs_map_unused(const struct fs_map *);

/* Closes the map, and not the blk. NULL is allowed. */
void fs_map_close(struct fs_map *);
