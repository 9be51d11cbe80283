/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which image a file belongs to. The files of an image are told by the image alone: a part by the
 * length of the first file, an extent or a data file by its name in the image. So all images of the
 * directory are opened; one that cannot be names nothing. Images in other directories are not
 * looked for.
 */
#include "edit/owner.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "format/image.h"
#include "platform/files.h"
#include "platform/path.h"
#include "storage/split.h"

char *owner_beside(const char *path, const char *name)
{
	char *directory = text_copy_n(path, (size_t)(path_leaf(path) - path));
	char *ret = directory != NULL ? out_new("%s%s", directory, name) : NULL;

	mem_free(directory);
	return ret;
}

enum status owner_list(const char *path, struct file_list *ret, struct error *err)
{
	char *directory = path_directory(path);
	enum status st;

	*ret = (struct file_list){ 0 };
	if (directory == NULL)
		return fail_no_memory(err);
	st = platform_list(directory, ret, err);
	mem_free(directory);
	return st;
}

void owner_free_list(struct file_list *files)
{
	for (size_t i = 0; files->entry != NULL && i < files->n; i++)
		mem_free(files->entry[i].name);
	mem_free(files->entry);
}

enum status owner_check_part(const char *file, const char *verb, struct error *err)
{
	enum { ENDING = sizeof ".001" - 1 };
	size_t n = text_length(file);
	uint64_t number;
	unsigned n_files;
	char *whole;
	enum status st;

	if (n <= ENDING || file[n - ENDING] != '.' || !text_to_u64(file + n - ENDING + 1, &number))
		return ST_OK;
	whole = text_copy_n(file, n - ENDING);
	if (whole == NULL)
		return fail_no_memory(err);
	st = split_count(whole, &n_files, err);
	if (st == ST_OK && number < n_files)
		st = fail(err, ST_REFUSED, "%s is a part of %s; %s that", file, whole, verb);
	mem_free(whole);
	return st;
}

static enum status look_at_user(struct storage *storage, const char *user, const char *const *file,
				size_t n, struct error *err)
{
	struct error ignored; /* what cannot be opened names nothing */
	struct image *image;
	enum status st = ST_OK;

	for (size_t i = 0; i < n; i++)
		if (storage_same(storage, user, file[i]))
			return ST_OK;
	if (image_open(storage, user, NULL, &image, &ignored) != ST_OK)
		return ST_OK;
	for (size_t i = 1; st == ST_OK && i < image->n_files; i++)
		for (size_t k = 0; st == ST_OK && k < n; k++)
			if (storage_same(storage, image->file[i].name, file[k]))
				st = fail(err, ST_REFUSED,
					  "%s is a file of the image %s, which names it", file[k],
					  user);
	image_close(image);
	return st;
}

enum status owner_check_named(struct storage *storage, const char *image, const char *const *file,
			      size_t n, struct error *err)
{
	struct file_list files;
	enum status st = owner_list(image, &files, err);

	for (size_t i = 0; st == ST_OK && i < files.n; i++) {
		char *user;

		if (files.entry[i].directory)
			continue;
		user = owner_beside(image, files.entry[i].name);
		if (user == NULL)
			st = fail_no_memory(err);
		else
			st = look_at_user(storage, user, file, n, err);
		mem_free(user);
	}
	owner_free_list(&files);
	return st;
}
