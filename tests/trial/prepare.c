/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that an operation begins with. */
#include "operation.h"

/*
 * Whether a file counts: of an operation of formats, whose disks can be large, only what it names
 * or its images were made over does.
 */
static bool is_needed(const struct operation *op, const char *name)
{
	if (op->disk_bytes == 0 || !is_format_file(name))
		return true;
	for (size_t i = 0; i < WORDS && op->words[i] != NULL; i++)
		if (strcmp(op->words[i], name) == 0 || strcmp(op->words[i], "if=random") == 0)
			return true;
	for (size_t i = 0; i < SETUP; i++)
		for (size_t k = 1; k < WORDS && op->setup[i][k] != NULL; k++)
			if (strcmp(op->setup[i][k], name) == 0 &&
			    (strcmp(op->setup[i][k - 1], "-b") == 0 ||
			     strcmp(op->setup[i][k - 1], "-B") == 0))
				return true;
	return false;
}

static struct sim_files needed_files(const struct operation *op, const struct sim_volume_kind *kind)
{
	struct sim_files all = sim_files_keep(), files;

	sim_volume(kind);
	for (size_t i = 0; i < all.n; i++)
		if (is_needed(op, all.file[i].name))
			sim_file_put(all.file[i].name, all.file[i].bytes, all.file[i].size);
	sim_files_drop(&all);
	files = sim_files_keep();
	return files;
}

struct sim_files operation_prepare(const struct operation *op, const struct sim_volume_kind *kind)
{
	struct sim_files files;

	sim_volume(kind);
	if (op->disk_bytes > 0)
		format_files(op->disk_bytes);
	else
		operation_files();
	for (size_t i = 0; i < SETUP && op->setup[i][0] != NULL; i++)
		must(op->setup[i]);
	files = needed_files(op, kind);
	for (size_t i = 0; op->damage != NULL && i < files.n; i++)
		if (strcmp(files.file[i].name, "a") == 0)
			op->damage(&(struct bytes){ files.file[i].bytes, files.file[i].size });
	sim_files_restore(kind, &files);
	return files;
}
