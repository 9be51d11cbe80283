/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The disks among the sources. The firmware may hold data of mounted volumes that is not on the
 * disk yet: it is asked to write that out before anything is read. Afterwards the count of writes
 * to each source proves that this program has written nothing to it.
 */
#include "copy/source.h"

/*
 * Advances to the next device among the sources: the image that is on it. NULL: there is none.
 * Begins with { 0, 0 }.
 */
struct walk {
	size_t source, link;
};

static struct image *next_device(const struct chain *source, size_t n, struct walk *walk)
{
	while (walk->source < n) {
		const struct chain *chain = &source[walk->source];
		struct image *image = walk->link < chain->n ? chain->link[walk->link].image : NULL;

		walk->link++;
		if (image == NULL)
			*walk = (struct walk){ walk->source + 1, 0 };
		else if (image->file[0].blk->device != NULL)
			return image;
	}
	return NULL;
}

enum status source_settle(const struct chain *source, size_t n, struct warnings *warnings,
			  struct error *err)
{
	struct walk walk = { 0 };
	struct image *image;

	while ((image = next_device(source, n, &walk)) != NULL) {
		enum status st = blk_flush(image->file[0].blk);

		if (st == ST_OK)
			continue;
		error_set(err,
			  "%s: the firmware cannot flush its cached data of the volumes on it: %s",
			  image->name, status_text(st));
		if (warnings == NULL)
			return st;
		warn(warnings, "%s; it will be missing", err->text);
	}
	return ST_OK;
}

void source_print_writes(const struct chain *source, size_t n, struct out *out)
{
	struct walk walk = { 0 };
	const struct image *image;

	while ((image = next_device(source, n, &walk)) != NULL) {
		uint64_t writes = image->file[0].blk->device->n_writes;

		out_printf(out, "efi-img: %s: %ju write%s to the source\n", image->name, writes,
			   writes == 1 ? "" : "s");
	}
}
