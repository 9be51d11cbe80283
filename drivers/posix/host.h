/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

/* What the files of the POSIX platform share. The platform itself is core/platform/platform.h. */

/* The kind of failure that an errno is. */
enum status status_of_errno(int number);

struct file_blk_kind {
	bool writable;
	bool is_device; /* it stands for a disk: its size is fixed, and it is data everywhere */
	uintptr_t device_id;
	uint32_t block_bytes;
	uint32_t buffer_align;
	uint64_t bad_offset, bad_bytes; /* reads that touch these bytes of it fail */
};

/*
 * A blk over an open file, whose descriptor it then owns; on failure the descriptor stays the
 * caller's. ST_IO, ST_NO_MEMORY.
 */
enum status file_blk_open(int fd, const struct file_blk_kind *, struct blk **ret);

/* A file that stands for a disk. */
struct file_disk {
	uintptr_t id; /* its place in the list */
	char path[1024];
	uint32_t block_bytes;
	char model[64], serial[64];
	char holds[256]; /* a directory whose files are said to be on it; "" */
	bool read_only, started_from, current;
	uint64_t bad_block, bad_blocks; /* these cannot be read */
};

/*
 * Whether `name` is that of a device ("blk0:", in either case) in the environment variable
 * EFI_IMG_DISKS, and which.
 */
bool file_disk_find(const char *name, struct file_disk *ret);

/* Opens it, with a block size and an alignment as devices have them. */
enum status file_disk_open(const struct file_disk *, bool writable, struct blk **ret,
			   struct error *);

/* Whether the core has said that it changes the device of that id (platform_permit()). */
bool device_permitted(uintptr_t id);

/* Catches SIGINT for platform_cancelled(). A second one ends the program. */
void interruption_catch(void);
