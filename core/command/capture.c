/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * capture: a disk into a new image, as a technician wants it: compressed, with a manifest, and with
 * progress. The copy itself is that of convert (core/cli/copy_command.h).
 */
#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "cli/copy_command.h"
#include "cli/image_options.h"
#include "platform/path.h"
#include "record/bmap.h"
#include "record/manifest.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 0, "format", "FMT", "format of the image (default: by the ending of FILE,\nelse qcow2)" },
	{ 0, "no-compress", NULL, "do not compress a qcow2 image: faster, but larger" },
	OPTION_ALL,
	OPTION_SALVAGE,
	OPTION_RESUME,
	OPTION_DRY_RUN,
	OPTION_SECTION("More options"),
	OPTION_SPLIT,
	{ 0, "no-manifest", NULL, "do not write FILE.manifest" },
	{ 0, "bmap", NULL,
	  "of a raw image: write FILE.bmap, with which bmaptool\nand restore copy and check only "
	  "what is in use" },
	OPTION_NO_VERIFY,
	OPTION_FORCE,
	OPTION_QUIET,
	OPTION_PLAN_STYLE,
	{ 0 },
};

static const char notes[] =
	"Nothing is written to the disk, and FILE cannot be on it. The image is read\n"
	"back and compared with what was read. FILE.manifest has the hashes of the\n"
	"captured data: hash --check=FILE.manifest compares the image with them later.\n"
	"DISK is a disk or a partition, as list names it.\n\n"
	"Blocks that no file system uses become zeros, which take no room in the image.\n"
	"That is for file systems that were unmounted cleanly and whose tables are right\n"
	"in every detail; all of any other is copied, and a warning has the reason.\n\n"
	"convert is the same copy with all options of qemu-img.\n";

/* The format that the ending of a name is for; NULL: for none. */
static const char *format_of_ending(const char *name)
{
	static const struct {
		const char *ending, *format;
	} table[] = {
		{ ".raw", "raw" },   { ".img", "raw" }, { ".vmdk", "vmdk" },
		{ ".vhdx", "vhdx" }, { ".vhd", "vpc" }, { ".vdi", "vdi" },
	};
	size_t n = text_length(name);

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t n_ending = text_length(table[i].ending);

		if (n > n_ending && text_equal_nocase(name + n - n_ending, table[i].ending))
			return table[i].format;
	}
	return NULL;
}

static enum status take_format(struct copy_command *command, struct error *err)
{
	const char *format = arguments_value(command->arguments, "format");
	struct copy_request *r = &command->request;
	struct out *deciding = &command->text.out;
	enum status st;

	if (format == NULL)
		format = format_of_ending(r->target);
	if (format == NULL)
		format = "qcow2";
	st = image_format_get(format, "--format", &r->format, err);
	if (st == ST_OK)
		st = new_image_options(command->arguments, r->format, NULL, &r->options, err);
	if (st != ST_OK)
		return st;
	out_printf(deciding, "-O %s", format);
	r->compress = text_equal(format, "qcow2") &&
		      !arguments_has(command->arguments, "no-compress");
	if (r->compress)
		out_text(deciding, " -c");
	if (arguments_has(command->arguments, "split"))
		out_printf(deciding, " --split %s", arguments_value(command->arguments, "split"));
	if (!text_equal(format, "vmdk"))
		return ST_OK;
	/* The files of 2 GiB fit any FAT volume, and other programs find them by their names. */
	out_text(deciding, " -o subformat=twoGbMaxExtentSparse");
	return create_values_set(&r->options, "subformat", "twoGbMaxExtentSparse", err);
}

static enum status take_records(struct copy_command *command, struct error *err)
{
	struct copy_request *r = &command->request;
	bool manifest = !arguments_has(command->arguments, "no-manifest");
	bool bmap = arguments_has(command->arguments, "bmap");

	if (manifest)
		command->manifest = out_new("%s" MANIFEST_ENDING, r->target);
	if (bmap)
		command->bmap = out_new("%s" BMAP_ENDING, r->target);
	r->manifest = command->manifest;
	r->bmap = command->bmap;
	return (manifest && r->manifest == NULL) || (bmap && r->bmap == NULL) ? fail_no_memory(err)
									      : ST_OK;
}

static enum status take_options(struct copy_command *command, struct error *err)
{
	const struct arguments *arguments = command->arguments;
	struct copy_request *r = &command->request;
	enum status st = copy_command_operands(command, true, false, err);

	if (st == ST_OK)
		st = take_format(command, err);
	if (st == ST_OK)
		st = copy_split_option(arguments, r, err);
	r->force = arguments_has(arguments, "force");
	r->no_verify = arguments_has(arguments, "no-verify");
	r->used_only = !arguments_has(arguments, "all");
	r->keeps_journal = true;
	r->resume = arguments_has(arguments, "resume");
	command->salvage = arguments_has(arguments, "salvage");
	if (st != ST_OK)
		return st;
	return take_records(command, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	return copy_command(console, arguments, "capture", take_options);
}

const struct command command_capture = {
	.name = "capture",
	.purpose = PURPOSE_DISKS,
	.summary = "copy a disk or a partition into an image",
	.usage = "[OPTIONS] DISK FILE",
	.options = options,
	.notes = notes,
	.example = "capture serial=S4X9NG0R12 fs0:\\pc.qcow2\n"
		   "capture --resume serial=S4X9NG0R12 fs0:\\pc.qcow2\n"
		   "capture --salvage serial=S4X9NG0R12:2 fs0:\\data.vhdx\n",
	.run = run,
};
