/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * convert: copies disks and images. Only the translation of options into a request is here; what
 * goes together, and what is done, is decided in core/copy/.
 */
#include "base/size.h"
#include "base/text.h"
#include "cli/copy_command.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"

static const struct option options[] = {
	{ 'f', "source-format", "FMT", "format of the sources (default: detected)" },
	{ 'O', "target-format", "FMT",
	  "format of the target (default: raw);\nqcow2, vmdk, vhdx, vdi ...: help all lists them" },
	{ 'c', "compress", NULL, "compress the target's clusters" },
	{ 'o', "target-format-options", "LIST", "options of the target, as for create" },
	{ 'n', "no-create", NULL, "write to an existing target" },
	{ 'p', "progress", NULL, "show progress" },
	OPTION_QUIET,
	OPTION_FORCE,
	OPTION_DRY_RUN,
	OPTION_PLAN_STYLE,
	OPTION_SECTION("Disks and partitions"),
	OPTION_ERASE,
	{ 0, "used", NULL,
	  "of a disk, copy only what its file systems use, as\ncapture and clone do; of an image "
	  "onto "
	  "a disk, only\nwhat its bitmap has as used, as restore does" },
	OPTION_RESUME,
	OPTION_SALVAGE,
	OPTION_MAP,
	{ 0, "manifest", "FILE",
	  "write the hashes of the copied data, and its sources,\nto this file, for hash --check" },
	{ 0, "bmap", "FILE",
	  "onto a disk: read and check only what the block map\nFILE of the raw image has; of a "
	  "disk into a raw\nimage: write one, for bmaptool" },
	OPTION_GPT,
	OPTION_NO_TABLE,
	OPTION_TRUNCATED,
	OPTION_NO_VERIFY,
	OPTION_SECTION("Images"),
	OPTION_SPLIT,
	{ 'B', "backing", "FILE", "backing file of the target: data that it has is omitted" },
	{ 'b', "backing", "FILE", OPTION_SAME },
	{ 'F', "backing-format", "FMT", "format of the backing file" },
	{ 'S', "sparse-size", "SIZE",
	  "do not store runs of zeros of this length (default:\n4k); 0: store everything" },
	{ 'l', "snapshot", "WHICH",
	  "copy the disk as it was at a snapshot: its id or name,\nor "
	  "snapshot.id=ID,snapshot.name=NAME (default: none)" },
	{ 0, "bitmaps", NULL, "copy the bitmaps of the source as well" },
	{ 0, "skip-broken-bitmaps", NULL, "except those that are marked as in use" },
	{ 0, "target-is-zero", NULL, "with -n: the target reads as zeros already" },
	{ 'O', "output-format", "FMT", OPTION_SAME },
	{ 'o', "target-options", "LIST", OPTION_SAME },
	{ 'l', "source-snapshot", "WHICH", OPTION_SAME },
	{ 't', "target-cache", "CACHE", OPTION_IGNORED },
	{ 't', "output-cache", "CACHE", OPTION_IGNORED },
	{ 'T', "source-cache", "CACHE", OPTION_IGNORED },
	{ 'r', "rate-limit", "RATE", OPTION_IGNORED },
	{ 'm', "parallel", "N", OPTION_IGNORED },
	{ 'W', "oob-writes", NULL, OPTION_IGNORED },
	{ 'C', "copy-range-offloading", NULL, OPTION_IGNORED },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"Several sources are concatenated. Zeros are not stored in the target. The\n"
	"target becomes a valid image only when all of it is written; after an error or\n"
	"Ctrl-C it is removed. A source of a known other kind, such as a .zip or a .gz,\n"
	"is refused; -f raw takes its bytes.\n\n"
	"Sources and the target can be disks or partitions, by the names that list\n"
	"shows: serial=S4X9NG0R12, guid=..., path=..., with :3 after it for the third\n"
	"partition. A disk is overwritten only if nothing on it is in use, and if\n"
	"--erase confirms that its data can go. Its first MiB is written last. With -O\n"
	"qcow2 the image itself is written to the disk, not the bytes of the disk in it.\n"
	"With a disk on either side, the target is read back and verified.\n\n"
	"A journal records the progress of a copy: IMAGE.resume beside a new image that\n"
	"a disk is copied into, IMAGE.restore-XXXXXXXX beside an image that is copied\n"
	"onto a disk (the digits stand for the disk). After a power failure, a full\n"
	"volume, an error or Ctrl-C, the same command with --resume continues; the part\n"
	"that was copied must equal the source. There is no journal with --map, -n into\n"
	"a file, -B, --bitmaps or a data file. Every other command refuses an unfinished\n"
	"image; info prints how to complete it.\n\n"
	"A map covers the whole disk of the source, and is written when the copy ends,\n"
	"even if it fails. Both ddrescue and efi-img continue from it: efi-img reads all\n"
	"ranges again that are not finished, bad ones too. If the power fails while the\n"
	"map is written, FILE.new beside it is the map.\n\n"
	"Parts of a split image are found by their names; a missing part is an error.\n"
	"Concatenated, as by cat, they are the image for any other program.\n\n"
	"If the target disk is larger than the source, the backup of a valid GPT is\n"
	"moved to the end of the target, and both copies are read back (--gpt). An\n"
	"invalid GPT is copied unchanged, with a warning.\n\n"
	"Exit codes: 0 success, 1 failure, 10 success except for unreadable sectors\n"
	"(--salvage); with a disk on either side those of 'help exit-codes'.\n";

/* ---- options ---- */

/* The options that only say how QEMU should do it. */
static enum status check_without_effect(const struct arguments *arguments, struct error *err)
{
	uint64_t parallel = 1;
	enum status st = cache_option(arguments, "-t", err);

	if (st == ST_OK)
		st = cache_option(arguments, "-T", err);
	if (st == ST_OK)
		st = rate_option(arguments, err);
	if (st == ST_OK && arguments_has(arguments, "m"))
		st = size_parse(arguments_value(arguments, "m"), "option -m", &parallel, err);
	if (st != ST_OK)
		return st;
	if (parallel < 1 || parallel > 16)
		return fail(err, ST_INVALID, "option -m: %ju is not a number from 1 to 16",
			    parallel);
	if (arguments_has(arguments, "C") &&
	    (arguments_has(arguments, "c") || arguments_has(arguments, "S") ||
	     arguments_has(arguments, "salvage")))
		return fail(err, ST_INVALID,
			    "option -C: what the storage copies by itself cannot be looked at for "
			    "-c, -S or --salvage");
	return ST_OK;
}

static enum status sparse_option(const struct arguments *arguments, uint64_t *ret,
				 struct error *err)
{
	enum status st;

	*ret = 4096;
	if (!arguments_has(arguments, "S"))
		return ST_OK;
	st = size_parse(arguments_value(arguments, "S"), "option -S", ret, err);
	if (st == ST_OK && (*ret % 512 != 0 || *ret > 16 << 20))
		st = fail(err, ST_INVALID, "option -S: %ju is not a multiple of 512 up to 16M",
			  *ret);
	return st;
}

/* Prints those that decide what is written, in one order. */
static void print_deciding(const struct arguments *arguments, struct out *out)
{
	static const char *const deciding[] = { "f", "O", "o", "c", "S", "l", "split" };
	const char *before = "";

	for (size_t i = 0; i < sizeof deciding / sizeof deciding[0]; i++)
		for (size_t k = 0; k < arguments->n_values; k++) {
			const struct option *option = &options[arguments->values[k].option];

			if (!text_equal(option->name, deciding[i]) &&
			    !(option->letter == deciding[i][0] && deciding[i][1] == '\0'))
				continue;
			out_printf(out, option->letter != 0 ? "%s-%s" : "%s--%s", before,
				   deciding[i]);
			if (option->value != NULL)
				out_printf(out, " %s", arguments->values[k].value);
			before = " ";
		}
}

/* Those that are taken as they are. */
static void take_plain(const struct arguments *arguments, struct copy_request *r)
{
	r->snapshot = arguments_has(arguments, "l");
	r->has_options = arguments_has(arguments, "o") || arguments_has(arguments, "B");
	r->no_create = arguments_has(arguments, "n");
	r->target_is_zero = arguments_has(arguments, "target-is-zero");
	r->force = arguments_has(arguments, "force");
	r->compress = arguments_has(arguments, "c");
	r->bitmaps = arguments_has(arguments, "bitmaps");
	r->skip_broken_bitmaps = arguments_has(arguments, "skip-broken-bitmaps");
	r->erase = arguments_value(arguments, "erase");
	r->no_table = arguments_has(arguments, "no-table");
	r->truncated = arguments_has(arguments, "truncated");
	r->no_verify = arguments_has(arguments, "no-verify");
	r->map = arguments_value(arguments, "map");
	r->manifest = arguments_value(arguments, "manifest");
	r->bmap = arguments_value(arguments, "bmap");
	r->used_only = arguments_has(arguments, "used");
	r->keeps_journal = true;
	r->resume = arguments_has(arguments, "resume");
}

/* Makes the options a request. */
static enum status take_options(struct copy_command *command, struct error *err)
{
	const struct arguments *arguments = command->arguments;
	struct copy_request *r = &command->request;
	const char *format = arguments_value(arguments, "O");
	enum status st;

	take_plain(arguments, r);
	command->progress = arguments_has(arguments, "p");
	command->salvage = arguments_has(arguments, "salvage");
	command->snapshot = arguments_value(arguments, "l");
	print_deciding(arguments, &command->text.out);
	st = image_format_get(format != NULL ? format : "raw", "-O", &r->format, err);
	if (st == ST_OK)
		st = format_option(arguments, "-f", &command->source_format, err);
	if (st == ST_OK)
		st = check_without_effect(arguments, err);
	if (st == ST_OK)
		st = sparse_option(arguments, &r->sparse_bytes, err);
	if (st == ST_OK)
		st = copy_gpt_option(arguments, r, err);
	if (st == ST_OK)
		st = copy_split_option(arguments, r, err);
	if (st == ST_OK && copy_makes_image(r))
		st = new_image_options(arguments, r->format, "B", &r->options, err);
	return st;
}

/* ---- the command ---- */

static int explain_options(const struct console *console, const struct arguments *arguments)
{
	const char *name = arguments_has(arguments, "O") ? arguments_value(arguments, "O") : "raw";
	const struct image_format *format;
	struct error err;

	if (image_format_get(name, "-O", &format, &err) != ST_OK ||
	    image_format_check_new(format, &err) != ST_OK)
		return command_failed(console, &err);
	create_options_explain(format->create.options, format->name, OPTIONS_CREATE, console->out);
	return EXIT_OK;
}

static int run(const struct console *console, struct arguments *arguments)
{
	if (format_options_want_help(arguments))
		return explain_options(console, arguments);
	return copy_command(console, arguments, "convert", take_options);
}

const struct command command_convert = {
	.name = "convert",
	.purpose = PURPOSE_IMAGES,
	.summary = "copy disks and disk images: into an image, or onto a disk",
	.usage = "[OPTIONS] SOURCE... TARGET",
	.options = options,
	.notes = notes,
	.example = "convert -O qcow2 fs0:\\disk.raw fs0:\\disk.qcow2\n"
		   "convert -c -O qcow2 -o compression_type=zstd vm.qcow2 fs1:\\vm.qcow2\n"
		   "convert -p -c -O qcow2 serial=S4X9NG0R12 fs0:\\pc.qcow2\n"
		   "convert -p -n fs0:\\pc.qcow2 serial=S4X9NG0R12 --erase=S4X9NG0R12\n"
		   "convert -p -n serial=S4X9NG0R12 serial=WD-77 --erase=WD-77\n",
	.run = run,
};
