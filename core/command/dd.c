/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_options.h"
#include "cli/disk_options.h"
#include "copy/convert.h"
#include "copy/result_print.h"
#include "copy/source.h"
#include "copy/target.h"
#include "platform/clock.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the input (default: detected)" },
	{ 'O', "output-format", "FMT", "format of the output: raw (default) or qcow2" },
	{ 'U', "force-share", NULL, "accepted for compatibility; has no effect" },
	{ 0, "force", NULL, "replace the output file if it exists" },
	{ 0, "erase", "WHAT",
	  "the output is this disk or partition, and what is on it\ncan go: see help convert" },
	{ 0, "no-table", NULL, "for a disk as output: see help convert" },
	{ 0, "dry-run", NULL, "for a disk as output: only say what would be done" },
	{ 0, "output", "STYLE", "of --dry-run: human (default) or json" },
	{ 0, "no-verify", NULL, "with a disk on either side: do not read the output back" },
	{ 0 },
};

static const char notes[] =
	"Copies a part of the disk in the file `if` into a new image `of`: `count`\n"
	"blocks of `bs` bytes (default: 512), or all there are, after leaving out the\n"
	"first `skip` blocks. The new disk has the size of what is copied, rounded up to\n"
	"512 bytes.\n"
	"Both can be disks or partitions, as with convert, under the same rules; what is\n"
	"written is read back then.\n";

enum { OPERAND_IF, OPERAND_OF, OPERAND_BS, OPERAND_COUNT, OPERAND_SKIP, N_OPERANDS };

struct dd {
	const char *text[N_OPERANDS]; /* NULL: not given */
	uint64_t number[N_OPERANDS];
};

static enum status parse_operand(const char *word, struct dd *dd, struct error *err)
{
	static const char *const names[N_OPERANDS] = { "if=", "of=", "bs=", "count=", "skip=" };

	for (size_t i = 0; i < N_OPERANDS; i++) {
		if (!text_starts_with(word, names[i]))
			continue;
		dd->text[i] = word + text_length(names[i]);
		return i < OPERAND_BS ? ST_OK
				      : size_parse(dd->text[i], names[i], &dd->number[i], err);
	}
	return fail(err, ST_INVALID, "\"%s\" is none of if=FILE, of=FILE, bs=N, count=N, skip=N",
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

static enum status take_options(uint64_t size, struct create_job *create, struct error *err)
{
	struct out_buffer digits;
	char text[24];
	enum status st = image_format_check_new(create->format, err);

	out_buffer_init(&digits, text, sizeof text);
	out_printf(&digits.out, "%ju", size);
	if (st == ST_OK)
		st = create_values_init(create->format->name, create->format->create.options,
					OPTIONS_CREATE, &create->options, err);
	return st == ST_OK ? create_values_set(&create->options, "size", text, err) : st;
}

static enum status copy_to_file(struct convert_job *job, struct create_job *create,
				struct error *err)
{
	enum status st = create_prepare(create, err);

	job->create = create;
	return st == ST_OK ? convert_run(job, err) : st;
}

static bool with_disk(const struct dd *dd)
{
	return storage_is_device(dd->text[OPERAND_IF]) || storage_is_device(dd->text[OPERAND_OF]);
}

static enum status copy(const struct console *console, const struct arguments *arguments,
			const struct dd *dd, struct convert_job *job, struct error *err)
{
	const char *format_name = arguments_has(arguments, "O") ? arguments_value(arguments, "O")
								: "raw",
		   *name = dd->text[OPERAND_OF];
	const struct chain *source = job->source;
	struct create_job create = { .storage = console->storage,
				     .file_name = name,
				     .replace = arguments_has(arguments, "force"),
				     .fill = true };
	struct target_job target = {
		.storage = console->storage, .name = name, .source = source, .n_sources = 1
	};
	uint64_t size = source->link[0].image->size;
	bool to_disk = storage_is_device(name);
	enum status st = image_format_get(format_name, "-O", &create.format, err);

	job->first_byte = min_u64(blocks(dd, OPERAND_SKIP), size);
	job->n_bytes = size - job->first_byte;
	if (dd->text[OPERAND_COUNT] != NULL)
		job->n_bytes = min_u64(job->n_bytes, blocks(dd, OPERAND_COUNT));
	if (st == ST_OK && !to_disk &&
	    (arguments_has(arguments, "erase") || arguments_has(arguments, "no-table") ||
	     arguments_has(arguments, "dry-run")))
		st = fail(err, ST_INVALID,
			  "options --erase, --no-table and --dry-run are for a disk or a partition "
			  "as output");
	if (st == ST_OK && !arguments_has(arguments, "dry-run"))
		st = source_settle(source, 1, NULL, err);
	if (st != ST_OK)
		return st;
	target.format = create.format;
	target.first_byte = job->first_byte;
	target.n_bytes = job->n_bytes;
	st = take_options(job->n_bytes, &create, err);
	if (st == ST_OK && to_disk)
		st = copy_to_disk(console, arguments, &target, job,
				  create.format->flat ? NULL : &create, err);
	else if (st == ST_OK)
		st = copy_to_file(job, &create, err);
	create_job_free(&create);
	job->create = NULL; /* it was in this frame */
	return st;
}

/* The same words as convert's, where there is a disk on either side. */
static void print_result(const struct console *console, const struct dd *dd,
			 const struct convert_job *job, uint64_t begin_ns)
{
	char *const source[] = { (char *)(uintptr_t)dd->text[OPERAND_IF] };
	struct result_facts facts = {
		.job = job,
		.storage = console->storage,
		.source = source,
		.target = dd->text[OPERAND_OF],
		.disk_bytes = job->n_bytes,
		.scope = job->n_bytes < job->source->link[0].image->size ? RESULT_PART : RESULT_ALL,
		.why_not = "--no-verify",
		.begin_ns = console->plain ? 0 : begin_ns,
	};

	source_say_writes(job->source, 1, console->out);
	result_print_copy(&facts, console->out);
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct convert_job job = { .n_sources = 1, .part = true, .sparse_bytes = 4096 };
	uint64_t begin_ns = platform_nanoseconds();
	struct chain source;
	struct error err;
	struct dd dd;
	enum status st;
	bool disk;

	if (parse(arguments, &dd, &err) != ST_OK)
		return command_misused(console, "dd", &err);
	disk = with_disk(&dd);
	st = open_disk(console, arguments, "-f", dd.text[OPERAND_IF], &source, &err);
	if (st != ST_OK)
		return copy_ended(console, st, disk, &err);
	if (blocks(&dd, OPERAND_SKIP) > source.link[0].image->size)
		command_warn(console,
			     "%s: skip=%s is past the end of the disk of %ju bytes; nothing is "
			     "copied",
			     dd.text[OPERAND_IF], dd.text[OPERAND_SKIP],
			     source.link[0].image->size);
	job.source = &source;
	job.verify = disk && !arguments_has(arguments, "no-verify");
	st = copy(console, arguments, &dd, &job, &err);
	if (st == ST_OK && disk && !arguments_has(arguments, "dry-run"))
		print_result(console, &dd, &job, begin_ns);
	else if (!arguments_has(arguments, "dry-run"))
		source_say_writes(&source, 1, console->out);
	chain_close(&source);
	return copy_ended(console, st, disk, &err);
}

const struct command command_dd = {
	.name = "dd",
	.purpose = PURPOSE_COPY,
	.summary = "copy a part of a disk into a new image",
	.usage = "[OPTIONS] [bs=N] [count=N] [skip=N] if=FILE of=FILE",
	.options = options,
	.notes = notes,
	.example = "dd if=fs0:\\mydisk.qcow2 of=fs0:\\first.raw bs=1M count=16\ndd -O qcow2 bs=1M "
		   "skip=16 if=serial=S4X9NG0R12 of=fs0:\\rest.qcow2\n",
	.run = run,
};
