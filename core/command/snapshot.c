/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_options.h"
#include "edit/snapshots.h"
#include "platform/files.h"
#include "record/finished.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the image (preset: what its first bytes say)" },
	{ 'l', "list", NULL, "list the snapshots (preset)" },
	{ 'c', "create", "NAME", "make a snapshot of the disk as it is now" },
	{ 'a', "apply", "ID|NAME",
	  "make the disk what it was at a snapshot; what it is\nnow is lost, unless it has a "
	  "snapshot too" },
	{ 'd', "delete", "NAME", "delete a snapshot" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 'U', "force-share", NULL, "accepted as in qemu-img; there are no locks here" },
	{ 0 },
};

static const char notes[] =
	"Names need not be different: the first one in the list is meant then. If the\n"
	"power fails, the image is as it was before or as it should be after. It may\n"
	"have lost some space then, which \"check -r leaks\" gets back.\n";

static enum status change(struct image *image, const struct arguments *arguments, struct error *err)
{
	const struct snapshot_ops *ops = &image->format->snapshots;
	const char *name;
	struct error why;
	size_t index = 0;
	enum status st = image_load(image, err);

	if (st != ST_OK)
		return st;
	if (arguments_has(arguments, "c")) {
		st = ops->create(image, arguments_value(arguments, "c"), &why);
	} else if (arguments_has(arguments, "a")) {
		st = snapshots_find_any(image, arguments_value(arguments, "a"), &index, err);
		if (st != ST_OK)
			return st;
		st = ops->apply(image, index, &why);
	} else {
		name = arguments_value(arguments, "d");
		if (!snapshots_find(image, NULL, name, &index))
			return fail(err, ST_NOT_FOUND,
				    "%s: it has no snapshot with the name \"%s\"; -l lists those "
				    "that it has",
				    image->name, name);
		st = ops->remove(image, index, &why);
	}
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

static enum status snapshot(const struct console *console, const struct arguments *arguments,
			    bool list, struct error *err)
{
	const struct image_format *format;
	struct image *image;
	enum status st = format_option(arguments, "-f", &format, err);

	if (st == ST_OK)
		st = image_open_file(console->storage, ROLE_IMAGE, arguments->operands[0], format,
				     list ? OPEN_READ : OPEN_WRITE, &image, err);
	if (st != ST_OK)
		return st;
	if (list)
		snapshots_print(console->out, image);
	else if (image->format->snapshots.load == NULL)
		st = fail(err, ST_UNSUPPORTED, "%s: images of format %s have no snapshots",
			  image->name, image->format->name);
	else
		st = change(image, arguments, err);
	return finished_close_image(image, st, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	unsigned n_actions = 0;
	struct error err;

	for (size_t i = 0; options[i].letter != 0; i++)
		if (text_find("lcad", options[i].letter) != NULL)
			n_actions += arguments->given[i].count;
	if (n_actions > 1) {
		error_set(&err, "only one of -l, -c, -a and -d can be done at a time");
		return command_misused(console, "snapshot", &err);
	}
	if (arguments->n_operands != 1) {
		error_set(&err, "the name of one image file is expected, not of %zu",
			  arguments->n_operands);
		return command_misused(console, "snapshot", &err);
	}
	if (snapshot(console, arguments, n_actions == 0 || arguments_has(arguments, "l"), &err) !=
	    ST_OK)
		return command_failed(console, &err);
	return EXIT_OK;
}

const struct command command_snapshot = {
	.name = "snapshot",
	.purpose = PURPOSE_CHANGE,
	.summary = "list, make, apply or delete snapshots inside of an image",
	.usage = "[OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "snapshot -c before-update fs0:\\vm.qcow2\n"
		   "snapshot fs0:\\vm.qcow2\n"
		   "snapshot -a before-update fs0:\\vm.qcow2\n",
	.run = run,
};
