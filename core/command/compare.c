/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * compare: whether two disks have the same contents (engine/compare.h). Output and exit codes are
 * qemu-img's.
 */
#include "cli/command.h"
#include "cli/progress_option.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "engine/compare.h"

static const struct option options[] = {
	{ 'f', "a-format", "FMT", "format of the first image (default: detected)" },
	{ 'F', "b-format", "FMT", "format of the second image (default: the same)" },
	{ 'T', "cache", "CACHE", OPTION_IGNORED },
	{ 'p', "progress", NULL, "show progress" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 's', "strict", NULL, "sizes and allocation must be the same, too" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"Compares the contents of two disks. If one is larger, the rest of it must be\n"
	"zeros.\n\n"
	"Exit codes: 0 identical, 1 different, 2 an image could not be opened, 3 the\n"
	"allocation of an image could not be read, 4 the data could not be read.\n";

enum { CODE_DIFFERENT = 1, CODE_NOT_OPENED = 2, CODE_NO_STATUS = 3, CODE_NO_DATA = 4 };

static void write_nothing(struct out *out, const char *bytes, size_t n)
{
	(void)out;
	(void)bytes;
	(void)n;
}

/* Prints the outcome. Returns the exit code. */
static int conclude(const struct console *console, struct out *out, enum compare_outcome outcome,
		    uint64_t offset, const struct error *err)
{
	switch (outcome) {
	case COMPARE_SAME:
		out_text(out, "Images are identical.\n");
		return EXIT_OK;
	case COMPARE_CONTENT:
		out_printf(out, "Content mismatch at offset %ju!\n", offset);
		return CODE_DIFFERENT;
	case COMPARE_ALLOCATION:
		out_printf(out, "Strict mode: Offset %ju block status mismatch!\n", offset);
		return CODE_DIFFERENT;
	default:
		(void)command_failed(console, err); /* EXIT_ERROR means "different" here */
		return outcome == COMPARE_NO_MAP ? CODE_NO_STATUS : CODE_NO_DATA;
	}
}

static int compare(const struct console *console, const struct arguments *arguments,
		   struct image *a, struct image *b)
{
	struct out nowhere = { .write = write_nothing };
	bool quiet = arguments_has(arguments, "q");
	struct out *out = quiet ? &nowhere : console->out;
	struct console_progress shown;
	struct progress progress = { .sink = progress_option(console, arguments, &shown) };
	struct comparison comparison = { .disk = { a, b },
					 .strict = arguments_has(arguments, "s"),
					 .progress = &progress };
	enum compare_outcome outcome;
	uint64_t offset = 0, size = a->size > b->size ? a->size : b->size;
	struct error err;
	int code;

	progress_begin(&progress, size);
	progress_phase(&progress, "comparing", size);
	if (comparison.strict && a->size != b->size) {
		out_text(out, "Strict mode: Image size mismatch!\n");
		code = CODE_DIFFERENT;
	} else {
		outcome = compare_common(&comparison, &offset, &err);
		if (outcome == COMPARE_SAME && a->size != b->size) {
			out_text(out, "Warning: Image size mismatch!\n");
			outcome = compare_rest(&comparison, &offset, &err);
		}
		code = conclude(console, out, outcome, offset, &err);
	}
	progress_end(&progress);
	return code;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct chain a, b;
	struct error err;
	enum status st;
	int code = CODE_NOT_OPENED;

	if (arguments->n_operands != 2) {
		error_set(&err, "two image files are expected, but %zu are given",
			  arguments->n_operands);
		return command_misused(console, "compare", &err);
	}
	st = cache_option(arguments, "-T", &err);
	if (st == ST_OK)
		st = open_disk(console, arguments, "-f", arguments->operands[0], &a, &err);
	if (st == ST_OK) {
		st = open_disk(console, arguments, "-F", arguments->operands[1], &b, &err);
		if (st == ST_OK) {
			code = compare(console, arguments, a.link[0].image, b.link[0].image);
			chain_close(&b);
		}
		chain_close(&a);
	}
	if (st != ST_OK)
		(void)command_failed(console, &err); /* EXIT_ERROR means "different" here */
	return code;
}

const struct command command_compare = {
	.name = "compare",
	.purpose = PURPOSE_IMAGES,
	.summary = "compare the contents of two disks",
	.usage = "[OPTIONS] FILE1 FILE2",
	.options = options,
	.notes = notes,
	.example = "compare fs0:\\mydisk.qcow2 fs1:\\backup.raw\ncompare -s -f raw -F raw "
		   "fs0:\\a.img fs0:\\b.img\n",
	.run = run,
};
