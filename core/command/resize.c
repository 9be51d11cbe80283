/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * resize: another size for the disk in an image. Shrinking needs --shrink, since it loses data;
 * growing reads as zeros (edit/resize.h).
 */
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_options.h"
#include "edit/resize.h"
#include "record/finished.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 0, "preallocation", "MODE",
	  "allocation of new space: off (default), metadata (qcow2\nonly), falloc (reserved), full "
	  "(written)" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 0, "shrink", NULL, "allow the disk to shrink: data past its new end is\nlost" },
	{ 0 },
};

static const char notes[] =
	"SIZE is the new size of the disk in bytes, or with a suffix: k, M, G, T, P or E\n"
	"(powers of 1024); with + or - before it, the difference to the current size.\n"
	"New space reads as zeros. Partitions and file systems are not changed: shrink\n"
	"them first, in the system that uses them.\n";

static enum status parse_prealloc(const struct arguments *arguments, enum prealloc *ret,
				  struct error *err)
{
	static const char *const names[] = {
		[PREALLOC_OFF] = "off",
		[PREALLOC_FALLOC] = "falloc",
		[PREALLOC_FULL] = "full",
		[PREALLOC_METADATA] = "metadata",
	};
	const char *text = arguments_has(arguments, "preallocation")
				   ? arguments_value(arguments, "preallocation")
				   : "off";

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_equal(text, names[i])) {
			*ret = (enum prealloc)i;
			return ST_OK;
		}
	return fail(err, ST_INVALID,
		    "option --preallocation: \"%s\" is none of off, metadata, falloc, full", text);
}

/* Adds "+10G" to the size `old`, or subtracts "-10G". */
static enum status parse_size(const char *text, uint64_t old, uint64_t *ret, struct error *err)
{
	bool grow = *text == '+', shrink = *text == '-';
	uint64_t n, size = 0;
	enum status st = size_parse(text + (grow || shrink), "size of the disk", &n, err);

	if (st != ST_OK)
		return st;
	if (grow && (!add_ok(old, n, &size) || size > SIZE_LIMIT))
		return fail(err, ST_TOO_LARGE,
			    "%ju bytes more than %ju exceed the largest size of a disk", n, old);
	if (shrink)
		size = n < old ? old - n : 0;
	else if (!grow)
		size = n;
	if (size == 0)
		return fail(err, ST_INVALID, "size %s: the disk has only %ju bytes", text, old);
	*ret = size;
	return ST_OK;
}

static enum status resize(const struct arguments *arguments, struct image *image, struct error *err)
{
	enum prealloc prealloc;
	uint64_t size;
	enum status st = parse_prealloc(arguments, &prealloc, err);

	if (st == ST_OK)
		st = parse_size(arguments->operands[1], image->size, &size, err);
	if (st != ST_OK)
		return st;
	if (size <= image->size && prealloc != PREALLOC_OFF)
		return fail(err, ST_INVALID,
			    "%s: option --preallocation is for growing; the disk already has %ju "
			    "bytes",
			    image->name, image->size);
	if (size < image->size && !arguments_has(arguments, "shrink"))
		return fail(err, ST_INVALID,
			    "%s: shrinking the disk of %ju bytes would lose all data past byte "
			    "%ju; --shrink allows that",
			    image->name, image->size, size);
	return resize_run(image, size, prealloc, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	const struct image_format *format;
	struct chain chain;
	struct error err;
	enum status st;

	if (arguments->n_operands != 2) {
		error_set(&err, "an image file and the new size of its disk are expected");
		return command_misused(console, "resize", &err);
	}
	st = format_option(arguments, "-f", &format, &err);
	if (st == ST_OK)
		st = chain_open_writable(console->storage, arguments->operands[0], format, 0,
					 &chain, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	st = resize(arguments, chain.link[0].image, &err);
	st = finished_close_chain(&chain, st, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	if (!arguments_has(arguments, "q"))
		out_text(console->out, "Image resized.\n");
	return EXIT_OK;
}

const struct command command_resize = {
	.name = "resize",
	.purpose = PURPOSE_IMAGES,
	.summary = "grow or shrink the disk in an image",
	.usage = "[OPTIONS] FILE [+|-]SIZE",
	.options = options,
	.notes = notes,
	.example = "resize fs0:\\mydisk.qcow2 +10G\nresize --shrink fs0:\\disk.raw 4G\n",
	.run = run,
};
