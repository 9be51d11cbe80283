/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bitmap: changes persistent dirty bitmaps. Actions are done in the order of the command line, as
 * qemu-img does, in one open image.
 */
#include "base/size.h"
#include "cli/command.h"
#include "cli/image_options.h"
#include "edit/bitmaps.h"
#include "platform/files.h"
#include "record/finished.h"
#include "storage/storage.h"

/* the actions: the first options, by index */
enum { ADD, REMOVE, CLEAR, ENABLE, DISABLE, MERGE, N_ACTIONS };

static const struct option options[] = {
	[ADD] = { 0, "add", NULL, "add a bitmap, which records all writes from now on" },
	[REMOVE] = { 0, "remove", NULL, "delete the bitmap" },
	[CLEAR] = { 0, "clear", NULL, "clear all bits" },
	[ENABLE] = { 0, "enable", NULL, "record writes from now on" },
	[DISABLE] = { 0, "disable", NULL, "stop recording" },
	[MERGE] = { 0, "merge", "SOURCE", "add the bits of the bitmap SOURCE to NAME" },
	{ 'b', "source-file", "FILE", "the image that has SOURCE, with a disk of this size" },
	{ 'F', "source-format", "FMT", "its format (default: detected)" },
	{ 'g', "granularity", "SIZE",
	  "bytes per bit of a new bitmap: a power of two, 512 to\n"
	  "2G (default: the cluster size, but 4k to 64k)" },
	{ 'f', "format", "FMT", "format of FILE (default: detected)" },
	{ 0 },
};

static const char notes[] =
	"Bitmaps record which parts of a disk were written, for incremental backups;\n"
	"`info` lists them. Several actions are done in the order of the command line.\n"
	"While an image is being written, its bitmaps are marked \"in-use\". A bitmap that\n"
	"is still marked so after a power cut or a failure can only be removed.\n";

/* Opens the image of -b, otherwise takes the one that is changed. */
static enum status merge(struct image *image, size_t index, struct image *source, const char *name,
			 struct error *err)
{
	size_t from;
	enum status st = bitmaps_get(source, name, &from, err);

	return st == ST_OK ? bitmaps_merge(image, index, source, from, err) : st;
}

static enum status add(struct image *image, const char *name, uint64_t granularity,
		       struct error *err)
{
	if (granularity == 0)
		granularity = bitmaps_granularity(image);
	return image->format->bitmaps.add(image, name, granularity, true, true, err);
}

static enum status act(struct image *image, size_t action, const char *name, uint64_t granularity,
		       struct image *source, const char *source_name, struct error *err)
{
	const struct bitmap_ops *ops = &image->format->bitmaps;
	struct error why;
	size_t index = 0;
	enum status st = ST_OK;

	if (action != ADD && !(action == REMOVE && bitmaps_find(image, name, &index)))
		st = bitmaps_get(image, name, &index, err);
	if (st != ST_OK || action == MERGE)
		return st == ST_OK ? merge(image, index, source, source_name, err) : st;
	switch (action) {
	case ADD:
		st = add(image, name, granularity, &why);
		break;
	case REMOVE:
		st = ops->remove(image, index, &why);
		break;
	case CLEAR:
		st = ops->clear(image, index, &why);
		break;
	default:
		st = ops->set_automatic(image, index, action == ENABLE, &why);
		break;
	}
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

static enum status check_options(const struct arguments *arguments, uint64_t *ret_granularity,
				 struct error *err)
{
	unsigned n = 0;
	enum status st = ST_OK;

	*ret_granularity = 0;
	for (size_t i = 0; i < N_ACTIONS; i++)
		n += arguments->given[i].count;
	if (n == 0)
		return fail(err, ST_INVALID,
			    "no action given: --add, --remove, --clear, --enable, --disable or "
			    "--merge");
	if (arguments_has(arguments, "b") && !arguments_has(arguments, "merge"))
		return fail(err, ST_INVALID, "option -b needs --merge");
	if (arguments_has(arguments, "F") && !arguments_has(arguments, "b"))
		return fail(err, ST_INVALID, "option -F needs -b");
	if (arguments_has(arguments, "g"))
		st = size_parse(arguments_value(arguments, "g"), "option -g", ret_granularity, err);
	if (st == ST_OK && *ret_granularity != 0 && !arguments_has(arguments, "add"))
		return fail(err, ST_INVALID,
			    "option -g needs --add: the granularity of a bitmap cannot be changed");
	return st;
}

static enum status act_all(const struct arguments *arguments, struct image *image,
			   struct image *source, uint64_t granularity, struct error *err)
{
	enum status st = image_load(image, err);

	for (size_t i = 0; st == ST_OK && i < arguments->n_values; i++)
		if (arguments->values[i].option < N_ACTIONS)
			st = act(image, arguments->values[i].option, arguments->operands[1],
				 granularity, source != NULL ? source : image,
				 arguments->values[i].value, err);
	return st;
}

static enum status bitmap(struct storage *storage, const struct arguments *arguments,
			  struct error *err)
{
	const struct image_format *format, *source_format;
	struct image *image = NULL, *source = NULL;
	uint64_t granularity;
	enum status st = check_options(arguments, &granularity, err);

	if (st == ST_OK)
		st = format_option(arguments, "-f", &format, err);
	if (st == ST_OK)
		st = format_option(arguments, "-F", &source_format, err);
	if (st == ST_OK)
		st = image_open_file(storage, ROLE_IMAGE, arguments->operands[0], format,
				     OPEN_WRITE, &image, err);
	if (st == ST_OK && image->format->bitmaps.run == NULL)
		st = fail(err, ST_UNSUPPORTED, "%s: images of format %s have no bitmaps",
			  image->name, image->format->name);
	if (st == ST_OK && arguments_has(arguments, "b")) {
		st = image_open(storage, arguments_value(arguments, "b"), source_format, &source,
				err);
		if (st == ST_OK)
			st = image_load(source, err);
	}
	if (st == ST_OK)
		st = act_all(arguments, image, source, granularity, err);
	image_close(source);
	return finished_close_image(image, st, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct error err;

	if (arguments->n_operands != 2) {
		error_set(&err, "an image file and the name of a bitmap are expected");
		return command_misused(console, "bitmap", &err);
	}
	return bitmap(console->storage, arguments, &err) == ST_OK ? EXIT_OK
								  : command_failed(console, &err);
}

const struct command command_bitmap = {
	.name = "bitmap",
	.purpose = PURPOSE_EXPERT,
	.summary = "change dirty bitmaps, which record writes to a disk",
	.usage = "ACTION... [OPTIONS] FILE NAME",
	.options = options,
	.notes = notes,
	.example = "bitmap --add fs0:\\vm.qcow2 since-monday\nbitmap --merge since-monday "
		   "fs0:\\vm.qcow2 since-january\n",
	.run = run,
};
