/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The files of the simulated volume by name: platform/files.h, as the drivers of firmware and Linux
 * have it. There are no directories: a name with a separator in it is a name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "platform/files.h"
#include "platform/permit.h"
#include "sequential.h"
#include "volume_files.h"

/* Begins a call with the name of a file. */
static enum status call_for(const char *name)
{
	enum status st = volume_call();

	return st != ST_OK || (name[0] != '\0' && strlen(name) < SIM_NAME_BYTES) ? st : ST_INVALID;
}

enum status platform_full_name(const char *name, char **ret, struct error *err)
{
	*ret = text_copy(name);
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

static const struct permit *permitted;

const struct permit *platform_permit(const struct permit *permit)
{
	const struct permit *before = permitted;

	permitted = permit;
	return before;
}

/* Tests of what is below the commands have no access set. */
static void check_permitted(const char *name)
{
	struct file_identity file = { .entry = (char *)(uintptr_t)name };

	if (permitted != NULL && !permitted->allows_file(permitted, &file))
		platform_panic(name, __FILE__, __LINE__);
}

bool sim_device_permitted(uintptr_t id)
{
	return permitted == NULL || permitted->allows_device(permitted, id);
}

static bool is_sequential(const char *name)
{
	return volume_kind()->sequential != NULL && strcmp(volume_kind()->sequential, name) == 0;
}

enum status platform_open(const char *name, enum open_mode mode, struct blk **ret,
			  struct error *err)
{
	struct sim_file *file = volume_find(name);
	enum status st = call_for(name);

	if (st == ST_OK && file == NULL)
		return fail(err, ST_NOT_FOUND, "%s: no such file", name);
	if (st == ST_OK && mode == OPEN_WRITE && is_sequential(name))
		st = ST_READ_ONLY;
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	if (mode == OPEN_WRITE)
		check_permitted(name);
	st = volume_open_blk(file, mode == OPEN_WRITE, ret, err);
	if (st == ST_OK && is_sequential(name))
		*ret = sequential_open(*ret);
	return st;
}

enum status platform_look(const char *name, struct place *ret, struct error *err)
{
	struct sim_file *file = volume_find(name);
	enum status st = call_for(name);

	if (st == ST_OK && volume_kind()->read_only)
		st = ST_READ_ONLY;
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	*ret = (struct place){
		.exists = file != NULL,
		.existing_bytes = file != NULL ? round_up(file->size, volume_kind()->cluster_bytes)
					       : 0,
		.free_bytes = volume_kind()->free_bytes - volume_used_bytes(),
		.file_limit_bytes = volume_kind()->file_limit_bytes,
		.cluster_bytes = volume_kind()->cluster_bytes,
		.volume_name = "fs0:",
	};
	return ST_OK;
}

enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *err)
{
	struct sim_file *file = volume_find(name);
	enum status st = call_for(name);

	if (st == ST_OK && strlen(name) >= SIM_NAME_BYTES)
		st = ST_INVALID;
	if (st == ST_OK && file != NULL && !replace)
		st = ST_EXISTS;
	if (st == ST_OK && file == NULL)
		file = volume_find("");
	if (st == ST_OK && file == NULL)
		st = ST_NO_SPACE; /* the directory is full */
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	check_permitted(name);
	strcpy(file->name, name);
	st = volume_set_size(file, 0);
	if (st == ST_OK)
		st = volume_open_blk(file, true, ret, err);
	if (st != ST_OK) {
		memset(file->name, 0, sizeof file->name);
		return st;
	}
	volume_record(SIM_CREATE, file, 0, NULL, 0);
	return ST_OK;
}

enum status platform_check_rewrite(const char *name, struct error *err)
{
	enum status st = call_for(name);

	if (st == ST_OK)
		check_permitted(name);
	if (st == ST_OK && volume_kind()->truncates && !volume_kind()->hides)
		st = ST_UNSUPPORTED;
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", name, status_text(st));
}

enum status platform_remove(const char *name, struct error *err)
{
	struct sim_file *file = volume_find(name);
	enum status st = call_for(name);

	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	if (file == NULL)
		return fail(err, ST_NOT_FOUND, "%s: no such file", name);
	check_permitted(name);
	volume_forget(file);
	return ST_OK;
}

enum status platform_rename(const char *name, const char *to, struct error *err)
{
	struct sim_file *file = volume_find(name);
	enum status st = call_for(name);

	if (st == ST_OK && strlen(to) >= SIM_NAME_BYTES)
		st = ST_INVALID;
	if (st == ST_OK && volume_find(to) != NULL)
		st = ST_EXISTS;
	if (st == ST_OK && file == NULL)
		st = ST_NOT_FOUND;
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	check_permitted(name);
	check_permitted(to);
	memset(file->name, 0, sizeof file->name);
	strcpy(file->name, to);
	return ST_OK;
}

enum status platform_logs(char **ret, struct error *err)
{
	enum status st = volume_call();

	if (st == ST_OK && volume_kind()->read_only)
		st = ST_READ_ONLY;
	if (st != ST_OK)
		return fail(err, st, "logs: %s", status_text(st));
	*ret = mem_alloc(sizeof "logs\\");
	if (*ret == NULL)
		return fail_no_memory(err);
	memcpy(*ret, "logs\\", sizeof "logs\\");
	return ST_OK;
}

enum status platform_identify(const char *name, struct file_identity *ret, struct error *err)
{
	enum status st = call_for(name);

	*ret = (struct file_identity){ 0 };
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	ret->entry = text_copy(name);
	return ret->entry != NULL ? ST_OK : fail_no_memory(err);
}

bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id)
{
	(void)index;
	(void)ret;
	(void)ret_device_id;
	return false;
}

/* Whether the list has it; otherwise a place for it. Two files in one directory make one entry. */
static bool has_entry(const struct file_list *list, const char *name, size_t n)
{
	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->entry[i].name, name, n) == 0 && list->entry[i].name[n] == '\0')
			return true;
	return false;
}

enum status platform_list(const char *name, struct file_list *ret, struct error *err)
{
	size_t n = strcmp(name, ".") == 0 ? 0 : strlen(name);
	enum status st = call_for(name);

	*ret = (struct file_list){ .entry = mem_alloc(SIM_FILES_MAX * sizeof(struct file_entry)) };
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	if (ret->entry == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; i < SIM_FILES_MAX; i++) {
		const struct sim_file *file = &volume_files()[i];
		const char *rest = file->name + n, *slash;
		struct file_entry *entry = &ret->entry[ret->n];

		if (file->name[0] == '\0' || strncmp(file->name, name, n) != 0)
			continue;
		rest += n > 0 && name[n - 1] != '\\' && *rest == '\\';
		slash = strchr(rest, '\\');
		if (*rest == '\0' ||
		    has_entry(ret, rest, slash != NULL ? (size_t)(slash - rest) : strlen(rest)))
			continue;
		entry->name = text_copy_n(rest,
					  slash != NULL ? (size_t)(slash - rest) : strlen(rest));
		if (entry->name == NULL)
			return fail_no_memory(err);
		entry->directory = slash != NULL;
		entry->size_bytes = slash != NULL ? 0 : file->size;
		entry->changed.year = 2026;
		entry->changed.month = 11;
		entry->changed.day = 23;
		ret->n++;
	}
	return ST_OK;
}
