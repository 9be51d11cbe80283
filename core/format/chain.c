/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains of backing files. The links are opened from the first image on, each by the name that the
 * one before has for it, relative to that one's own; they are loaded in that order too, since an
 * image reads its backing file only when its disk is read.
 *
 * A name that leads to a file that is in the chain already would never end: each new link is
 * compared with all before it, as files and not as names, and the length is bounded as well.
 */
#include "format/chain.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/image_name.h"
#include "platform/files.h"
#include "platform/path.h"
#include "storage/storage.h"

/* Which links are opened for writing. */
struct writable {
	size_t index[2];
};

static const struct writable none_writable = { { SIZE_MAX, SIZE_MAX } };

/* Whether the archive of that name was opened as the disk in it. */
static bool is_in_archive(const struct image *image, const char *name)
{
	return text_starts_with(image->name, name) && image->name[text_length(name)] == '/';
}

/* Opens one more link; `name`, that of a file, becomes the chain's. */
static enum status append(struct storage *storage, enum access_role role, struct chain *chain,
			  char *name, const struct image_format *format,
			  const struct writable *writable, struct error *err)
{
	bool write = chain->n == writable->index[0] || chain->n == writable->index[1];
	struct image *image = NULL;
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < chain->n; i++)
		if (storage_same(storage, chain->link[i].name, name))
			st = fail(err, ST_CORRUPT,
				  "%s: the chain of backing files is a loop: it comes back to this "
				  "file",
				  name);
	if (st == ST_OK && chain->n == CHAIN_LENGTH_MAX)
		st = fail(err, ST_CORRUPT, "%s: the chain of backing files has more than %d files",
			  name, CHAIN_LENGTH_MAX);
	if (st == ST_OK)
		st = image_open_file(storage, role, name, format, write ? OPEN_WRITE : OPEN_READ,
				     &image, err);
	if (st != ST_OK) {
		mem_free(name);
		return st;
	}
	if (is_in_archive(image, name)) {
		mem_free(name);
		name = text_copy(image->name);
	}
	if (name == NULL) {
		image_close(image);
		return fail_no_memory(err);
	}
	chain->link[chain->n].name = name;
	chain->link[chain->n++].image = image;
	return ST_OK;
}

/*
 * The name of the file and the format of an image's backing file; the name is freed by the caller.
 * As in QEMU, the format that is given beside the name counts.
 */
static enum status find_backing(const struct image *image, char **ret_name,
				const struct image_format **ret_format, struct error *err)
{
	const struct image_format *named;
	struct error why;
	char *name = path_relative_to(image->name, image->backing_name);
	enum status st;

	if (name == NULL)
		return fail_no_memory(err);
	st = image_name_resolve(name, ret_name, &named, &why);
	mem_free(name);
	if (st != ST_OK)
		return fail(err, st, "%s: %s", image->name, why.text);
	*ret_format = named;
	if (image->backing_format != NULL)
		st = image_format_get(image->backing_format, "backing file format", ret_format,
				      &why);
	if (st == ST_OK) {
		/* Once more: without its volume, a full name is one on that of the image. */
		name = *ret_name;
		*ret_name = name[0] == '/' || name[0] == '\\' ? path_relative_to(image->name, name)
							      : text_copy(name);
		st = *ret_name != NULL ? ST_OK : fail_no_memory(&why);
		mem_free(name);
	} else {
		mem_free(*ret_name);
	}
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

/* Opens the backing file of the last link. */
static enum status append_backing(struct storage *storage, struct chain *chain,
				  const struct writable *writable, struct error *err)
{
	const struct image *front = chain->link[chain->n - 1].image;
	const struct image_format *format;
	struct error why;
	char *name;
	enum status st = find_backing(front, &name, &format, err);

	if (st != ST_OK)
		return st;
	st = append(storage, ROLE_BACKING_FILE, chain, name, format, writable, &why);
	return st == ST_OK ? ST_OK : fail(err, st, "backing file of %s: %s", front->name, why.text);
}

static enum status open_links(struct storage *storage, enum access_role role, const char *name,
			      const struct image_format *format, bool whole,
			      const struct writable *writable, struct chain *ret, struct error *err)
{
	struct chain chain = { .link = mem_alloc(CHAIN_LENGTH_MAX * sizeof *chain.link) };
	const struct image_format *named;
	char *file;
	enum status st;

	if (chain.link == NULL)
		return fail_no_memory(err);
	st = image_name_resolve(name, &file, &named, err);
	if (st != ST_OK) {
		mem_free(chain.link);
		return st;
	}
	st = append(storage, role, &chain, file, format != NULL ? format : named, writable, err);
	while (st == ST_OK && whole && chain.link[chain.n - 1].image->backing_name != NULL)
		st = append_backing(storage, &chain, writable, err);
	if (st != ST_OK) {
		chain_close(&chain);
		return st;
	}
	*ret = chain;
	return ST_OK;
}

enum status chain_open(struct storage *storage, enum access_role role, const char *name,
		       const struct image_format *format, bool whole, struct chain *ret,
		       struct error *err)
{
	return open_links(storage, role, name, format, whole, &none_writable, ret, err);
}

void chain_close(struct chain *chain)
{
	for (size_t i = 0; i < chain->n; i++) {
		image_close(chain->link[i].image);
		mem_free(chain->link[i].name);
	}
	mem_free(chain->link);
	*chain = (struct chain){ 0 };
}

enum status chain_load(struct chain *chain, const size_t *snapshot, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < chain->n; i++) {
		struct image *image = chain->link[i].image;

		image->backing = i + 1 < chain->n ? chain->link[i + 1].image : NULL;
		st = i == 0 && snapshot != NULL ? image_load_snapshot(image, *snapshot, err)
						: image_load(image, err);
	}
	return st;
}

static enum status open_disk(struct storage *storage, enum access_role role, const char *name,
			     const struct image_format *format, const struct writable *writable,
			     struct chain *ret, struct error *err)
{
	struct chain chain;
	enum status st = open_links(storage, role, name, format, true, writable, &chain, err);

	if (st != ST_OK)
		return st;
	st = chain_load(&chain, NULL, err);
	if (st != ST_OK) {
		chain_close(&chain);
		return st;
	}
	*ret = chain;
	return ST_OK;
}

enum status chain_open_disk(struct storage *storage, const char *name,
			    const struct image_format *format, struct chain *ret, struct error *err)
{
	return open_disk(storage, ROLE_IMAGE, name, format, &none_writable, ret, err);
}

enum status chain_open_writable(struct storage *storage, const char *name,
				const struct image_format *format, size_t also, struct chain *ret,
				struct error *err)
{
	return open_disk(storage, ROLE_IMAGE, name, format, &(struct writable){ { 0, also } }, ret,
			 err);
}

enum status chain_open_backing(struct image *image, struct chain *ret, struct error *err)
{
	const struct image_format *format;
	struct error why;
	char *name;
	enum status st;

	*ret = (struct chain){ 0 };
	if (image->backing_name == NULL)
		return ST_OK;
	st = find_backing(image, &name, &format, err);
	if (st != ST_OK)
		return st;
	st = open_disk(image->storage, ROLE_BACKING_FILE, name, format, &none_writable, ret, &why);
	mem_free(name);
	if (st != ST_OK)
		return fail(err, st, "backing file of %s: %s", image->name, why.text);
	image->backing = ret->link[0].image;
	return ST_OK;
}
