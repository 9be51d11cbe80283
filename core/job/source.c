#include "job/source.h"

#include "part/selector.h"

/* Goes on to the next device among the sources: the image that is on it. NULL: there is none. Begins with { 0, 0 }. */
struct walk {
	size_t source, link;
};

static struct image *next_device(const struct chain *source, size_t n, struct walk *walk, uint64_t *ret_writes)
{
	while (walk->source < n) {
		const struct chain *chain = &source[walk->source];
		struct image *image = walk->link < chain->n ? chain->link[walk->link].image : NULL;

		walk->link++;
		if (image == NULL)
			*walk = (struct walk){ walk->source + 1, 0 };
		else if (blk_writes(image->file, ret_writes))
			return image;
	}
	return NULL;
}

enum status source_settle(const struct chain *source, size_t n, struct out *notes, struct error *err)
{
	struct walk walk = { 0 };
	struct image *image;
	uint64_t writes;

	while ((image = next_device(source, n, &walk, &writes)) != NULL) {
		enum status st = blk_flush(image->file);

		if (st == ST_OK)
			continue;
		error_set(err, "%s: the firmware cannot write out what it holds of the volumes on it: %s", image->name, status_text(st));
		if (notes == NULL)
			return st;
		out_printf(notes, "efi-img: %s; it will be missing\n", err->text);
	}
	return ST_OK;
}

static enum status check(const struct inventory *inventory, const struct image *image, const char *file, struct error *err)
{
	struct selection read, written;

	if (file == NULL || !selector_place(inventory, image->name, &read) || !selector_place(inventory, file, &written) ||
	    !selector_overlap(&read, &written))
		return ST_OK;
	return fail(err, ST_REFUSED, "%s: it would be on %s, which is read, and would be changed by that; choose another disk for it", file,
		    image->name);
}

enum status source_check_files(struct storage *storage, const struct chain *source, size_t n, const char *const file[], size_t n_files, struct error *err)
{
	struct walk walk = { 0 };
	const struct inventory *inventory;
	struct image *image = NULL;
	uint64_t writes;
	enum status st;

	for (size_t i = 0; i < n_files && image == NULL; i++)
		image = file[i] != NULL ? next_device(source, n, &walk, &writes) : NULL;
	if (image == NULL) /* nothing that is to be found out */
		return ST_OK;
	st = storage_inventory(storage, &inventory, err);
	if (st != ST_OK)
		return st;
	for (; st == ST_OK && image != NULL; image = next_device(source, n, &walk, &writes))
		for (size_t i = 0; st == ST_OK && i < n_files; i++)
			st = check(inventory, image, file[i], err);
	return st;
}

void source_say_writes(const struct chain *source, size_t n, struct out *out)
{
	struct walk walk = { 0 };
	const struct image *image;
	uint64_t writes;

	while ((image = next_device(source, n, &walk, &writes)) != NULL)
		out_printf(out, "efi-img: %s: %ju write%s to the source\n", image->name, writes, writes == 1 ? "" : "s");
}
