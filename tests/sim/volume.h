/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * A volume with files in memory, for platform_open(), platform_create() and so on. It counts every
 * call that could reach a medium, lets the one fail that the test asks for, and keeps a journal of
 * changes, from which powercut.h builds what a power cut leaves.
 */

enum { SIM_FILES_MAX = 24, SIM_NAME_BYTES = 1100 /* more than the menu takes */ };

struct sim_volume_kind {
	uint64_t free_bytes;
	uint64_t file_limit_bytes; /* 0: none */
	uint32_t cluster_bytes;    /* 0: 512 */
	bool read_only;
	/* blocks of zeros in a file take no space, and blk_extent() says so, which can fail */
	bool has_holes;
	/* > 0: its disks make runs of zeros of that length or more without a write */
	uint32_t zero_bytes;
	bool truncates; /* a write in the middle of a file cuts it off after what was written */
	bool hides;     /* ... and platform_check_rewrite() does not find that */
	/* the name of a file that is read-only and sequential (sequential.h); NULL: none */
	const char *sequential;
};

/* Empties the volume and its journal. */
void sim_volume(const struct sim_volume_kind *);

/*
 * Makes the `n`-th call from now on (1: the next) end in `status`; a write or resize does half of
 * its work before. 0: none.
 */
void sim_volume_fail(unsigned n, enum status status);
/* From the `n`-th call on (1: the next) all end in `status`: the medium is gone. 0: none. */
void sim_volume_leave(unsigned n, enum status status);

/*
 * The `n`-th write from now on (1: the next) that makes no file longer says that all went well, and
 * stores nothing; 0: none.
 */
void sim_volume_lose(unsigned n);
bool sim_volume_lost(void); /* whether that has happened */

bool sim_volume_failed(void); /* whether the call that sim_volume_fail() asked for has failed */

/*
 * Reads that touch these bytes of a file end in ST_IO, until sim_volume(); up to SIM_BAD_MAX such
 * places.
 */
enum { SIM_BAD_MAX = 256 };
void sim_volume_bad(const char *name, uint64_t offset, uint64_t n);
unsigned sim_volume_bad_reads(void); /* the number of these reads */

void sim_file_put(const char *name, const void *bytes, uint64_t n);
/*
 * A file as a disk with blocks of that size: of fixed size, with whole blocks in aligned buffers,
 * and a flush that counts. `id` is that of the device. Its calls fail, and are in the journal, like
 * those of files. ST_NO_MEMORY.
 */
struct blk;
enum status sim_disk_open(const char *name, uintptr_t id, bool writable, uint32_t block_bytes,
			  struct blk **ret);

/* Whether a device may be changed (platform_permit()). */
bool sim_device_permitted(uintptr_t id);

/* NULL: no such file. */
const uint8_t *sim_file(const char *name, uint64_t *ret_bytes);
size_t sim_files(void);
/* The name of file `index`, from 0 on; NULL: there are fewer files. */
const char *sim_file_name(size_t index);

enum sim_change_kind { SIM_CREATE, SIM_WRITE, SIM_RESIZE, SIM_FLUSH };

struct sim_change {
	enum sim_change_kind kind;
	char *file;
	uint64_t offset; /* of a write; the new size of a resize */
	uint8_t *bytes;  /* of a write */
	size_t n;
};

const struct sim_change *sim_journal(size_t *ret_n);
