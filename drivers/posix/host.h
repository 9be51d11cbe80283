/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

/* What the files of drivers/posix/ share. The platform itself is core/platform/. */

/* Translates an errno; those without a counterpart are ST_IO. */
enum status status_of_errno(int number);

struct file_blk_kind {
	bool writable;
	bool is_device; /* stands for a disk: of fixed size, without holes */
	uintptr_t device_id;
	uint32_t block_bytes;
	uint32_t buffer_align;
	uint64_t bad_offset, bad_bytes; /* reads that overlap this range fail */
};

/*
 * Makes a blk of an open file, and takes over its descriptor; on failure the caller still owns
 * that. Statuses: ST_IO, ST_NO_MEMORY.
 */
enum status file_blk_open(int fd, const struct file_blk_kind *, struct blk **ret);

/* A file that stands for a disk. */
struct file_disk {
	uintptr_t id; /* index in EFI_IMG_DISKS */
	char path[1024];
	uint32_t block_bytes;
	char model[64], serial[64];
	char holds[256]; /* a directory whose files count as being on it; "" */
	bool read_only, started_from, current;
	uint64_t bad_block, bad_blocks; /* the first unreadable block, and their number */
};

/*
 * Finds the disk with a name ("blk0:", in upper or lower case) in the environment variable
 * EFI_IMG_DISKS. False: there is none.
 */
bool file_disk_find(const char *name, struct file_disk *ret);

/*
 * Opens a disk; the blk has the block size and alignment of a device. The caller closes it.
 * Statuses: those of open() and file_blk_open().
 */
enum status file_disk_open(const struct file_disk *, bool writable, struct blk **ret,
			   struct error *);

/* Returns whether the device with this id may be changed (platform/permit.h). */
bool device_permitted(uintptr_t id);

/* Makes SIGINT cancel the work (platform_cancelled()). A second one ends the program. */
void interruption_catch(void);
