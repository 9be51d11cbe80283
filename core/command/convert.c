/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/convert_records.h"
#include "cli/progress_option.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "cli/split_option.h"
#include "cli/disk_options.h"
#include "cli/plan_option.h"
#include "copy/convert.h"
#include "copy/result_print.h"
#include "copy/source.h"
#include "copy/target.h"
#include "edit/snapshots.h"
#include "engine/pack.h"
#include "platform/clock.h"
#include "record/finished.h"
#include "record/outcome.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'f', "source-format", "FMT", "format of the sources (default: detected)" },
	{ 'O', "target-format", "FMT", "format of the target: raw (default) or qcow2" },
	{ 'o', "target-format-options", "LIST", "options of the target, as for create" },
	{ 'c', "compress", NULL, "compress the target's clusters" },
	{ 'B', "backing", "FILE", "backing file of the target: what it has is left out" },
	{ 'b', "backing", "FILE", "the same, as in newer versions of qemu-img" },
	{ 'F', "backing-format", "FMT", "format of the backing file" },
	{ 'S', "sparse-size", "SIZE",
	  "leave out runs of zeros of this length (default: 4k);\n0: leave out nothing" },
	{ 'l', "snapshot", "WHICH",
	  "copy the disk as it was at a snapshot: its id or name,\nor "
	  "snapshot.id=ID,snapshot.name=NAME (default: none)" },
	{ 0, "bitmaps", NULL, "copy the bitmaps of the source as well" },
	{ 0, "skip-broken-bitmaps", NULL, "except those that are marked as in use" },
	{ 'n', "no-create", NULL, "the target exists and is written over" },
	{ 0, "target-is-zero", NULL, "with -n: the target reads as zeros already" },
	{ 0, "split", "SIZE",
	  "put the target into files of at most this size, TARGET,\nTARGET.001 ..., which efi-img "
	  "opens as one (default:\nwhere it may outgrow the largest file of its volume;\n0: "
	  "never)" },
	{ 0, "erase", "WHAT",
	  "the target is this disk or partition, and what is on it\ncan go: what list shows behind "
	  "serial= (guid=, path=)" },
	{ 0, "no-table", NULL,
	  "a raw file without partition table, hybrid ISO and file\n"
	  "system is meant for the whole disk" },
	{ 0, "gpt", "WHAT",
	  "of a GPT on a larger disk: move its backup to the end\n(default), keep it as it is, or "
	  "refuse to write" },
	{ 0, "no-verify", NULL, "with a disk on either side: do not read the target back" },
	{ 0, "manifest", "FILE",
	  "write hashes of what was copied, and where it came\nfrom, into this file, for hash "
	  "--check" },
	{ 0, "dry-run", NULL,
	  "for a disk or a new image: only say what would be\ndone, and what speaks against it" },
	{ 0, "output", "STYLE", "of --dry-run: human (default) or json" },
	{ 0, "salvage", NULL,
	  "what cannot be read, even when tried three times more,\nis zeros in the target, and is "
	  "listed; exit code 10" },
	{ 0, "map", "FILE",
	  "keep a map of what is copied and what cannot be read,\nas GNU ddrescue has it; with -n, "
	  "if FILE is there: copy\n"
	  "only what is not finished in it" },
	{ 0, "resume", NULL,
	  "from a disk into a file, or back: continue what was\n"
	  "interrupted, after comparing what is there already" },
	{ 't', "target-cache", "CACHE", "accepted for compatibility; has no effect" },
	{ 'T', "source-cache", "CACHE", "the same" },
	{ 'r', "rate-limit", "RATE", "accepted for compatibility; has no effect" },
	{ 'm', "parallel", "N", "1 to 16, accepted for compatibility" },
	{ 'W', "oob-writes", NULL, "accepted for compatibility; it is about speed" },
	{ 'C', "copy-range-offloading", NULL, "the same" },
	{ 'p', "progress", NULL, "show progress" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 'U', "force-share", NULL, "accepted for compatibility; has no effect" },
	{ 0, "force", NULL, "replace TARGET if it exists" },
	{ 0 },
};

static const char notes[] =
	"Several sources are put behind each other. What reads as zeros in them is left\n"
	"out of the target. The target becomes an image only when all of it is written;\n"
	"if something fails, or you stop it, it is removed. A source that is known not\n"
	"to be a disk, such as a VMDK or a .gz, is refused; -f raw takes its bytes.\n\n"
	"Sources and the target can be disks or partitions, by the names that list\n"
	"shows: serial=S4X9NG0R12, guid=..., path=..., with :3 behind it for the third\n"
	"partition. A disk is written over only if nothing on it is in use, and what is\n"
	"on it is given up with --erase. Its first MiB is written last. With -O qcow2\n"
	"and the like it gets an image instead of the bytes of the disk. With a disk on\n"
	"either side, what was written is read back.\n\n"
	"While a disk is copied into a new image, a journal called IMAGE.resume beside\n"
	"the image says how far it is; while an image is copied onto a disk, one called\n"
	"IMAGE.restore-XXXXXXXX, whose digits stand for the disk. After a power failure,\n"
	"a full volume, an error or Ctrl-C the same command with --resume continues:\n"
	"what is there must be what the source has. Not with --map, -n into a file, -B,\n"
	"--bitmaps or a data file. An image that is not finished is refused by every\n"
	"other command; info prints how to complete it.\n\n"
	"A map is of the source's disk from its first to its last byte, and is written\n"
	"when the job ends, however it does. Either of ddrescue and efi-img goes on from\n"
	"it: efi-img reads what is not finished, bad or not tried, once more. A FILE.new\n"
	"beside it is the map, should the power go while that is being written.\n\n"
	"Parts of a split image are found by their names; a missing one is an error. Put\n"
	"behind each other, as cat does, they are the image for any other program.\n\n"
	"A good GPT on a larger disk gets its backup moved to the end of that, and both\n"
	"copies are read back (--gpt). A GPT that contradicts itself, or the end of the\n"
	"source, is copied as it is, and what is wrong with it is said.\n\n"
	"Exit codes: 0 all is copied, 1 it failed, 10 it is complete except for what\n"
	"--salvage had to leave out; with a disk on either side those of\n"
	"'help exit-codes'.\n";

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

/* ---- target ---- */

static enum status parse_options(const struct arguments *arguments, uint64_t size,
				 struct create_job *create, struct error *err)
{
	enum status st = new_image_options(arguments, create->format, "B", &create->options, err);
	struct out_buffer digits;
	char text[24];

	if (st != ST_OK)
		return st;
	out_buffer_init(&digits, text, sizeof text);
	out_printf(&digits.out, "%ju", size);
	return create_values_set(&create->options, "size", text, err);
}

static bool given(const struct create_values *values, const char *name)
{
	const struct create_value *value = create_value(values, name);

	return value != NULL && value->text != NULL;
}

/* What does not go together. */
static enum status check_new(const struct convert_job *job, const struct create_values *values,
			     struct error *err)
{
	if (job->compress && given(values, "data_file"))
		return fail(err, ST_UNSUPPORTED,
			    "option -c: the data in a data_file cannot be compressed");
	if (job->compress && given(values, "preallocation") &&
	    create_value(values, "preallocation")->number != PREALLOC_OFF)
		return fail(err, ST_INVALID,
			    "option -c: what is compressed cannot have its place before "
			    "(preallocation=%s)",
			    create_value(values, "preallocation")->text);
	if (given(values, "backing_file") && job->n_sources > 1)
		return fail(err, ST_INVALID,
			    "a backing file (-B, backing_file) shows what one source has left out, "
			    "not several");
	return ST_OK;
}

/*
 * A file is resumed, or replaced because nothing of it counts yet, only when it is the one that the
 * journal is about. One that is not there is made, if nothing of it counts.
 */
static enum status may_resume(const struct journal *journal, struct create_job *create,
			      struct error *err)
{
	enum status st;

	if (journal == NULL || !journal->found)
		return ST_OK;
	st = create_check_unfinished(create->file_name, journal->text.id, err);
	create->replace = st == ST_OK;
	return st == ST_NOT_FOUND && journal->old == 0 ? ST_OK : st;
}

static enum status convert_to_new(const struct console *console, const struct arguments *arguments,
				  struct convert_job *job, const struct image_format *format,
				  const char *name, uint64_t size, unsigned *n_files,
				  struct error *err)
{
	struct create_job create = {
		.storage = console->storage,
		.format = format,
		.file_name = name,
		.fill = true,
		.replace = arguments_has(arguments, "force"),
		.id = job->journal != NULL ? job->journal->text.id : NULL,
		.bitmaps = job->bitmaps,
		.compressed = job->compress,
		.dense = job->sparse_bytes == 0 && !job->compress,
	};
	enum status st = may_resume(job->journal, &create, err);

	if (st == ST_OK)
		st = parse_options(arguments, size, &create, err);
	if (st == ST_OK)
		st = check_new(job, &create.options, err);
	if (st == ST_OK)
		st = split_option(arguments, true, &create, err);
	if (st == ST_OK)
		st = create_prepare(&create, err);
	if (st == ST_OK && job->journal != NULL && !create.replace)
		st = journal_replaces(job->journal, err);
	st = plan_new_image(console, arguments, &create, job->source, job->n_sources, st, err);
	if (st == ST_OK && !arguments_has(arguments, "dry-run")) {
		if (create.plan.n_files > 1)
			job->journal = NULL; /* there is no saying how far the data file has come */
		job->create = &create;
		job->keep_depth = create.request.backing_name != NULL ? 1 : 0;
		st = convert_run(job, err);
		progress_end(job->progress);
	}
	if (st == ST_OK && !arguments_has(arguments, "dry-run"))
		*n_files = split_files(&create);
	create_job_free(&create);
	return st;
}

static enum status convert_to_existing(struct storage *storage, struct convert_job *job,
				       const struct image_format *format, const char *name,
				       uint64_t size, struct error *err)
{
	struct chain backing = { 0 };
	enum status st = image_open_file(storage, ROLE_TARGET, name, format, OPEN_WRITE,
					 &job->target, err);

	if (st != ST_OK)
		return st;
	if (job->target->size < size)
		st = fail(err, ST_TOO_LARGE,
			  "%s: its disk of %ju bytes is smaller than the %ju of the source", name,
			  job->target->size, size);
	else if (job->target_is_zero && job->target->backing_name != NULL)
		st = fail(err, ST_INVALID,
			  "option --target-is-zero: %s has a backing file, whose contents would "
			  "show",
			  name);
	else
		st = chain_open_backing(job->target, &backing, err);
	if (st == ST_OK)
		st = image_load(job->target, err);
	if (st == ST_OK && job->compress)
		st = pack_possible(job->target, err);
	if (st == ST_OK)
		st = convert_run(job, err);
	progress_end(job->progress);
	st = finished_close_image(job->target, st, err);
	chain_close(&backing);
	return st;
}

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

/* A flat format: the disk gets the bytes of the sources' disk; another one: an image of it. */
__attribute__((noinline)) /* its large variables do not belong into the frame of all the others */
static enum status
convert_to_disk(const struct console *console, const struct arguments *arguments,
		struct convert_job *job, const struct image_format *format, const char *name,
		uint64_t size, struct error *err)
{
	struct target_job target = { .storage = console->storage,
				     .name = name,
				     .source = job->source,
				     .n_sources = job->n_sources,
				     .n_bytes = size,
				     .format = format };
	struct create_job create = { .storage = console->storage,
				     .format = format,
				     .file_name = name,
				     .fill = true,
				     .bitmaps = job->bitmaps,
				     .compressed = job->compress,
				     .dense = job->sparse_bytes == 0 && !job->compress };
	enum status st = gpt_option(arguments, &target.gpt, err);

	if (st != ST_OK)
		return st;
	if (format->flat && (arguments_has(arguments, "o") || arguments_has(arguments, "B")))
		return fail(err, ST_INVALID,
			    "options -o and -B are for a new image; the disk %s is written over as "
			    "it is",
			    name);
	if (format->flat)
		return copy_to_disk(console, arguments, &target, job, NULL, err);
	if (arguments_has(arguments, "n"))
		return fail(err, ST_UNSUPPORTED,
			    "option -n: an image that is on the disk %s cannot be written to; "
			    "leave out -n, and a new one is made there",
			    name);
	st = parse_options(arguments, size, &create, err);
	if (st == ST_OK)
		st = check_new(job, &create.options, err);
	job->keep_depth = given(&create.options, "backing_file") ? 1 : 0;
	if (st == ST_OK)
		st = copy_to_disk(console, arguments, &target, job, &create, err);
	create_job_free(&create);
	return st;
}

static bool with_disk(const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_operands; i++)
		if (storage_is_device(arguments->operands[i]))
			return true;
	return false;
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

static enum status check_options(const struct arguments *arguments,
				 const struct image_format *format, bool to_disk,
				 struct convert_job *job, struct error *err)
{
	enum status st = check_without_effect(arguments, err);

	if (st != ST_OK)
		return st;
	job->compress = arguments_has(arguments, "c");
	job->target_is_zero = arguments_has(arguments, "target-is-zero");
	job->verify = with_disk(arguments) && !arguments_has(arguments, "no-verify");
	if (!to_disk && (arguments_has(arguments, "erase") || arguments_has(arguments, "gpt") ||
			 arguments_has(arguments, "no-table")))
		return fail(err, ST_INVALID,
			    "options --erase, --gpt and --no-table are for a disk or a partition "
			    "as target");
	if (!to_disk && arguments_has(arguments, "n") && arguments_has(arguments, "dry-run"))
		return fail(err, ST_INVALID,
			    "option --dry-run is for a disk, a partition or a new image as target");
	if ((to_disk || arguments_has(arguments, "n")) && arguments_has(arguments, "split"))
		return fail(err, ST_INVALID, "option --split is for a new image in a file");
	job->sparse_bytes = 4096;
	if (job->compress && format->change.write_compressed == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "option -c: images of format %s cannot be compressed", format->name);
	if (job->target_is_zero && !to_disk && !arguments_has(arguments, "n"))
		return fail(err, ST_INVALID,
			    "option --target-is-zero needs -n: a new image is zeros anyway");
	if (arguments_has(arguments, "n") &&
	    (arguments_has(arguments, "o") || arguments_has(arguments, "B")))
		return fail(err, ST_INVALID,
			    "options -o and -B are for a new target; with -n there is none: leave "
			    "out -n");
	job->bitmaps = arguments_has(arguments, "bitmaps");
	if (arguments_has(arguments, "map") &&
	    (arguments->n_operands != 2 || storage_is_device(arguments_value(arguments, "map"))))
		return fail(err, ST_INVALID,
			    "option --map: it is a file, for the map of one source");
	if (arguments_has(arguments, "skip-broken-bitmaps") && !job->bitmaps)
		return fail(err, ST_INVALID, "option --skip-broken-bitmaps needs --bitmaps");
	if (job->bitmaps && format->bitmaps.run == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "option --bitmaps: images of format %s have no bitmaps", format->name);
	if (job->bitmaps && arguments->n_operands != 2)
		return fail(err, ST_INVALID,
			    "option --bitmaps: bitmaps can only be copied from one source, not "
			    "from several");
	if (arguments_has(arguments, "l") && arguments->n_operands != 2)
		return fail(err, ST_INVALID,
			    "option -l: a snapshot can only be copied from one source, not from "
			    "several");
	if (arguments_has(arguments, "S")) {
		st = size_parse(arguments_value(arguments, "S"), "option -S", &job->sparse_bytes,
				err);

		if (st != ST_OK)
			return st;
		if (job->sparse_bytes % 512 != 0 || job->sparse_bytes > 16 << 20)
			return fail(err, ST_INVALID,
				    "option -S: %ju is not a multiple of 512 up to 16M",
				    job->sparse_bytes);
	}
	return ST_OK;
}

/* Whether the bitmaps of the source can be copied; says which are left out. */
static enum status check_bitmaps(const struct console *console, const struct arguments *arguments,
				 const struct image *source, struct error *err)
{
	if (source->format->bitmaps.run == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "%s: option --bitmaps: images of format %s have no bitmaps",
			    source->name, source->format->name);
	for (size_t i = 0; i < source->n_bitmaps; i++) {
		const struct bitmap *bitmap = &source->bitmaps[i];

		if (!bitmap->in_use)
			continue;
		if (!arguments_has(arguments, "skip-broken-bitmaps"))
			return fail(err, ST_CORRUPT,
				    "%s: the bitmap \"%s\" was not stored when it should have "
				    "been, and cannot be copied; --skip-broken-bitmaps leaves it "
				    "out",
				    source->name, bitmap->name);
		command_warn(console, "%s: the bitmap \"%s\" is in use, and left out", source->name,
			     bitmap->name);
	}
	return ST_OK;
}

static void print_result(const struct console *console, const struct arguments *arguments,
			 const struct convert_job *job, uint64_t size, bool goes_on,
			 uint64_t begin_ns)
{
	struct result_facts facts = {
		.job = job,
		.storage = console->storage,
		.source = arguments->operands,
		.target = arguments->operands[job->n_sources],
		.disk_bytes = size,
		.scope = goes_on ? RESULT_REST : RESULT_ALL,
		.why_not = "--no-verify",
		.begin_ns = console->plain ? 0 : begin_ns,
	};

	result_print_copy(&facts, console->out);
}

static enum status convert(const struct console *console, const struct arguments *arguments,
			   struct salvage *salvage, struct error *err)
{
	size_t n = arguments->n_operands - 1;
	const char *name = arguments->operands[n];
	const char *format_name = arguments_has(arguments, "O") ? arguments_value(arguments, "O")
								: "raw";
	const struct image_format *format;
	struct convert_job job = { .n_sources = n, .salvage = salvage };
	struct convert_records records = { .journal = NULL };
	struct console_warnings warnings;
	struct console_progress shown;
	struct progress progress = { .sink = progress_option(console, arguments, &shown) };
	struct chain *source;
	bool to_disk = storage_is_device(name), goes_on;
	unsigned n_files = 1;
	uint64_t size, begin_ns = platform_nanoseconds();
	enum status st = image_format_get(format_name, "-O", &format, err);

	if (st == ST_OK)
		st = check_options(arguments, format, to_disk, &job, err);
	if (st == ST_OK)
		st = open_sources(console, arguments, n, &source, err);
	if (st != ST_OK)
		return st;
	job.source = source;
	job.progress = &progress;
	console_warnings_init(&warnings, console);
	st = convert_size(source, n, &size, err);
	if (st == ST_OK && !arguments_has(arguments, "dry-run"))
		st = source_settle(source, n, salvage != NULL ? &warnings.warnings : NULL, err);
	if (st == ST_OK && job.bitmaps)
		st = check_bitmaps(console, arguments, source[0].link[0].image, err);
	if (st == ST_OK)
		st = convert_records_begin(&records, console, arguments, format, size, &job, err);
	if (st == ST_OK && to_disk)
		st = convert_to_disk(console, arguments, &job, format, name, size, err);
	else if (st == ST_OK && arguments_has(arguments, "n"))
		st = convert_to_existing(console->storage, &job, format, name, size, err);
	else if (st == ST_OK)
		st = convert_to_new(console, arguments, &job, format, name, size, &n_files, err);
	goes_on = st == ST_OK && job.map != NULL && rescue_map_began(job.map, size);
	st = convert_records_end(&records, console, arguments, format, &job, st, err);
	if (salvage != NULL)
		salvage_warn(salvage, &warnings.warnings, name);
	if (st == ST_OK && job.tables_unread)
		command_warn(console,
			     "warning: %s: the disk in it was read back, but there is no memory to "
			     "count the references to its clusters: have efi-img check look at it "
			     "where there is more",
			     name);
	if (!arguments_has(arguments, "q") && !arguments_has(arguments, "dry-run")) {
		source_say_writes(source, n, console->out);
		if (st == ST_OK && with_disk(arguments))
			print_result(console, arguments, &job, size, goes_on, begin_ns);
	}
	if (st == ST_OK && !arguments_has(arguments, "q"))
		split_print(console, name, n_files);
	close_sources(source, n);
	return st;
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
	struct salvage *salvage = NULL;
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
		salvage = mem_alloc(sizeof *salvage);
		if (salvage == NULL) {
			error_set(&err, "%s", status_text(ST_NO_MEMORY));
			return command_failed(console, &err);
		}
	}
	st = convert(console, arguments, salvage, &err);
	code = copy_ended(console, st, with_disk(arguments), &err);
	if (st == ST_OK && salvage != NULL && salvage->bytes > 0)
		code = OUTCOME_LOST;
	mem_free(salvage);
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
