/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * convert: copies disks and images. Only the translation of options into a request is here; what
 * goes together, and what is done, is decided in core/copy/.
 */
#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/copy_options.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "cli/output_options.h"
#include "cli/progress_option.h"
#include "cli/split_option.h"
#include "copy/run.h"
#include "copy/result_print.h"
#include "copy/source.h"
#include "edit/snapshots.h"
#include "format/image_name.h"
#include "platform/clock.h"
#include "record/outcome.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'f', "source-format", "FMT", "format of the sources (default: detected)" },
	{ 'O', "target-format", "FMT", "format of the target: raw (default) or qcow2" },
	{ 'O', "output-format", "FMT", "the same" },
	{ 'o', "target-format-options", "LIST", "options of the target, as for create" },
	{ 'o', "target-options", "LIST", "the same" },
	{ 'c', "compress", NULL, "compress the target's clusters" },
	{ 'B', "backing", "FILE", "backing file of the target: data that it has is omitted" },
	{ 'b', "backing", "FILE", "the same, as in newer versions of qemu-img" },
	{ 'F', "backing-format", "FMT", "format of the backing file" },
	{ 'S', "sparse-size", "SIZE",
	  "do not store runs of zeros of this length (default:\n4k); 0: store everything" },
	{ 'l', "snapshot", "WHICH",
	  "copy the disk as it was at a snapshot: its id or name,\nor "
	  "snapshot.id=ID,snapshot.name=NAME (default: none)" },
	{ 'l', "source-snapshot", "WHICH", "the same" },
	{ 0, "bitmaps", NULL, "copy the bitmaps of the source as well" },
	{ 0, "skip-broken-bitmaps", NULL, "except those that are marked as in use" },
	{ 'n', "no-create", NULL, "write to an existing target" },
	{ 0, "target-is-zero", NULL, "with -n: the target reads as zeros already" },
	{ 0, "split", "SIZE",
	  "split the target into files of at most this size,\nTARGET, TARGET.001 ..., which "
	  "efi-img opens as one\n(default: if it may outgrow the largest file of its\nvolume; 0: "
	  "never)" },
	{ 0, "erase", "WHAT",
	  "confirm that the data on the target disk or partition\nis overwritten: its name as list "
	  "shows it, without\nserial= (guid=, path=)" },
	{ 0, "no-table", NULL,
	  "write a raw file to a whole disk although it has\nneither a partition table nor a file "
	  "system" },
	{ 0, "gpt", "WHAT",
	  "the GPT of a smaller disk: move its backup to the end\nof the target (default), keep it "
	  "unchanged, or refuse\nto write" },
	{ 0, "no-verify", NULL, "with a disk on either side: do not verify the target" },
	{ 0, "manifest", "FILE",
	  "write the hashes of the copied data, and its sources,\nto this file, for hash --check" },
	{ 0, "dry-run", NULL,
	  "for a disk or a new image: print the plan, or the\nreason to refuse, and write "
	  "nothing" },
	{ 0, "output", "STYLE", "format of --dry-run: human (default) or json" },
	{ 0, "salvage", NULL,
	  "write zeros for sectors that cannot be read after three\nmore attempts, and list them; "
	  "exit code 10" },
	{ 0, "map", "FILE",
	  "keep a map of copied and unreadable ranges in FILE, in\nthe format of GNU ddrescue; "
	  "with -n and an existing\nFILE: copy only what is not finished in it" },
	{ 0, "resume", NULL,
	  "continue an interrupted copy of a disk into a file, or\nback, after comparing the part "
	  "that was copied" },
	{ 't', "target-cache", "CACHE", "accepted for compatibility; has no effect" },
	{ 't', "output-cache", "CACHE", "the same" },
	{ 'T', "source-cache", "CACHE", "the same" },
	{ 'r', "rate-limit", "RATE", "accepted for compatibility; has no effect" },
	{ 'm', "parallel", "N", "1 to 16, accepted for compatibility" },
	{ 'W', "oob-writes", NULL, "accepted for compatibility; has no effect" },
	{ 'C', "copy-range-offloading", NULL, "the same" },
	{ 'p', "progress", NULL, "show progress" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 'U', "force-share", NULL, "accepted for compatibility; has no effect" },
	{ 0, "force", NULL, "replace TARGET if it exists" },
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

/* ---- sources ---- */

static void close_sources(struct chain *source, size_t n)
{
	for (size_t i = 0; i < n; i++)
		chain_close(&source[i]);
	mem_free(source);
}

/* The one source, as it was at a snapshot. */
static enum status open_snapshot(const struct console *console, const struct arguments *arguments,
				 struct chain *ret, struct error *err)
{
	const struct image_format *format;
	enum status st = format_option(arguments, "-f", &format, err);

	return st == ST_OK ? snapshots_open(console->storage, arguments->operands[0], format,
					    arguments_value(arguments, "l"), ret, err)
			   : st;
}

static enum status open_sources(const struct console *console, const struct arguments *arguments,
				size_t n, struct chain **ret, struct error *err)
{
	struct chain *source = mem_alloc(n * sizeof *source);
	size_t opened = 0;
	enum status st = source != NULL ? ST_OK : ST_NO_MEMORY;

	if (st != ST_OK)
		return fail_no_memory(err);
	for (; st == ST_OK && opened < n; opened += st == ST_OK)
		st = arguments_has(arguments, "l")
			     ? open_snapshot(console, arguments, &source[0], err)
			     : open_disk(console, arguments, "-f", arguments->operands[opened],
					 &source[opened], err);
	if (st != ST_OK) {
		close_sources(source, opened);
		return st;
	}
	*ret = source;
	return ST_OK;
}

/* ---- options ---- */

/* What is to become of a GPT that was made for a smaller disk. */
static enum status gpt_option(const struct arguments *arguments, enum gpt_wish *ret,
			      struct error *err)
{
	static const char *const words[] = {
		[GPT_MOVE] = "move", [GPT_KEEP] = "keep", [GPT_REFUSE] = "refuse"
	};
	const char *word = arguments_has(arguments, "gpt") ? arguments_value(arguments, "gpt")
							   : words[GPT_MOVE];

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_equal(word, words[i])) {
			*ret = (enum gpt_wish)i;
			return ST_OK;
		}
	return fail(err, ST_INVALID, "option --gpt: \"%s\" is none of move, keep, refuse", word);
}

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

static const char *value_or_null(const struct arguments *arguments, const char *name)
{
	return arguments_has(arguments, name) ? arguments_value(arguments, name) : NULL;
}

/* Those that are taken as they are. */
static void take_plain(const struct console *console, const struct arguments *arguments,
		       struct copy_request *r)
{
	size_t n = arguments->n_operands - 1;

	*r = (struct copy_request){
		.storage = console->storage,
		.source_name = arguments->operands,
		.n_sources = n,
		.snapshot = arguments_has(arguments, "l"),
		.target = image_name_plain(arguments->operands[n]),
		.has_options = arguments_has(arguments, "o") || arguments_has(arguments, "B"),
		.no_create = arguments_has(arguments, "n"),
		.target_is_zero = arguments_has(arguments, "target-is-zero"),
		.force = arguments_has(arguments, "force"),
		.may_split = !arguments_has(arguments, "split"),
		.has_split = arguments_has(arguments, "split"),
		.compress = arguments_has(arguments, "c"),
		.bitmaps = arguments_has(arguments, "bitmaps"),
		.skip_broken_bitmaps = arguments_has(arguments, "skip-broken-bitmaps"),
		.erase = value_or_null(arguments, "erase"),
		.no_table = arguments_has(arguments, "no-table"),
		.has_gpt = arguments_has(arguments, "gpt"),
		.no_verify = arguments_has(arguments, "no-verify"),
		.map = value_or_null(arguments, "map"),
		.manifest = value_or_null(arguments, "manifest"),
		.keeps_journal = true,
		.resume = arguments_has(arguments, "resume"),
		.dry_run = arguments_has(arguments, "dry-run"),
	};
}

/* Makes the options a request; `deciding` has room for those that a journal keeps. */
static enum status take_options(const struct console *console, const struct arguments *arguments,
				char deciding[static JOURNAL_OPTIONS_BYTES], struct copy_request *r,
				struct error *err)
{
	const char *format = value_or_null(arguments, "O");
	struct out_buffer text;
	enum status st;
	bool json; /* taken when the plan is printed */

	take_plain(console, arguments, r);
	out_buffer_init(&text, deciding, JOURNAL_OPTIONS_BYTES);
	print_deciding(arguments, &text.out);
	r->deciding = text.out.failed ? NULL : deciding;
	st = image_format_get(format != NULL ? format : "raw", "-O", &r->format, err);
	if (st == ST_OK)
		st = check_without_effect(arguments, err);
	if (st == ST_OK)
		st = sparse_option(arguments, &r->sparse_bytes, err);
	if (st == ST_OK)
		st = gpt_option(arguments, &r->gpt, err);
	if (st == ST_OK)
		st = output_style(arguments, &json, err);
	if (st == ST_OK && r->has_split)
		st = size_parse(arguments_value(arguments, "split"), "option --split",
				&r->split_bytes, err);
	if (st == ST_OK && copy_makes_image(r))
		st = new_image_options(arguments, r->format, "B", &r->options, err);
	return st == ST_OK ? copy_request_check(r, err) : st;
}

/* ---- the command ---- */

static void print_result(const struct console *console, const struct arguments *arguments,
			 const struct copy_request *r, const struct copy_result *result,
			 enum status st, uint64_t begin_ns)
{
	const struct result_facts facts = {
		.request = r,
		.result = result,
		.scope = result->rest_only ? RESULT_REST : RESULT_ALL,
		.begin_ns = console->plain ? 0 : begin_ns,
	};

	if (st == ST_OK && result->tables_unread)
		command_warn(console,
			     "warning: %s: the disk in it was read back, but there is no memory to "
			     "count the references to its clusters: have efi-img check look at it "
			     "where there is more",
			     r->target);
	if (arguments_has(arguments, "q"))
		return;
	if (!r->dry_run) {
		source_print_writes(r->source, r->n_sources, console->out);
		if (st == ST_OK && copy_has_disk(r))
			result_print_copy(&facts, console->out);
	}
	if (st == ST_OK)
		split_print(console, r->target, result->n_files);
}

static enum status convert(const struct console *console, const struct arguments *arguments,
			   struct losses *losses, struct error *err)
{
	struct console_progress shown;
	struct progress progress = { .sink = progress_option(console, arguments, &shown) };
	struct console_warnings warnings;
	struct copy_plan_option plan;
	uint64_t begin_ns = platform_nanoseconds();
	char deciding[JOURNAL_OPTIONS_BYTES];
	struct chain *source;
	struct copy_request request;
	struct copy_result result;
	enum status st = take_options(console, arguments, deciding, &request, err);

	if (st == ST_OK)
		st = open_sources(console, arguments, request.n_sources, &source, err);
	if (st != ST_OK) {
		create_values_free(&request.options);
		return st;
	}
	request.source = source;
	request.losses = losses;
	request.warnings = &warnings.warnings;
	request.sink = &plan.sink;
	console_warnings_init(&warnings, console);
	copy_plan_option_init(&plan, console, arguments);
	st = copy_do(&request, &progress, &result, err);
	if (losses != NULL)
		losses_warn(losses, &warnings.warnings, request.target);
	print_result(console, arguments, &request, &result, st, begin_ns);
	close_sources(source, request.n_sources);
	return st;
}

static bool has_disk(const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_operands; i++)
		if (storage_is_device(arguments->operands[i]))
			return true;
	return false;
}

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
	struct losses *losses = NULL;
	struct error err;
	enum status st;
	int code;

	if (format_options_want_help(arguments))
		return explain_options(console, arguments);
	if (arguments->n_operands < 2) {
		error_set(&err, "the names of a source and of a target are expected");
		return command_misused(console, "convert", &err);
	}
	if (arguments_has(arguments, "salvage")) {
		losses = mem_alloc(sizeof *losses);
		if (losses == NULL) {
			error_set(&err, "%s", status_text(ST_NO_MEMORY));
			return command_failed(console, &err);
		}
	}
	st = convert(console, arguments, losses, &err);
	code = copy_ended(console, st, has_disk(arguments), &err);
	if (st == ST_OK && losses != NULL && losses->bytes > 0)
		code = OUTCOME_LOST;
	mem_free(losses);
	return code;
}

const struct command command_convert = {
	.name = "convert",
	.purpose = PURPOSE_COPY,
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
