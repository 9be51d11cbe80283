/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * restore: the disk in an image, of any format, onto a disk or a partition. The copy itself is that
 * of convert -n (core/cli/copy_command.h).
 */
#include "cli/copy_command.h"
#include "cli/image_options.h"

static const struct option options[] = {
	OPTION_ERASE,
	OPTION_RESUME,
	{ 0, "erase-unused", NULL,
	  "write zeros where nothing was in use when the image was\nmade; otherwise the disk keeps "
	  "what it has there" },
	OPTION_GPT,
	OPTION_NO_VERIFY,
	OPTION_DRY_RUN,
	OPTION_SECTION("More options"),
	{ 0, "bmap", "FILE",
	  "the block map of a raw image, for bmaptool (default:\nIMAGE.bmap, or without the last "
	  "endings of IMAGE, if\nthere is one)" },
	{ 0, "no-bmap", NULL, "restore all of a raw image, and check it against no map" },
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	OPTION_NO_TABLE,
	OPTION_TRUNCATED,
	OPTION_QUIET,
	OPTION_PLAN_STYLE,
	{ 0 },
};

static const char notes[] =
	"DISK is overwritten from its beginning, and compared with the image. If it has\n"
	"anything on it, --erase must repeat its name. If it is larger than the disk in\n"
	"the image, the backup of a GPT is moved to its end (--gpt). DISK is a disk or a\n"
	"partition, as list names it.\n\n"
	"An image that capture has made in qcow2 format has a bitmap of what was in use;\n"
	"the rest is neither written nor compared. Of a raw image with a block map only\n"
	"the mapped ranges are read, and checked against their SHA-256. The rest becomes\n"
	"zeros, or stays as it is if capture --bmap has made the map. All of any other\n"
	"image is written.\n\n"
	"write copies the bytes of a file instead; convert -n is the same copy as this\n"
	"with all options of qemu-img.\n";

static enum status take_options(struct copy_command *command, struct error *err)
{
	const struct arguments *arguments = command->arguments;
	struct copy_request *r = &command->request;
	enum status st = copy_command_operands(command, false, true, err);

	if (st == ST_OK)
		st = format_option(arguments, "-f", &command->source_format, err);
	if (st == ST_OK)
		st = copy_gpt_option(arguments, r, err);
	if (arguments_has(arguments, "f"))
		out_printf(&command->text.out, "-f %s", arguments_value(arguments, "f"));
	r->no_table = arguments_has(arguments, "no-table");
	r->truncated = arguments_has(arguments, "truncated");
	r->used_only = !arguments_has(arguments, "erase-unused");
	r->bmap = arguments_value(arguments, "bmap");
	r->finds_bmap = r->bmap == NULL && !arguments_has(arguments, "no-bmap");
	if (r->bmap != NULL && arguments_has(arguments, "no-bmap"))
		return fail(err, ST_INVALID, "options --bmap and --no-bmap: give one of them");
	r->keeps_journal = true;
	r->resume = arguments_has(arguments, "resume");
	return st;
}

static int run(const struct console *console, struct arguments *arguments)
{
	return copy_command(console, arguments, "restore", take_options);
}

const struct command command_restore = {
	.name = "restore",
	.purpose = PURPOSE_DISKS,
	.summary = "write the disk in an image onto a disk or a partition",
	.usage = "[OPTIONS] IMAGE DISK",
	.options = options,
	.notes = notes,
	.example = "restore fs0:\\pc.qcow2 serial=S4X9NG0R12 --erase=S4X9NG0R12\n"
		   "restore --dry-run fs0:\\pc.qcow2 serial=S4X9NG0R12\n",
	.run = run,
};
