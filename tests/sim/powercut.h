#pragma once

#include <stdint.h>

#include "volume.h"

/* The files of a volume, kept to begin again with them; and what a power cut makes of them. */
struct sim_files {
	size_t n;
	struct {
		char name[32];
		uint8_t *bytes;
		uint64_t size;
	} file[SIM_FILES_MAX];
};

struct sim_files sim_files_keep(void);
void sim_files_drop(struct sim_files *);

/* Makes a volume of that kind with these files, and nothing in its journal. */
void sim_files_restore(const struct sim_volume_kind *, const struct sim_files *);

/*
 * The power goes after each change of the journal, which began with the files `before`. Of what was not flushed then,
 * nothing is lost, all, each change alone, all but each, the second half of each, or of each write all but that the file
 * is longer: stale contents of the volume show there. Calls `check` for every such state, with the volume as it is found
 * then; `where` names the state. Returns how many there were.
 */
unsigned powercut_each(const struct sim_volume_kind *, const struct sim_files *before,
		       void (*check)(const char *where, void *arg), void *arg);
