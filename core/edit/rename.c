/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Renaming an image. A power failure between two steps must leave nothing that looks whole under a
 * wrong name, and nothing that cannot be completed by the same command:
 *
 * 1. The manifest is written anew, under its new name and about the new name, and read back. Until
 *    the image has that name, it is about no file.
 * 2. The parts of a split image, from .001 on. The lengths of its files tell that a part is missing
 *    (storage/split.h), so from the first of them on the image is refused under its old name, and
 *    under the new one there is none.
 * 3. The file that is the image. Now it is whole under the new name, and only there.
 * 4. The block map, which does not have the name inside. Until then the image has none, and is
 *    restored as a whole.
 * 5. The old manifest, which is about no file any more, is removed.
 *
 * An image that names its own files (extents of a VMDK, a data file) is refused: renamed alone, it
 * would share the names of these with the next image of its old name. So are files that others
 * name, and an unfinished image, whose journals have its name.
 */
#include "edit/rename.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "blk/out_file.h"
#include "edit/owner.h"
#include "format/image.h"
#include "format/image_name.h"
#include "platform/files.h"
#include "platform/path.h"
#include "record/bmap.h"
#include "record/finished.h"
#include "record/manifest.h"
#include "storage/split.h"

/* ---- names ---- */

static enum status exists(const char *name, bool *ret, struct error *err)
{
	struct place place = { 0 };
	enum status st = platform_look(name, &place, err);

	*ret = st == ST_OK && place.exists;
	return st;
}

static enum status size_of(const char *name, uint64_t *ret, struct error *err)
{
	struct blk *file;
	enum status st = platform_open(name, OPEN_READ, &file, err);

	if (st != ST_OK)
		return st;
	*ret = file->size;
	blk_close(file);
	return ST_OK;
}

static enum status refuse_existing(const char *name, struct error *err)
{
	return fail(err, ST_EXISTS, "%s exists already; choose another name", name);
}

/* ---- what the image is ---- */

/* Journals have the name of their image: an unfinished copy could not be continued. */
static enum status check_finished(const char *image, const struct file_list *files,
				  struct error *err)
{
	const char *leaf = path_leaf(image);
	size_t n = text_length(leaf);

	for (size_t i = 0; files->entry != NULL && i < files->n; i++) {
		const char *name = files->entry[i].name;

		if (!text_starts_with_nocase(name, leaf))
			continue;
		if (text_equal_nocase(name + n, ".resume") ||
		    text_equal_nocase(name + n, ".resume.new"))
			return fail(err, ST_REFUSED,
				    "%s: its capture is not finished, as the journal %s tells; "
				    "continue it first ('efi-img info %s' prints how)",
				    image, name, image);
		if (text_starts_with_nocase(name + n, ".restore-"))
			return fail(err, ST_REFUSED,
				    "%s: a restore from it was interrupted, and the journal %s "
				    "has its name; continue that first, or remove the journal",
				    image, name);
	}
	return ST_OK;
}

/* Sets what is known of the image, and refuses one that names its own files. */
static enum status look_at_image(struct storage *storage, const char *name, struct renaming *ret,
				 struct error *err)
{
	struct image *image;
	enum status st = image_open(storage, name, NULL, &image, err);

	if (st != ST_OK)
		return st;
	ret->format = image->format->name;
	if (image->n_files > 1)
		st = fail(err, ST_REFUSED,
			  "%s names its file %s, which would keep its name; convert it instead, "
			  "which gives all files the new name: efi-img convert -O %s %s ...",
			  name, image->file[1].name, image->format->name, name);
	image_close(image);
	return st;
}

/* ---- who names it ---- */

static enum status add_user(struct renaming *ret, const char *name, struct error *err)
{
	char *copy = text_copy(name);

	if (copy == NULL)
		return fail_no_memory(err);
	ret->user[ret->n_users++] = copy;
	return ST_OK;
}

/* Looks whether `user` names the image: as one of its own files, or as its backing file. */
static enum status look_at_user(struct storage *storage, const char *image, const char *user,
				struct renaming *ret, struct error *err)
{
	const struct image_format *format;
	struct error ignored; /* what cannot be opened names nothing */
	struct image *opened;
	char *backing = NULL, *path = NULL;
	enum status st = ST_OK;

	if (storage_same(storage, user, image) ||
	    image_open(storage, user, NULL, &opened, &ignored) != ST_OK)
		return ST_OK;
	for (size_t i = 1; st == ST_OK && i < opened->n_files; i++)
		if (storage_same(storage, opened->file[i].name, image))
			st = fail(err, ST_REFUSED, "%s is a file of the image %s, which names it",
				  image, user);
	if (st == ST_OK && opened->backing_name != NULL &&
	    image_name_resolve(opened->backing_name, &backing, &format, &ignored) == ST_OK) {
		path = path_relative_to(user, backing);
		if (path == NULL)
			st = fail_no_memory(err);
		else if (storage_same(storage, path, image))
			st = add_user(ret, user, err);
	}
	mem_free(path);
	mem_free(backing);
	image_close(opened);
	return st;
}

static enum status look_at_users(struct storage *storage, const char *image,
				 const struct file_list *files, struct renaming *ret,
				 struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < files->n && ret->n_users < RENAME_USERS_MAX; i++) {
		char *user;

		if (files->entry[i].directory)
			continue;
		user = owner_beside(image, files->entry[i].name);
		if (user == NULL)
			return fail_no_memory(err);
		st = look_at_user(storage, image, user, ret, err);
		mem_free(user);
	}
	return st;
}

static enum status look_at_directory(struct storage *storage, const char *image,
				     struct renaming *ret, struct error *err)
{
	struct file_list files;
	enum status st = owner_list(image, &files, err);

	if (st == ST_OK)
		st = check_finished(image, &files, err);
	if (st == ST_OK)
		st = look_at_users(storage, image, &files, ret, err);
	owner_free_list(&files);
	return st;
}

/* ---- steps ---- */

/* Takes both names (NULL: there was no memory for one), on failure too. */
static enum status add_step(struct renaming *ret, char *from, char *to, struct error *err)
{
	if (from != NULL && to != NULL) {
		ret->step[ret->n++] = (struct rename_step){ from, to };
		return ST_OK;
	}
	mem_free(from);
	mem_free(to);
	return fail_no_memory(err);
}

/* Adds the files of all steps to the access set; the last one is the image. */
static enum status use_steps(struct storage *storage, const struct renaming *renaming,
			     struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < renaming->n; i++) {
		const struct rename_step *step = &renaming->step[i];
		enum access_role role = i + 1 < renaming->n ? ROLE_PART : ROLE_IMAGE;

		st = storage_use(storage, role, ACCESS_REMOVE, step->from, err);
		if (st == ST_OK)
			st = storage_use(storage, role, ACCESS_CREATE, step->to, err);
	}
	return st;
}

/*
 * Adds the next part. *ret_size is the size of the file before it, and becomes its own.
 * ST_NOT_FOUND: there is no such part. An interrupted run has renamed parts from the first one on;
 * any other file of such a name belongs to somebody else.
 */
static enum status add_part(struct renaming *ret, char *from, char *to, uint64_t part_bytes,
			    uint64_t *ret_size, struct error *err)
{
	bool is_old = false, is_new = false;
	uint64_t before = *ret_size;
	enum status st = ST_OK;

	if (from == NULL || to == NULL)
		st = fail_no_memory(err);
	if (st == ST_OK)
		st = exists(from, &is_old, err);
	if (st == ST_OK)
		st = exists(to, &is_new, err);
	if (st == ST_OK && !is_old && !is_new)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = size_of(is_old ? from : to, ret_size, err);
	if (st == ST_OK && is_new && (is_old || ret->n > 0 || before != part_bytes))
		st = refuse_existing(to, err);
	if (st == ST_OK && is_old)
		return add_step(ret, from, to, err);
	ret->n_done += st == ST_OK;
	mem_free(from);
	mem_free(to);
	return st;
}

static enum status add_parts(struct renaming *ret, const char *image, const char *to,
			     struct error *err)
{
	uint64_t part_bytes, size;
	enum status st = size_of(image, &part_bytes, err);

	if (st != ST_OK || part_bytes % SPLIT_UNIT != SPLIT_MARK)
		return st;
	size = part_bytes;
	for (unsigned i = 1; st == ST_OK && i < SPLIT_PARTS_MAX; i++)
		st = add_part(ret, split_name(image, i), split_name(to, i), part_bytes, &size, err);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if (ret->n_done > 0 && size == part_bytes)
		return fail(err, ST_CORRUPT, "%s: a part of it is missing", image);
	return ST_OK;
}

/* Whether a file is what an interrupted run has written of the new manifest. */
static enum status is_begun(const char *file, const struct renaming *renaming, bool *ret,
			    struct error *err)
{
	struct blk *blk;
	char *text;
	size_t n;
	enum status st = platform_open(file, OPEN_READ, &blk, err);

	*ret = false;
	if (st != ST_OK)
		return st;
	n = (size_t)blk->size;
	if (blk->size <= renaming->n_manifest_text) {
		text = mem_alloc(n + 1);
		st = text != NULL ? blk_read(blk, 0, text, n) : ST_NO_MEMORY;
		*ret = st == ST_OK && memcmp(text, renaming->manifest_text, n) == 0;
		mem_free(text);
		if (st != ST_OK)
			st = fail(err, st, "reading %s: %s", file, status_text(st));
	}
	blk_close(blk);
	return st;
}

static enum status add_manifest(struct storage *storage, struct renaming *ret, const char *image,
				const char *to, struct error *err)
{
	bool found = false, begun = false;
	char *manifest = out_new("%s" MANIFEST_ENDING, image),
	     *new_manifest = out_new("%s" MANIFEST_ENDING, to);
	enum status st = ST_OK;

	if (manifest == NULL || new_manifest == NULL)
		st = fail_no_memory(err);
	if (st == ST_OK)
		st = exists(manifest, &found, err);
	if (st == ST_OK)
		st = exists(new_manifest, &ret->has_new_manifest, err);
	if (st == ST_OK && found)
		st = manifest_text_renamed(manifest, image, path_leaf(to), &ret->manifest_text,
					   &ret->n_manifest_text, err);
	if (st == ST_OK && found && ret->has_new_manifest)
		st = is_begun(new_manifest, ret, &begun, err);
	if (st == ST_OK && ret->has_new_manifest && !begun)
		st = refuse_existing(new_manifest, err);
	if (st == ST_OK && found)
		st = storage_use(storage, ROLE_MANIFEST, ACCESS_REMOVE, manifest, err);
	if (st == ST_OK && found)
		st = storage_use(storage, ROLE_MANIFEST, ACCESS_CREATE, new_manifest, err);
	if (st == ST_OK && found) {
		ret->manifest = manifest;
		ret->new_manifest = new_manifest;
		return ST_OK;
	}
	mem_free(manifest);
	mem_free(new_manifest);
	return st;
}

/*
 * Adds the block map, if there is one. One that has the new name already belongs to another image,
 * and would be taken for that of this one.
 */
static enum status add_block_map(struct storage *storage, struct renaming *ret, const char *image,
				 const char *to, struct error *err)
{
	char *from = out_new("%s" BMAP_ENDING, image), *new_map = out_new("%s" BMAP_ENDING, to);
	bool found = false, taken = false;
	enum status st = ST_OK;

	if (from == NULL || new_map == NULL)
		st = fail_no_memory(err);
	if (st == ST_OK)
		st = exists(from, &found, err);
	if (st == ST_OK)
		st = exists(new_map, &taken, err);
	if (st == ST_OK && taken)
		st = refuse_existing(new_map, err);
	if (st == ST_OK && found)
		st = storage_use(storage, ROLE_BMAP, ACCESS_REMOVE, from, err);
	if (st == ST_OK && found)
		st = storage_use(storage, ROLE_BMAP, ACCESS_CREATE, new_map, err);
	if (st == ST_OK && found)
		return add_step(ret, from, new_map, err);
	mem_free(from);
	mem_free(new_map);
	return st;
}

/* Whether the block map with the old name is that of the image, which has the new one. */
static bool is_map_of(struct storage *storage, const char *image, const char *to)
{
	char *file = out_new("%s" BMAP_ENDING, image);
	struct bmap map;
	struct image *opened;
	struct error ignored; /* then it is none, and stays */
	bool is = false;

	if (file != NULL && image_open(storage, to, NULL, &opened, &ignored) == ST_OK) {
		is = bmap_read(&map, file, to, opened->size, &ignored) == ST_OK;
		if (is)
			bmap_close(&map);
		image_close(opened);
	}
	storage_forget_reads(storage);
	mem_free(file);
	return is;
}

/* ---- the plan ---- */

static enum status check_name(const char *image, const char *name, struct error *err)
{
	if (storage_is_device(image))
		return fail(err, ST_INVALID, "%s is a disk or a volume, and no file", image);
	for (const char *s = name; *s != '\0'; s++)
		if (*s == '\\' || *s == '/' || *s == ':')
			return fail(err, ST_INVALID,
				    "%s: the new name is without a directory: the image stays in "
				    "its own",
				    name);
	if (name[0] == '\0')
		return fail(err, ST_INVALID, "the new name is empty");
	return owner_check_part(image, "rename", err);
}

/* Plans what is left to do of a run that was interrupted when the image had the new name. */
static enum status plan_rest(struct storage *storage, const char *image, const char *to,
			     struct renaming *ret, struct error *err)
{
	bool is_new;
	enum status st = exists(to, &is_new, err);

	ret->is_rest = true;
	if (st == ST_OK && is_new)
		st = add_manifest(storage, ret, image, to, err);
	if (st == ST_OK && is_new && is_map_of(storage, image, to))
		st = add_block_map(storage, ret, image, to, err);
	if (st == ST_OK && ret->n == 0 && !(ret->has_new_manifest && ret->manifest != NULL))
		st = ST_NOT_FOUND;
	if (st != ST_OK)
		return fail(err, ST_NOT_FOUND, "%s: there is no such file", image);
	return ST_OK;
}

static enum status plan_all(struct storage *storage, const char *image, char *to,
			    struct renaming *ret, struct error *err)
{
	bool taken;
	enum status st = exists(to, &taken, err);

	if (st == ST_OK && taken)
		st = refuse_existing(to, err);
	if (st == ST_OK)
		st = look_at_directory(storage, image, ret, err);
	if (st == ST_OK)
		st = add_parts(ret, image, to, err);
	/* with parts under either name, it was opened by the run that was interrupted */
	if (st == ST_OK && ret->n_done == 0)
		st = look_at_image(storage, image, ret, err);
	storage_forget_reads(storage);
	if (st == ST_OK)
		st = add_step(ret, text_copy(image), text_copy(to), err);
	if (st == ST_OK)
		st = use_steps(storage, ret, err);
	if (st == ST_OK)
		st = add_block_map(storage, ret, image, to, err);
	return st == ST_OK ? add_manifest(storage, ret, image, to, err) : st;
}

enum status renaming_plan(struct storage *storage, const char *image, const char *name,
			  struct renaming *ret, struct error *err)
{
	bool found;
	char *to = NULL;
	enum status st = check_name(image, name, err);

	*ret = (struct renaming){ 0 };
	if (st == ST_OK) {
		to = owner_beside(image, name);
		ret->step = mem_alloc((SPLIT_PARTS_MAX + 1) * sizeof *ret->step);
		if (to == NULL || ret->step == NULL)
			st = fail_no_memory(err);
	}
	if (st == ST_OK)
		st = exists(image, &found, err);
	if (st == ST_OK)
		st = found ? plan_all(storage, image, to, ret, err)
			   : plan_rest(storage, image, to, ret, err);
	mem_free(to);
	return st;
}

/* ---- the run ---- */

static enum status write_manifest(const struct renaming *renaming, struct error *err)
{
	const char *file = renaming->new_manifest;
	struct finished finished = { 0 };
	struct out_file text;
	struct blk *blk;
	enum status st = platform_create(file, renaming->has_new_manifest, &blk, err);

	if (st != ST_OK)
		return st;
	out_file_begin(&text, blk);
	text.out.write(&text.out, renaming->manifest_text, renaming->n_manifest_text);
	st = out_file_end(&text);
	if (st != ST_OK)
		st = fail(err, st, "writing %s: %s", file, status_text(st));
	else
		st = finished_add(&finished, file, blk, err);
	blk_close(blk);
	if (st == ST_OK)
		return finished_check(&finished, err);
	finished_free(&finished);
	return st;
}

enum status renaming_run(const struct renaming *renaming, struct error *err)
{
	enum status st = ST_OK;

	if (renaming->manifest != NULL && !renaming->is_rest)
		st = write_manifest(renaming, err);
	for (size_t i = 0; st == ST_OK && i < renaming->n; i++) {
		st = platform_rename(renaming->step[i].from, renaming->step[i].to, err);
		if (st != ST_OK && renaming->n_done + i > 0)
			error_add(err,
				  "; %zu of %zu files have the new name: the same command "
				  "renames the others",
				  renaming->n_done + i, renaming->n_done + renaming->n);
	}
	if (st == ST_OK && renaming->manifest != NULL)
		st = platform_remove(renaming->manifest, err);
	return st;
}

void renaming_free(struct renaming *renaming)
{
	for (size_t i = 0; i < renaming->n; i++) {
		mem_free(renaming->step[i].from);
		mem_free(renaming->step[i].to);
	}
	for (size_t i = 0; i < renaming->n_users; i++)
		mem_free(renaming->user[i]);
	mem_free(renaming->step);
	mem_free(renaming->manifest);
	mem_free(renaming->new_manifest);
	mem_free(renaming->manifest_text);
	*renaming = (struct renaming){ 0 };
}
