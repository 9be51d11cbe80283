/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bench: the speed of requests of one size, with the options and output of qemu-img, and a table of
 * several sizes for disks. -w on a disk or partition goes through the same decisions as a restore
 * (copy/target_plan.h).
 */
#include "base/range.h"
#include "base/size.h"
#include "base/tree.h"
#include "cli/command.h"
#include "cli/output_options.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "cli/copy_options.h"
#include "copy/target_run.h"
#include "engine/speed.h"
#include "platform/clock.h"
#include "record/finished.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'c', "count", "N", "number of requests (default: 75000)" },
	{ 'd', "depth", "N", "accepted for compatibility; requests are sent one\nby one" },
	{ 0, "erase", "WHAT",
	  "with -w: erase this disk or partition; WHAT is its name\nin list after serial= (guid=, "
	  "path=)" },
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 0, "flush-interval", "N", "with -w: flush after every N requests (default: never)" },
	{ 'i', "aio", "AIO", "accepted for compatibility: native, threads, io_uring" },
	{ 'n', "native", NULL, "the same as -i native" },
	{ 0, "no-drain", NULL, OPTION_IGNORED },
	{ 'o', "offset", "OFFSET", "offset of the first request (default: 0)" },
	{ 0, "output", "STYLE", "style of the table: human (default) or json" },
	{ 0, "pattern", "BYTE", "with -w: the byte to write (default: 0)" },
	{ 'q', "quiet", NULL, OPTION_IGNORED },
	{ 's', "buffer-size", "SIZE", "size of a request (default: 4k)" },
	{ 'S', "step-size", "SIZE", "distance between requests (default and 0: their size)" },
	{ 't', "cache", "CACHE", OPTION_IGNORED },
	{ 'w', "write", NULL, "write instead of reading" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"For a disk or partition without -c, -s, -S and -o, prints a table: the speed of\n"
	"reading from its start in requests of several sizes, half a second each. No\n"
	"command can read it faster. With -w and --erase, the disk is written and\n"
	"flushed instead, under the same rules as with convert: its contents are lost.\n"
	"'help exit-codes' lists the exit codes of that.\n";

enum { REQUEST_MAX = INT32_MAX, HALF_A_SECOND = 500000000 };

/* ---- as qemu-img's ---- */

static enum status number(const struct arguments *arguments, const char *option, uint64_t least,
			  uint64_t most, uint64_t *ret, struct error *err)
{
	char name[24];
	struct out_buffer text;
	enum status st;

	if (!arguments_has(arguments, option))
		return ST_OK;
	out_buffer_init(&text, name, sizeof name);
	out_printf(&text.out, "option %s%s", option[1] == '\0' ? "-" : "--", option);
	st = size_parse(arguments_value(arguments, option), name, ret, err);
	if (st == ST_OK && (*ret < least || *ret > most))
		return fail(err, ST_INVALID, "%s: %ju is not from %ju to %ju", name, *ret, least,
			    most);
	return st;
}

static enum status parse(const struct arguments *arguments, struct speed_job *job,
			 struct error *err)
{
	uint64_t depth = 1, pattern = 0, bytes = 4096;
	enum status st = cache_option(arguments, "-t", err);

	job->count = 75000;
	job->write = arguments_has(arguments, "w");
	if (st == ST_OK)
		st = number(arguments, "c", 0, REQUEST_MAX, &job->count, err);
	if (st == ST_OK)
		st = number(arguments, "d", 1, REQUEST_MAX, &depth, err);
	if (st == ST_OK)
		st = number(arguments, "o", 0, SIZE_LIMIT, &job->offset, err);
	if (st == ST_OK)
		st = number(arguments, "pattern", 0, UINT8_MAX, &pattern, err);
	if (st == ST_OK)
		st = number(arguments, "s", 1, REQUEST_MAX, &bytes, err);
	if (st == ST_OK)
		st = number(arguments, "S", 0, REQUEST_MAX, &job->step, err);
	if (job->step == 0)
		job->step = bytes;
	if (st == ST_OK)
		st = number(arguments, "flush-interval", 1, REQUEST_MAX, &job->flush_every, err);
	if (st != ST_OK)
		return st;
	if (job->flush_every > 0 && !job->write)
		return fail(err, ST_INVALID,
			    "option --flush-interval needs -w: reading has nothing to flush");
	job->pattern = (uint8_t)pattern;
	job->bytes = (size_t)bytes;
	return ST_OK;
}

static void print_seconds(struct out *out, uint64_t nanoseconds)
{
	uint64_t milliseconds = (nanoseconds + 500000) / 1000000;

	out_printf(out, "Run completed in %ju.%03u seconds.\n", milliseconds / 1000,
		   (unsigned)(milliseconds % 1000));
}

static enum status run_requests(const struct console *console, struct speed_job *job,
				struct error *err)
{
	struct speed speed;
	enum status st;

	out_printf(console->out,
		   "Sending %ju %s requests, %zu bytes each, 1 in parallel (starting at offset "
		   "%ju, step size %ju)\n",
		   job->count, job->write ? "write" : "read", job->bytes, job->offset, job->step);
	if (job->flush_every > 0)
		out_printf(console->out, "Sending flush every %ju requests\n", job->flush_every);
	st = speed_run(job, &speed, err);
	if (st == ST_OK && job->write)
		st = image_flush(job->image, err);
	if (st == ST_OK)
		print_seconds(console->out, speed.nanoseconds);
	return st;
}

/* ---- the table of a device ---- */

static void print_row(const struct console *console, struct tree *json, size_t bytes,
		      const struct speed *speed)
{
	uint64_t microseconds = max_u64(speed->nanoseconds / 1000, 1), total = speed->count * bytes;

	if (json != NULL) {
		tree_object(json, NULL);
		tree_number(json, "request-bytes", bytes);
		tree_number(json, "requests", speed->count);
		tree_number(json, "microseconds", microseconds);
		tree_end(json);
		return;
	}
	out_printf(console->out, "%6zu KiB %10ju MB/s %10ju requests/s\n", bytes >> 10,
		   total / microseconds, speed->count * 1000000 / microseconds);
}

/* The time of the flush counts: data in the cache of the drive is not written. */
static enum status measure(const struct speed_job *job, struct speed *ret, struct error *err)
{
	enum status st = speed_run(job, ret, err);
	uint64_t start = platform_nanoseconds();

	if (st == ST_OK && job->write)
		st = image_flush(job->image, err);
	ret->nanoseconds += job->write ? platform_nanoseconds() - start : 0;
	return st;
}

static enum status run_table(const struct console *console, const struct speed_job *as,
			     bool as_json, struct error *err)
{
	static const size_t sizes[] = { 4 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20 };
	struct tree json;
	enum status st = ST_OK;

	tree_init(&json, console->out, TREE_JSON);
	if (as_json)
		tree_array(&json, NULL);
	for (size_t i = 0;
	     st == ST_OK && i < sizeof sizes / sizeof sizes[0] && sizes[i] <= as->image->size;
	     i++) {
		struct speed_job job = { .image = as->image,
					 .write = as->write,
					 .pattern = as->pattern,
					 .count = UINT64_MAX,
					 .step = sizes[i],
					 .bytes = sizes[i],
					 .limit_ns = HALF_A_SECOND };
		struct speed speed;

		st = measure(&job, &speed, err);
		if (st == ST_OK)
			print_row(console, as_json ? &json : NULL, sizes[i], &speed);
	}
	if (as_json)
		tree_end(&json);
	return st;
}

static bool is_plain(const struct arguments *arguments)
{
	static const char *const chosen[] = { "c", "s", "S", "o", "flush-interval" };

	for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
		if (arguments_has(arguments, chosen[i]))
			return false;
	return true;
}

static enum status measure_image(const struct console *console, const struct arguments *arguments,
				 bool json, struct speed_job *job, struct error *err)
{
	return storage_is_device(arguments->operands[0]) && is_plain(arguments)
		       ? run_table(console, job, json, err)
		       : run_requests(console, job, err);
}

/* A disk is overwritten under the rules of convert, and only with --erase. */
__attribute__((noinline)) /* keeps its large variables out of the frame of its callers */
static enum status
write_disk(const struct console *console, const struct arguments *arguments,
	   const struct image_format *format, bool json, struct speed_job *job, struct error *err)
{
	struct target_request request = { .storage = console->storage,
					  .name = arguments->operands[0],
					  .format = format != NULL ? format
								   : image_format_find("raw") };
	struct target_plan plan = { .request = &request };
	struct target_run target = { .plan = &plan };
	enum status st;

	if (!arguments_has(arguments, "erase"))
		return fail(err, ST_REFUSED,
			    "option -w: the contents of %s would be lost; to allow that, add "
			    "--erase= with its name in list after serial=, guid= or path=",
			    request.name);
	if (!request.format->flat)
		return fail(err, ST_UNSUPPORTED,
			    "option -f: -w writes the bytes of the disk, not a %s image on it",
			    request.format->name);
	request.erase = arguments_value(arguments, "erase");
	st = target_plan_decide(&plan, err);
	if (st == ST_OK && job->bytes > plan.size_bytes)
		st = fail(err, ST_INVALID, "%s: its %ju bytes are less than one request of %zu",
			  request.name, plan.size_bytes, job->bytes);
	if (st == ST_OK) {
		st = target_open(&target, &job->image, err);
		if (st == ST_OK)
			st = measure_image(console, arguments, json, job, err);
		image_close(job->image);
		target_close(&target);
	}
	return st;
}

static enum status bench(const struct console *console, const struct arguments *arguments,
			 const char *name, struct error *err)
{
	struct speed_job job = { 0 };
	const struct image_format *format;
	struct chain chain;
	bool json = false;
	enum status st = parse(arguments, &job, err);

	if (st == ST_OK)
		st = output_style(arguments, &json, err);
	if (st == ST_OK)
		st = format_option(arguments, "-f", &format, err);
	if (st != ST_OK)
		return st;
	if (job.write && storage_is_device(name))
		return write_disk(console, arguments, format, json, &job, err);
	if (arguments_has(arguments, "erase"))
		return fail(err, ST_INVALID,
			    "option --erase is for a disk or a partition, with -w");
	st = job.write ? chain_open_writable(console->storage, name, format, 0, &chain, err)
		       : chain_open_disk(console->storage, name, format, &chain, err);
	if (st != ST_OK)
		return st;
	job.image = chain.link[0].image;
	if (job.image->blk.sequential)
		st = fail(err, ST_UNSUPPORTED,
			  "%s: it can only be read from its beginning to its end, and bench reads "
			  "all over it",
			  name);
	else
		st = measure_image(console, arguments, json, &job, err);
	return finished_close_chain(&chain, st, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct error err;
	enum status st;

	if (arguments->n_operands != 1) {
		error_set(&err, "one image or disk is expected");
		return command_misused(console, "bench", &err);
	}
	st = bench(console, arguments, arguments->operands[0], &err);
	return copy_ended(console, st,
			  arguments_has(arguments, "w") &&
				  storage_is_device(arguments->operands[0]),
			  &err);
}

const struct command command_bench = {
	.name = "bench",
	.purpose = PURPOSE_EXPERT,
	.summary = "measure the speed of a disk or an image",
	.usage = "[OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "bench serial=S4X9NG0R12\n"
		   "bench -c 1000 -s 1M fs0:\\vm.qcow2\n"
		   "bench -w --erase=S4X9NG0R12 serial=S4X9NG0R12\n",
	.run = run,
};
