/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * dd: copies a part of a disk. As in qemu-img, the operands are those of dd(1), and the target is a
 * new image; everything else is a copy as convert makes it (core/copy/).
 */
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/copy_options.h"
#include "cli/image_options.h"
#include "cli/output_options.h"
#include "cli/progress_option.h"
#include "copy/run.h"
#include "copy/result_print.h"
#include "copy/source.h"
#include "format/image_name.h"
#include "platform/clock.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the input (default: detected)" },
	{ 'O', "output-format", "FMT",
	  "format of the output (default: raw);\nqcow2, vmdk, vhdx, vdi ...: help all lists them" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0, "force", NULL, "replace the output file if it exists" },
	{ 0, "erase", "WHAT",
	  "confirm that the data on the output disk or partition\nis overwritten: see help "
	  "convert" },
	{ 0, "no-table", NULL, "with a disk as output: see help convert" },
	{ 0, "truncated", NULL, "with a disk as output: see help convert" },
	{ 0, "dry-run", NULL, "print the plan and write nothing: see help convert" },
	{ 0, "output", "STYLE", "format of --dry-run: human (default) or json" },
	{ 0, "no-verify", NULL, "with a disk on either side: do not verify the output" },
	{ 0 },
};

static const char notes[] =
	"Copies a part of the disk in the file `if` into a new image `of`: `count`\n"
	"blocks of `bs` bytes (default: 512), or all blocks, after skipping the first\n"
	"`skip` blocks. The new disk has the size of the copied part, rounded up to 512\n"
	"bytes. Input and output can be disks or partitions, under the rules of convert;\n"
	"the output is verified then. status=progress shows progress; of dd's other\n"
	"words for it, none and noxfer change nothing.\n";

enum {
	OPERAND_IF,
	OPERAND_OF,
	OPERAND_BS,
	OPERAND_COUNT,
	OPERAND_SKIP,
	OPERAND_STATUS,
	N_OPERANDS
};

struct dd {
	const char *text[N_OPERANDS]; /* NULL: not given */
	uint64_t number[N_OPERANDS];
};

/* dd(1) has statistics to leave out; here, nothing but progress is printed for files. */
static enum status check_status(const char *word, struct error *err)
{
	if (text_equal(word, "none") || text_equal(word, "noxfer") || text_equal(word, "progress"))
		return ST_OK;
	return fail(err, ST_INVALID, "status=%s: use none, noxfer or progress", word);
}

static enum status parse_operand(const char *word, struct dd *dd, struct error *err)
{
	static const char *const names[N_OPERANDS] = { "if=",    "of=",   "bs=",
						       "count=", "skip=", "status=" };

	for (size_t i = 0; i < N_OPERANDS; i++) {
		if (!text_starts_with(word, names[i]))
			continue;
		dd->text[i] = word + text_length(names[i]);
		if (i == OPERAND_STATUS)
			return check_status(dd->text[i], err);
		return i < OPERAND_BS ? ST_OK
				      : size_parse(dd->text[i], names[i], &dd->number[i], err);
	}
	return fail(err, ST_INVALID,
		    "\"%s\" is none of if=FILE, of=FILE, bs=N, count=N, skip=N, status=progress; "
		    "the output is flushed without an operand for it",
		    word);
}

static enum status parse(const struct arguments *arguments, struct dd *ret, struct error *err)
{
	struct dd dd = { .number[OPERAND_BS] = 512 };
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < arguments->n_operands; i++)
		st = parse_operand(arguments->operands[i], &dd, err);
	if (st != ST_OK)
		return st;
	if (dd.text[OPERAND_IF] == NULL || dd.text[OPERAND_OF] == NULL)
		return fail(err, ST_INVALID,
			    "both an input, if=FILE, and an output, of=FILE, are needed");
	if (dd.number[OPERAND_BS] == 0 || dd.number[OPERAND_BS] > INT32_MAX)
		return fail(err, ST_INVALID, "bs=%s: a block has 1 to %d bytes",
			    dd.text[OPERAND_BS], INT32_MAX);
	*ret = dd;
	return ST_OK;
}

/* The bytes in so many blocks; what does not fit is more than any disk has. */
static uint64_t blocks(const struct dd *dd, int operand)
{
	uint64_t bytes;

	return mul_ok(dd->number[operand], dd->number[OPERAND_BS], &bytes) ? bytes : UINT64_MAX;
}

/* What of the disk is copied. */
static void take_part(const struct console *console, const struct dd *dd, struct copy_request *r)
{
	uint64_t size = r->source[0].link[0].image->size;

	if (blocks(dd, OPERAND_SKIP) > size)
		command_warn(console,
			     "%s: skip=%s is past the end of the disk of %ju bytes; nothing is "
			     "copied",
			     dd->text[OPERAND_IF], dd->text[OPERAND_SKIP], size);
	r->first_byte = min_u64(blocks(dd, OPERAND_SKIP), size);
	r->n_bytes = size - r->first_byte;
	if (dd->text[OPERAND_COUNT] != NULL)
		r->n_bytes = min_u64(r->n_bytes, blocks(dd, OPERAND_COUNT));
}

static enum status take_options(const struct console *console, const struct arguments *arguments,
				const struct dd *dd, char *source_name[static 1],
				struct copy_request *r, struct error *err)
{
	bool erase = arguments_has(arguments, "erase"), json; /* taken when the plan is printed */
	enum status st;

	source_name[0] = (char *)(uintptr_t)dd->text[OPERAND_IF];
	*r = (struct copy_request){
		.storage = console->storage,
		.source_name = source_name,
		.n_sources = 1,
		.part = true,
		.target = image_name_plain(dd->text[OPERAND_OF]),
		.force = arguments_has(arguments, "force"),
		.sparse_bytes = 4096,
		.erase = erase ? arguments_value(arguments, "erase") : NULL,
		.no_table = arguments_has(arguments, "no-table"),
		.truncated = arguments_has(arguments, "truncated"),
		.no_verify = arguments_has(arguments, "no-verify"),
		.dry_run = arguments_has(arguments, "dry-run"),
	};
	st = image_format_get(arguments_has(arguments, "O") ? arguments_value(arguments, "O")
							    : "raw",
			      "-O", &r->format, err);
	if (st == ST_OK)
		st = output_style(arguments, &json, err);
	if (st == ST_OK && copy_makes_image(r))
		st = new_image_options(arguments, r->format, NULL, &r->options, err);
	return st == ST_OK ? copy_request_check(r, err) : st;
}

/* The same words as convert's, where there is a disk on either side. */
static void print_result(const struct console *console, const struct copy_request *r,
			 const struct copy_result *result, enum status st, uint64_t begin_ns)
{
	const struct result_facts facts = {
		.request = r,
		.result = result,
		.scope = r->n_bytes < r->source->link[0].image->size ? RESULT_PART : RESULT_ALL,
		.begin_ns = console->plain ? 0 : begin_ns,
	};

	if (r->dry_run)
		return;
	source_print_writes(r->source, 1, console->out);
	if (st == ST_OK && copy_has_disk(r))
		result_print_copy(&facts, console->out);
}

static bool shows_progress(const struct dd *dd)
{
	return dd->text[OPERAND_STATUS] != NULL && text_equal(dd->text[OPERAND_STATUS], "progress");
}

static enum status copy(const struct console *console, const struct arguments *arguments,
			const struct dd *dd, struct error *err)
{
	uint64_t begin_ns = platform_nanoseconds();
	struct copy_request request;
	struct console_warnings warnings;
	struct copy_plan_option plan;
	struct copy_result result;
	struct console_progress shown;
	struct progress progress = { .sink = shows_progress(dd) ? &shown.sink : NULL };
	struct chain source;
	char *name[1];
	enum status st = take_options(console, arguments, dd, name, &request, err);

	if (st == ST_OK)
		st = open_disk(console, arguments, "-f", dd->text[OPERAND_IF], &source, err);
	if (st != ST_OK) {
		create_values_free(&request.options);
		return st;
	}
	request.source = &source;
	request.warnings = &warnings.warnings;
	request.sink = &plan.sink;
	console_warnings_init(&warnings, console);
	console_progress_init(&shown, console, console->progress_in_out);
	copy_plan_option_init(&plan, console, arguments);
	take_part(console, dd, &request);
	st = copy_do(&request, &progress, &result, err);
	print_result(console, &request, &result, st, begin_ns);
	chain_close(&source);
	return st;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct error err;
	struct dd dd;
	bool disk;

	if (parse(arguments, &dd, &err) != ST_OK)
		return command_misused(console, "dd", &err);
	disk = storage_is_device(dd.text[OPERAND_IF]) || storage_is_device(dd.text[OPERAND_OF]);
	return copy_ended(console, copy(console, arguments, &dd, &err), disk, &err);
}

const struct command command_dd = {
	.name = "dd",
	.purpose = PURPOSE_EXPERT,
	.summary = "copy a part of a disk into a new image",
	.usage = "[OPTIONS] [bs=N] [count=N] [skip=N] if=FILE of=FILE",
	.options = options,
	.notes = notes,
	.example = "dd if=fs0:\\mydisk.qcow2 of=fs0:\\first.raw bs=1M count=16\ndd -O qcow2 bs=1M "
		   "skip=16 if=serial=S4X9NG0R12 of=fs0:\\rest.qcow2\n",
	.run = run,
};
