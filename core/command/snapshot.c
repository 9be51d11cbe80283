/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * snapshot: lists, takes, applies and deletes internal snapshots. The work, and its write order, is
 * the format's; the list is qemu-img's to the column.
 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_options.h"
#include "edit/snapshots.h"
#include "platform/files.h"
#include "record/finished.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 'l', "list", NULL, "list the snapshots (default)" },
	{ 'c', "create", "NAME", "take a snapshot of the disk" },
	{ 'a', "apply", "ID|NAME",
	  "revert the disk to a snapshot; its current contents are\nlost, unless they have a "
	  "snapshot, too" },
	{ 'd', "delete", "NAME", "delete a snapshot" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 'U', "force-share", NULL, "with -l, accepted for compatibility; has no effect" },
	{ 0 },
};

static const char notes[] =
	"If several snapshots have the same name, the first one in the list is used.\n"
	"After a power cut, the image is as before or as after the command, perhaps with\n"
	"leaked clusters, which \"check -r leaks\" frees.\n";

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
				    "%s: there is no snapshot with the name \"%s\"; -l lists all "
				    "snapshots",
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
		error_set(&err, "options -l, -c, -a and -d exclude each other");
		return command_misused(console, "snapshot", &err);
	}
	if (arguments_has(arguments, "U") && n_actions > 0 && !arguments_has(arguments, "l")) {
		error_set(&err, "option -U is for listing: an image that is changed is not shared");
		return command_misused(console, "snapshot", &err);
	}
	if (arguments->n_operands != 1) {
		error_set(&err, "one image file is expected, but %zu are given",
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
	.purpose = PURPOSE_IMAGES,
	.summary = "list, take, apply or delete snapshots in an image",
	.usage = "[OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "snapshot -c before-update fs0:\\vm.qcow2\n"
		   "snapshot fs0:\\vm.qcow2\n"
		   "snapshot -a before-update fs0:\\vm.qcow2\n",
	.run = run,
};
