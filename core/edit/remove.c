/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which files an image has is known by the image itself; of one that cannot be opened, because it
 * is damaged or unfinished, those of its name alone are removed, and the caller is told. The image
 * goes first: after a power failure it is whole, or nothing is left that could be taken for it.
 *
 * Other files are its own if they have its name and say what they are; a file with such a name and
 * other contents is somebody's, and stays. So does a piece of another image, and the command is
 * refused.
 */
#include "edit/remove.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "base/zero.h"
#include "blk/mark.h"
#include "edit/owner.h"
#include "format/image.h"
#include "platform/files.h"
#include "platform/path.h"
#include "record/bmap.h"
#include "record/journal_text.h"
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

/* ---- records of it ---- */

struct record_kind {
	const char *ending, *word; /* of its name; near its beginning, whoever has written it */
	enum access_role role;
};

enum { LOOK_BYTES = 4096 };

/* Whether the beginning of a file is that of a record, or of one that was not completed. */
static bool is_record(const struct record_kind *kind, const char *head, uint64_t size)
{
	uint8_t id[MARK_ID_BYTES];

	if (size == 0)
		return true;
	if (kind->role == ROLE_JOURNAL)
		return mark_parse((const uint8_t *)head, MARK_RECORD, id) ||
		       (size <= MARK_BYTES && is_zero((const uint8_t *)head, MARK_BYTES)) ||
		       text_starts_with(head, kind->word);
	for (; *head != '\0'; head++)
		if (text_starts_with(head, kind->word))
			return true;
	return false;
}

/* Adds a record that has the name of the image. A foreign file of that name stays. */
static enum status add_record(struct storage *storage, struct removal *removal, const char *image,
			      const struct record_kind *kind, struct error *err)
{
	char *name = out_new("%s%s", image, kind->ending), *head = mem_alloc(LOOK_BYTES + 1);
	struct place place = { 0 };
	struct blk *blk = NULL;
	bool is = false;
	enum status st = name != NULL && head != NULL ? platform_look(name, &place, err)
						      : ST_NO_MEMORY;

	if (st == ST_NO_MEMORY)
		(void)fail_no_memory(err);
	if (st == ST_OK && place.exists)
		st = platform_open(name, OPEN_READ, &blk, err);
	if (blk != NULL) {
		st = blk_read_padded(blk, 0, head, LOOK_BYTES);
		if (st != ST_OK)
			(void)fail(err, st, "%s: reading it: %s", name, status_text(st));
		is = st == ST_OK && is_record(kind, head, blk->size);
		blk_close(blk);
	}
	mem_free(head);
	if (is)
		return add(storage, removal, kind->role, name, err);
	mem_free(name);
	return st;
}

/* Adds the journals of restores from the image, each of which has the name of a disk in its own. */
static enum status add_restores(struct storage *storage, struct removal *removal, const char *image,
				struct error *err)
{
	const char *leaf = path_leaf(image);
	struct file_list files;
	enum status st = owner_list(image, &files, err);

	for (size_t i = 0; st == ST_OK && i < files.n; i++) {
		const char *name = files.entry[i].name;
		struct record_kind kind = { NULL, journal_text_head, ROLE_JOURNAL };

		if (!text_starts_with_nocase(name, leaf))
			continue;
		kind.ending = name + text_length(leaf);
		if (text_starts_with_nocase(kind.ending, ".restore-") && journal_is_name(name))
			st = add_record(storage, removal, image, &kind, err);
	}
	owner_free_list(&files);
	return st;
}

static enum status add_records(struct storage *storage, struct removal *removal, const char *image,
			       struct error *err)
{
	const struct record_kind kinds[] = {
		{ MANIFEST_ENDING, "\"manifest-version\"", ROLE_MANIFEST },
		{ BMAP_ENDING, "<bmap", ROLE_BMAP },
		{ ".resume", journal_text_head, ROLE_JOURNAL },
		{ ".resume.new", journal_text_head, ROLE_JOURNAL },
	};
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < sizeof kinds / sizeof kinds[0]; i++)
		st = add_record(storage, removal, image, &kinds[i], err);
	return st == ST_OK ? add_restores(storage, removal, image, err) : st;
}

/* ---- files of it ---- */

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
	enum status st = image_open(storage, name, NULL, &image, &ret->why_unopened);

	/* what is damaged, unfinished or no image at all is removed all the same */
	ret->unopened = st != ST_OK && st != ST_UNSUPPORTED;
	if (st != ST_OK)
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

/* Refuses a file that another image names as its own. */
static enum status check_owners(struct storage *storage, const char *image,
				const struct removal *named, struct error *err)
{
	const char **file = mem_alloc((named->n + 1) * sizeof *file);
	enum status st;

	if (file == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; i < named->n; i++)
		file[i] = named->name[i];
	file[named->n] = image;
	st = owner_check_named(storage, image, file, named->n + 1, err);
	mem_free(file);
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

/* Files with the names of parts of a set that lacks one of them. */
struct loose_parts {
	struct storage *storage;
	struct removal *removal;
	uint64_t part_bytes;
};

/* Adds such a file, unless it is longer than a part. */
static enum status add_loose(void *user, const char *part, struct error *err)
{
	const struct loose_parts *loose = user;
	struct blk *blk;
	uint64_t size;
	enum status st = platform_open(part, OPEN_READ, &blk, err);

	if (st != ST_OK)
		return st;
	size = blk->size;
	blk_close(blk);
	return size > loose->part_bytes
		       ? ST_OK
		       : add(loose->storage, loose->removal, ROLE_PART, text_copy(part), err);
}

/* What follows the parts of a complete set has their name alone, and stays. */
static enum status add_parts(struct storage *storage, struct removal *removal, const char *name,
			     struct error *err)
{
	struct loose_parts loose = { .storage = storage, .removal = removal };
	struct blk *blk;
	unsigned n;
	enum status st = platform_open(name, OPEN_READ, &blk, err);

	if (st != ST_OK)
		return st;
	loose.part_bytes = blk->size;
	st = split_open(name, OPEN_READ, blk, &blk, err);
	if (st == ST_CORRUPT)
		return split_each_part(name, add_loose, &loose, err);
	if (st != ST_OK)
		return st;
	n = split_files_of(blk);
	blk_close(blk);
	for (unsigned i = 1; st == ST_OK && i < n; i++)
		st = add(storage, removal, ROLE_PART, split_name(name, i), err);
	return st;
}

enum status removal_plan(struct storage *storage, const char *image, struct removal *ret,
			 struct error *err)
{
	struct removal named = { 0 };
	enum status st;

	*ret = (struct removal){ 0 };
	if (storage_is_device(image))
		return fail(err, ST_INVALID, "%s is a disk or a volume, and no file", image);
	ret->name = mem_alloc(REMOVAL_FILES_MAX * sizeof *ret->name);
	if (ret->name == NULL)
		return fail_no_memory(err);
	st = owner_check_part(image, "remove", err);
	if (st == ST_OK)
		st = find_named(storage, image, &named, err);
	ret->unopened = named.unopened;
	ret->why_unopened = named.why_unopened;
	if (st == ST_OK)
		st = check_owners(storage, image, &named, err);
	storage_forget_reads(storage);
	if (st == ST_OK)
		st = add(storage, ret, ROLE_IMAGE, text_copy(image), err);
	if (st == ST_OK && ret->n == 0)
		st = fail(err, ST_NOT_FOUND, "%s: there is no such file", image);
	if (st == ST_OK)
		st = add_named(storage, ret, &named, err);
	if (st == ST_OK)
		st = add_parts(storage, ret, image, err);
	if (st == ST_OK)
		st = add_records(storage, ret, image, err);
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
