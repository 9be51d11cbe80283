/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A name becomes a blk, for every command in this place. A name is that of a file, which may be a
 * split set, or lie in an archive; a name of the shell's map, for a device; or a selector, for a
 * disk or partition. The
 * inventory of the machine is read once per command. A disk is opened anew each time that its name
 * is opened, because the caller closes it, and because the writes to it are counted from then on.
 */
#include "storage/storage.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "blk/window.h"
#include "disk/selector.h"
#include "platform/path.h"
#include "storage/archive.h"
#include "storage/split.h"
#include "storage/unfinished.h"

/* ---- the access set ---- */

/*
 * The files that the shell has redirected the output to are in use as well. Both outputs may go to
 * one file.
 */
static enum status add_output(struct storage *storage, struct access_entry *entry,
			      struct error *err)
{
	const struct access *access = &storage->access;

	if (access->n > 0 && access->entry[access->n - 1].role == ROLE_OUTPUT &&
	    access_same_file(&access->entry[access->n - 1].file, &entry->file)) {
		mem_free(entry->file.entry);
		mem_free(entry->file.node);
		return ST_OK;
	}
	entry->name = text_copy(path_leaf(entry->file.entry));
	if (entry->name != NULL)
		return access_add(&storage->access, NULL, entry, err);
	mem_free(entry->file.entry);
	mem_free(entry->file.node);
	return fail_no_memory(err);
}

static enum status add_outputs(struct storage *storage, struct error *err)
{
	struct access_entry entry = { .role = ROLE_OUTPUT, .use = ACCESS_WRITE };
	enum status st = ST_OK;

	for (unsigned i = 0; st == ST_OK && platform_output(i, &entry.file, &entry.device_id); i++)
		st = add_output(storage, &entry, err);
	return st;
}

enum status storage_begin(struct storage *storage, const struct storage *outer, struct error *err)
{
	enum status st = ST_OK;

	*storage = (struct storage){ 0 };
	access_begin(&storage->access);
	if (outer != NULL)
		st = access_inherit(&storage->access, &outer->access, err);
	if (st == ST_OK)
		st = add_outputs(storage, err);
	storage->before = platform_permit(&storage->access.permit);
	return st;
}

void storage_end(struct storage *storage)
{
	(void)platform_permit(storage->before); /* returns the permit of this storage */
	access_end(&storage->access);
	if (storage->has_inventory)
		inventory_free(&storage->inventory);
	storage->has_inventory = false;
}

enum status storage_inventory(struct storage *storage, const struct inventory **ret,
			      struct error *err)
{
	enum status st = storage->has_inventory ? ST_OK : inventory_read(&storage->inventory, err);

	storage->has_inventory = st == ST_OK;
	*ret = &storage->inventory; /* empty after a failure */
	return st;
}

static enum status open_device(const struct device *device, const char *name, struct blk **ret,
			       struct error *err)
{
	struct error why;
	enum status st = device->medium ? platform_open_device(device, ret, &why) : ST_NO_MEDIUM;

	if (st == ST_OK)
		return ST_OK;
	return fail(err, st, "%s: it cannot be opened: %s", name, status_text(st));
}

/*
 * Opens a partition as the device that the firmware has for it, so that writes to the partition are
 * counted, and not those to the rest of the disk; where there is none, as a window of the disk.
 */
static enum status open_selection(const struct selection *selection, const char *name,
				  struct blk **ret, struct error *err)
{
	const struct inventory_part *part = selection->part;
	bool own = part != NULL && part->device != NULL && part->device->blk != NULL &&
		   part->device->size_bytes == part->size_bytes;
	struct blk *disk;
	enum status st = open_device(own ? part->device : selection->disk->device, name, &disk,
				     err);

	if (st != ST_OK)
		return st;
	*ret = disk;
	if (part == NULL || own)
		return ST_OK;
	*ret = window_open(disk, &(struct window_kind){ .start = part->start_bytes,
							.size = part->size_bytes,
							.limit = part->size_bytes,
							.owns = true });
	if (*ret != NULL)
		return ST_OK;
	blk_close(disk);
	return fail_no_memory(err);
}

static enum status open_selected(struct storage *storage, const char *name, struct blk **ret,
				 struct error *err)
{
	const struct inventory *inventory;
	struct selection selection;
	enum status st = storage_inventory(storage, &inventory, err);

	if (st == ST_OK)
		st = selector_find(inventory, name, &selection, err);
	return st == ST_OK ? open_selection(&selection, name, ret, err) : st;
}

enum status storage_refuse_foreign_disk(const char *name, struct error *err)
{
	return fail(err, ST_NOT_FOUND,
		    "%s: disks are named serial=..., guid=... or path=... here; efi-img list shows "
		    "their names",
		    name);
}

/* Opens a file, with its parts, or a device by its name in the map. */
static enum status open_file(const char *name, enum open_mode mode, struct blk **ret,
			     struct error *err)
{
	struct blk *file;
	enum status st = mode == OPEN_WRITE ? platform_check_rewrite(name, err) : ST_OK;

	if (st == ST_OK)
		st = platform_open(name, mode, &file, err);
	if (st != ST_OK)
		return st;
	st = storage_is_device(name) ? ST_OK : unfinished_refuse(file, name, err);
	if (st == ST_OK)
		return split_open(name, mode, file, ret, err);
	blk_close(file);
	return st;
}

/*
 * Opens the archive that a name leads into: the longest beginning of the name that is a file, up to
 * a separator. *ret_name is the archive's name, which the caller frees. ST_NOT_FOUND: there is
 * none; the error is not set.
 */
static enum status open_archive(const char *name, struct blk **ret, char **ret_name)
{
	size_t first = path_volume_length(name);
	struct error ignored; /* that of the whole name is the one that counts */

	for (size_t n = text_length(name); n-- > first + 1;) {
		enum status st;

		if (name[n] != '/' && name[n] != '\\')
			continue;
		*ret_name = text_copy_n(name, n);
		if (*ret_name == NULL)
			return ST_NO_MEMORY;
		st = open_file(*ret_name, OPEN_READ, ret, &ignored);
		if (st == ST_OK && archive_is(*ret))
			return ST_OK;
		if (st == ST_OK)
			blk_close(*ret);
		mem_free(*ret_name);
		if (st != ST_NOT_FOUND)
			return ST_NOT_FOUND; /* a directory, or another file */
	}
	return ST_NOT_FOUND;
}

/*
 * Opens a file in an archive, for a name that no file has; `err` says so. *ret_archive is the name
 * of the archive, which the caller frees.
 */
static enum status open_in_archive(const char *name, enum open_mode mode, struct blk **ret,
				   char **ret_archive, struct error *err)
{
	struct blk *archive;
	enum status st = open_archive(name, &archive, ret_archive);

	if (st == ST_NO_MEMORY)
		return fail_no_memory(err);
	if (st != ST_OK)
		return st;
	if (mode == OPEN_WRITE)
		st = fail(err, ST_READ_ONLY,
			  "%s: files in the archive %s can only be read; unpack it first", name,
			  *ret_archive);
	else
		st = archive_open(archive, *ret_archive, name + text_length(*ret_archive) + 1, ret,
				  err);
	if (st == ST_OK)
		return ST_OK;
	blk_close(archive);
	mem_free(*ret_archive);
	return st;
}

/*
 * Opens a file, one in an archive, or a device. *ret_archive: the name of the archive, which the
 * caller frees, or NULL.
 */
static enum status open_name(const char *name, enum open_mode mode, struct blk **ret,
			     char **ret_archive, struct error *err)
{
	enum status st = open_file(name, mode, ret, err);

	*ret_archive = NULL;
	if (st != ST_NOT_FOUND || storage_is_device(name))
		return st;
	st = open_in_archive(name, mode, ret, ret_archive, err);
	if (st != ST_OK)
		*ret_archive = NULL;
	return st == ST_NOT_FOUND && path_is_foreign_disk(name)
		       ? storage_refuse_foreign_disk(name, err)
		       : st;
}

enum status storage_reopen(struct storage *storage, const char *name, enum open_mode mode,
			   struct blk **ret, struct error *err)
{
	char *archive;
	enum status st;

	if (path_is_selector(name) && mode == OPEN_WRITE)
		return fail(err, ST_UNSUPPORTED,
			    "%s is a disk or a partition, which only restore, clone, write, "
			    "convert "
			    "and dd write to",
			    name);
	if (path_is_selector(name))
		return open_selected(storage, name, ret, err);
	st = open_name(name, mode, ret, &archive, err);
	mem_free(archive);
	return st;
}

/* Adds one file; `owner`: the image that names it, or NULL. */
static enum status use_file(struct storage *storage, enum access_role role, enum access_use use,
			    const char *name, const char *owner, bool has_parts, struct error *err)
{
	struct access_entry entry = { .role = role, .use = use, .has_parts = has_parts };
	const struct inventory *inventory = NULL;
	enum status st = use != ACCESS_READ && path_is_foreign_disk(name)
				 ? storage_refuse_foreign_disk(name, err)
				 : platform_identify(name, &entry.file, err);

	if (st == ST_OK && access_has_device(&storage->access))
		st = storage_inventory(storage, &inventory, err);
	if (st == ST_OK) {
		entry.name = text_copy(name);
		entry.owner = owner != NULL ? text_copy(owner) : NULL;
		if (entry.name == NULL || (owner != NULL && entry.owner == NULL))
			st = fail_no_memory(err);
	}
	if (st == ST_OK)
		return access_add(&storage->access, inventory, &entry, err);
	mem_free(entry.name);
	mem_free(entry.owner);
	mem_free(entry.file.entry);
	mem_free(entry.file.node);
	return st;
}

static enum status use_parts(struct storage *storage, enum access_use use, const char *name,
			     unsigned n, struct error *err)
{
	enum status st = ST_OK;

	for (unsigned i = 1; st == ST_OK && i < n; i++) {
		char *part = split_name(name, i);

		if (part == NULL)
			return fail_no_memory(err);
		st = use_file(storage, ROLE_PART, use, part, NULL, false, err);
		mem_free(part);
	}
	return st;
}

static enum status add_device(struct storage *storage, const char *name, struct access_entry *entry,
			      struct error *err)
{
	entry->name = text_copy(name);
	if (entry->name == NULL)
		return fail_no_memory(err);
	return access_add(&storage->access, &storage->inventory, entry, err);
}

static enum status use_device(struct storage *storage, enum access_role role, const char *name,
			      struct error *err)
{
	struct access_entry entry = {
		.role = role, .use = ACCESS_READ, .is_device = true, .is_placed = true
	};
	const struct inventory *inventory;
	enum status st = storage_inventory(storage, &inventory, err);

	if (st == ST_OK)
		st = selector_find(inventory, name, &entry.place, err);
	if (st != ST_OK)
		return st;
	return add_device(storage, name, &entry, err);
}

/* Adds a file in `n_parts` parts. */
static enum status use_split_file(struct storage *storage, enum access_role role,
				  enum access_use use, const char *name, const char *owner,
				  unsigned n_parts, struct error *err)
{
	enum status st = use_file(storage, role, use, name, owner,
				  n_parts > 1 && use != ACCESS_READ, err);

	return st == ST_OK ? use_parts(storage, use, name, n_parts, err) : st;
}

enum status storage_use_of(struct storage *storage, enum access_role role, enum access_use use,
			   const char *name, const char *owner, struct error *err)
{
	unsigned n = 1;
	enum status st;

	if (storage_is_device(name))
		return use_device(storage, role, name, err);
	st = use == ACCESS_REMOVE ? ST_OK : split_count(name, &n, err);
	return st == ST_OK ? use_split_file(storage, role, use, name, owner, n, err) : st;
}

enum status storage_use(struct storage *storage, enum access_role role, enum access_use use,
			const char *name, struct error *err)
{
	return storage_use_of(storage, role, use, name, NULL, err);
}

enum status storage_use_split(struct storage *storage, enum access_role role, const char *name,
			      struct error *err)
{
	return use_file(storage, role, ACCESS_CREATE, name, NULL, true, err);
}

/* The boot disk and the disk of the current directory are in use as well. */
static enum status use_running(struct storage *storage, const struct inventory *inventory,
			       struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < inventory->devices.n; i++) {
		const struct device *device = &inventory->devices.device[i];
		struct access_entry entry = { .role = device->started_from ? ROLE_BOOT
									   : ROLE_CURRENT,
					      .is_device = true,
					      .is_placed = true };

		if ((!device->started_from && !device->current) ||
		    !selector_of_device(inventory, device->id, &entry.place))
			continue;
		st = add_device(storage, device->path, &entry, err);
	}
	return st;
}

enum status storage_use_target(struct storage *storage, const char *name,
			       const struct selection *selection, const struct device *opened,
			       struct error *err)
{
	struct access_entry entry = { .role = ROLE_TARGET,
				      .use = ACCESS_WRITE,
				      .is_device = true,
				      .is_placed = true,
				      .place = *selection,
				      .device_id = opened->id };
	const struct inventory *inventory;
	enum status st = storage_inventory(storage, &inventory, err);

	/* A disk is opened exclusively, even if only a part of it is written. */
	if (opened == selection->disk->device)
		entry.place.part = NULL;
	if (st == ST_OK)
		st = use_running(storage, inventory, err);
	if (st != ST_OK)
		return st;
	return add_device(storage, name, &entry, err);
}

enum status storage_use_room(struct storage *storage, const struct inventory_disk *disk,
			     const struct gpt_room *room, struct error *err)
{
	const struct inventory_part part = { .start_bytes = room->start_bytes,
					     .size_bytes = room->size_bytes };
	struct access_entry entry = { .role = ROLE_TARGET,
				      .use = ACCESS_WRITE,
				      .is_device = true,
				      .is_placed = true,
				      .place = { .disk = disk, .part = &part },
				      .device_id = disk->device->id };
	struct access_entry *added;
	enum status st = add_device(storage, disk->device->path, &entry, err);

	if (st != ST_OK)
		return st;
	added = &storage->access.entry[storage->access.n - 1];
	added->place.part = NULL; /* what is added from now on may not be on the disk at all */
	return ST_OK;
}

enum status storage_open(struct storage *storage, enum access_role role, const char *name,
			 enum open_mode mode, struct blk **ret, struct error *err)
{
	char *archive = NULL;
	enum status st;

	if (mode == OPEN_WRITE) {
		st = storage_use(storage, role, ACCESS_WRITE, name, err);
		if (st == ST_NOT_FOUND) /* or in an archive, which is only read */
			return open_in_archive(name, mode, ret, &archive, err);
		return st == ST_OK ? storage_reopen(storage, name, mode, ret, err) : st;
	}
	st = path_is_selector(name) ? open_selected(storage, name, ret, err)
				    : open_name(name, mode, ret, &archive, err);
	if (st != ST_OK)
		return st;
	if (archive != NULL)
		st = storage_use(storage, role, ACCESS_READ, archive, err);
	else if (storage_is_device(name))
		st = use_device(storage, role, name, err);
	else
		st = use_split_file(storage, role, ACCESS_READ, name, NULL, split_files_of(*ret),
				    err);
	mem_free(archive);
	if (st != ST_OK)
		blk_close(*ret);
	return st;
}

enum status storage_find_disk(const char *name, char **ret, struct error *err)
{
	struct error
		ignored; /* the file was opened before, and is no archive if it cannot be now */
	struct blk *archive;
	char *member;
	enum status st;

	if (storage_is_device(name) || open_file(name, OPEN_READ, &archive, &ignored) != ST_OK)
		return ST_NOT_FOUND;
	st = archive_is(archive) ? archive_find_disk(archive, name, &member, err) : ST_NOT_FOUND;
	blk_close(archive);
	if (st != ST_OK)
		return st;
	*ret = out_new("%s/%s", name, member);
	mem_free(member);
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

void storage_forget_reads(struct storage *storage)
{
	access_forget_reads(&storage->access);
}

bool storage_same(struct storage *storage, const char *a, const char *b)
{
	const struct inventory *inventory;
	struct selection of_a, of_b;
	struct file_identity file_a = { 0 }, file_b = { 0 };
	struct error ignored; /* a name that cannot be found is not the same as any other */
	bool same = false;

	if (storage_is_device(a) != storage_is_device(b))
		return false;
	if (storage_is_device(a))
		return storage_inventory(storage, &inventory, &ignored) == ST_OK &&
		       selector_find(inventory, a, &of_a, &ignored) == ST_OK &&
		       selector_find(inventory, b, &of_b, &ignored) == ST_OK &&
		       of_a.disk == of_b.disk && of_a.part == of_b.part;
	if (platform_identify(a, &file_a, &ignored) == ST_OK &&
	    platform_identify(b, &file_b, &ignored) == ST_OK)
		same = access_same_file(&file_a, &file_b);
	mem_free(file_a.entry);
	mem_free(file_a.node);
	mem_free(file_b.entry);
	mem_free(file_b.node);
	return same;
}

bool storage_is_device(const char *name)
{
	size_t n = path_volume_length(name);

	return path_is_selector(name) || (n > 0 && name[n] == '\0');
}
