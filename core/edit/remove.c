/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which files an image has is known by the image itself; one that cannot be opened, because it is
 * damaged or unfinished, has those of its name alone. The image goes first: after a power failure
 * it is whole, or nothing is left that could be taken for it.
 */
#include "edit/remove.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "format/image.h"
#include "platform/files.h"
#include "platform/path.h"
#include "record/bmap.h"
#include "record/manifest.h"
#include "storage/split.h"

/* Adds a file if it exists. Takes `name` (NULL: there was no memory for it), on failure too. */
static enum status add(struct storage *storage, struct removal *removal, enum access_role role,
		       char *name, struct error *err)
{
	struct place place = { 0 };
	enum status st = ST_OK;

	if (name == NULL)
		return fail_no_memory(err);
	st = platform_look(name, &place, err);
	if (st == ST_OK && place.exists && removal->n == REMOVAL_FILES_MAX)
		st = fail(err, ST_UNSUPPORTED, "%s: the image has more than %d files", name,
			  REMOVAL_FILES_MAX);
	if (st == ST_OK && place.exists)
		st = storage_use(storage, role, ACCESS_REMOVE, name, err);
	if (st != ST_OK || !place.exists) {
		mem_free(name);
		return st;
	}
	removal->bytes += place.existing_bytes;
	removal->name[removal->n++] = name;
	return ST_OK;
}

/* The directory of a file, whatever the current one is. The caller frees it. */
static enum status directory_of(const char *name, char **ret, struct error *err)
{
	char *full;
	enum status st = platform_full_name(name, &full, err);

	if (st != ST_OK)
		return st;
	*ret = path_directory(full);
	mem_free(full);
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

/*
 * An image can name any file as its own, also one that others need. What is in another directory is
 * not removed with it.
 */
static enum status check_beside(const char *image, const char *name, struct error *err)
{
	char *of_image = NULL, *of_name = NULL;
	enum status st = directory_of(image, &of_image, err);

	if (st == ST_OK)
		st = directory_of(name, &of_name, err);
	if (st == ST_OK && !text_equal_nocase(of_image, of_name))
		st = fail(err, ST_REFUSED,
			  "%s: its file %s is in another directory: remove both by themselves",
			  image, name);
	mem_free(of_image);
	mem_free(of_name);
	return st;
}

/* Finds the names of the other files of an image, which the caller frees. */
static enum status find_named(struct storage *storage, const char *name, struct removal *ret,
			      struct error *err)
{
	struct image *image;
	struct error ignored; /* damaged, unfinished, or none: the file is removed all the same */
	enum status st = ST_OK;

	if (image_open(storage, name, NULL, &image, &ignored) != ST_OK)
		return ST_OK;
	ret->name = mem_alloc(image->n_files * sizeof *ret->name);
	if (ret->name == NULL)
		st = fail_no_memory(err);
	for (size_t i = 1; st == ST_OK && i < image->n_files; i++) {
		char *copy = text_copy(image->file[i].name);

		if (copy == NULL)
			st = fail_no_memory(err);
		else if (storage_is_device(copy))
			st = fail(err, ST_UNSUPPORTED, "%s: a part of it is the disk %s", name,
				  copy);
		else
			st = check_beside(name, copy, err);
		if (copy != NULL)
			ret->name[ret->n++] = copy;
	}
	image_close(image);
	return st;
}

/* Adds those files; a name that is given twice is one file. */
static enum status add_named(struct storage *storage, struct removal *removal,
			     struct removal *named, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < named->n; i++) {
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice = twice || text_equal_nocase(named->name[k], named->name[i]);
		if (!twice)
			st = add(storage, removal, ROLE_EXTENT, text_copy(named->name[i]), err);
	}
	return st;
}

static enum status add_parts(struct storage *storage, struct removal *removal, const char *name,
			     struct error *err)
{
	struct error ignored; /* the set is not complete: what there is of it is not known */
	unsigned n = 1;
	enum status st = ST_OK;

	if (split_count(name, &n, &ignored) != ST_OK)
		return ST_OK;
	for (unsigned i = 1; st == ST_OK && i < n; i++)
		st = add(storage, removal, ROLE_PART, split_name(name, i), err);
	return st;
}

enum status removal_plan(struct storage *storage, const char *image, struct removal *ret,
			 struct error *err)
{
	static const struct {
		const char *ending;
		enum access_role role;
	} records[] = { { MANIFEST_ENDING, ROLE_MANIFEST },
			{ BMAP_ENDING, ROLE_BMAP },
			{ ".resume", ROLE_JOURNAL },
			{ ".resume.new", ROLE_JOURNAL } };
	struct removal named = { 0 };
	enum status st;

	*ret = (struct removal){ 0 };
	if (storage_is_device(image))
		return fail(err, ST_INVALID, "%s is a disk or a volume, and no file", image);
	ret->name = mem_alloc(REMOVAL_FILES_MAX * sizeof *ret->name);
	if (ret->name == NULL)
		return fail_no_memory(err);
	st = find_named(storage, image, &named, err);
	storage_forget_reads(storage);
	if (st == ST_OK)
		st = add(storage, ret, ROLE_IMAGE, text_copy(image), err);
	if (st == ST_OK && ret->n == 0)
		st = fail(err, ST_NOT_FOUND, "%s: there is no such file", image);
	if (st == ST_OK)
		st = add_named(storage, ret, &named, err);
	if (st == ST_OK)
		st = add_parts(storage, ret, image, err);
	for (size_t i = 0; st == ST_OK && i < sizeof records / sizeof records[0]; i++)
		st = add(storage, ret, records[i].role, out_new("%s%s", image, records[i].ending),
			 err);
	removal_free(&named);
	return st;
}

enum status removal_run(const struct removal *removal, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < removal->n; i++)
		st = platform_remove(removal->name[i], err);
	return st;
}

void removal_free(struct removal *removal)
{
	for (size_t i = 0; i < removal->n; i++)
		mem_free(removal->name[i]);
	mem_free(removal->name);
	*removal = (struct removal){ 0 };
}
