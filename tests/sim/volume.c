/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The files of the simulated volume, and the journal of their changes. A file has exactly the
 * memory that it needs, so that the sanitizers catch whoever goes beyond its end; what it grows by
 * is garbage, as the clusters of a FAT volume are.
 */
#include "volume_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "pages.h"

static struct sim_volume_kind volume;
static struct sim_file files[SIM_FILES_MAX];
static struct sim_change *journal;
static size_t n_journal, journal_capacity;

/* Exactly what a file needs, so that whoever goes beyond it is caught. */
static size_t room_for(uint64_t size)
{
	return (size_t)size + 1;
}

void volume_forget(struct sim_file *file)
{
	pages_free(file->bytes, room_for(file->size));
	memset(file, 0, sizeof *file);
}

void sim_volume(const struct sim_volume_kind *kind)
{
	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		volume_forget(&files[i]);
	for (size_t i = 0; i < n_journal; i++) {
		free(journal[i].file);
		pages_free(journal[i].bytes, journal[i].n + 1);
	}
	free(journal);
	journal = NULL;
	n_journal = journal_capacity = 0;
	volume_forget_bad();
	volume = *kind;
	if (volume.cluster_bytes == 0)
		volume.cluster_bytes = 512;
	if (volume.file_limit_bytes == 0)
		volume.file_limit_bytes = UINT64_MAX;
	sim_volume_fail(0, ST_OK);
}

struct sim_volume_kind *volume_kind(void)
{
	return &volume;
}

struct sim_file *volume_files(void)
{
	return files;
}

void volume_record(enum sim_change_kind kind, const struct sim_file *file, uint64_t offset,
		   const void *bytes, size_t n)
{
	struct sim_change *change;

	if (n_journal == journal_capacity) {
		journal_capacity = 2 * journal_capacity + 16;
		journal = realloc(journal, journal_capacity * sizeof *journal);
	}
	change = &journal[n_journal++];
	*change = (struct sim_change){
		.kind = kind, .file = strdup(file->name), .offset = offset, .n = n
	};
	if (bytes != NULL) {
		change->bytes = pages_new(n + 1);
		memcpy(change->bytes, bytes, n);
	}
}

const struct sim_change *sim_journal(size_t *ret_n)
{
	*ret_n = n_journal;
	return journal;
}

struct sim_file *volume_find(const char *name)
{
	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

size_t sim_files(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		n += files[i].name[0] != '\0';
	return n;
}

const char *sim_file_name(size_t index)
{
	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		if (files[i].name[0] != '\0' && index-- == 0)
			return files[i].name;
	return NULL;
}

const uint8_t *sim_file(const char *name, uint64_t *ret_bytes)
{
	struct sim_file *file = volume_find(name);

	if (file != NULL)
		*ret_bytes = file->size;
	return file != NULL ? file->bytes : NULL;
}

uint64_t volume_used_bytes(void)
{
	uint64_t used = 0;

	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		used += round_up(files[i].size, volume.cluster_bytes);
	return used;
}

/* What a file grows by is anything: who makes it grow fills it. */
enum status volume_set_size(struct sim_file *file, uint64_t size)
{
	if (size > volume.file_limit_bytes)
		return ST_TOO_LARGE;
	if (volume_used_bytes() - round_up(file->size, volume.cluster_bytes) +
		    round_up(size, volume.cluster_bytes) >
	    volume.free_bytes)
		return ST_NO_SPACE;
	file->bytes = pages_resize(file->bytes, room_for(file->size), room_for(size));
	file->size = size;
	return ST_OK;
}

void sim_file_put(const char *name, const void *bytes, uint64_t n)
{
	struct sim_file *file = volume_find(name);

	if (file == NULL)
		file = volume_find("");
	strcpy(file->name, name);
	if (volume_set_size(file, n) != ST_OK)
		abort();
	memcpy(file->bytes, bytes, n);
}
