/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "volume.h"

/* What the files of the simulated volume share: volume.c, volume_faults.c, volume_blk.c and
 * volume_names.c. */

struct sim_file {
	char name[SIM_NAME_BYTES];
	uint8_t *bytes;
	uint64_t size;
};

/* ---- volume.c ---- */

struct sim_volume_kind *volume_kind(void);
struct sim_file *volume_files(void); /* SIM_FILES_MAX of them; unused ones have the name "" */
struct sim_file *volume_find(const char *name); /* NULL: no such file */
uint64_t volume_used_bytes(void);

/*
 * Sets the size of a file; bytes by which it grows are undefined, and the caller fills them.
 * ST_TOO_LARGE, ST_NO_SPACE.
 */
enum status volume_set_size(struct sim_file *, uint64_t size);

/* Frees the bytes and the name of a file. */
void volume_forget(struct sim_file *);

/* Adds a change to the journal. */
void volume_record(enum sim_change_kind, const struct sim_file *, uint64_t offset,
		   const void *bytes, size_t n);

/* ---- volume_faults.c ---- */

/* Counts a call that could reach the medium: the status that the test has asked for. */
enum status volume_call(void);
bool volume_is_gone(void); /* by an earlier call than this one */

/* Whether this write is the one that is lost without an error. */
bool volume_loses_write(void);

/* Whether a read touches bytes that cannot be read; counts it. */
bool volume_is_bad(const struct sim_file *, uint64_t offset, size_t len);
void volume_forget_bad(void);

/* ---- volume_blk.c ---- */

enum status volume_open_blk(struct sim_file *, bool writable, struct blk **ret, struct error *);
