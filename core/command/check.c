/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * check: errors in the metadata of an image, and repairs. The format checks; this prints what it
 * finds as qemu-img does, whose order of members and rules about zeros in JSON are kept, and whose
 * exit codes scripts rely on.
 */
#include "base/text.h"
#include "base/tree.h"
#include "cli/command.h"
#include "cli/output_options.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "format/image.h"
#include "record/finished.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 0, "output", "STYLE", "human (default) or json" },
	{ 'q', "quiet", NULL, "print problems and errors only" },
	{ 'r', "repair", "WHAT", "repair leaks, or all errors (default: nothing)" },
	{ 'T', "cache", "CACHE", OPTION_IGNORED },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"Reads the metadata of the image, not its data; backing files need not exist.\n"
	"Errors go to standard error, the summary to standard output.\n\n"
	"-r leaks frees clusters that are not in use. -r all also repairs what would\n"
	"damage data later: refcounts, flags, and invalid entries without data. Errors\n"
	"that cannot be repaired without losing data are reported and left as they are;\n"
	"while there are any, leaked clusters are not freed. A power cut during a repair\n"
	"does no harm.\n\n"
	"Exit codes, after repairs: 0 no errors, 1 the check failed, 2 corrupt, 3 leaked\n"
	"clusters only, 63 images of this format cannot be checked; of several images,\n"
	"the first of these that one of them has. FILE can have the wildcards * and ? in\n"
	"its last part.\n";

enum { CODE_CORRUPT = 2, CODE_LEAKS = 3, CODE_NO_CHECKS = 63 };

/*
 * qemu-img prints per cents with printf("%.2f"), of a double. Where the true value lies right
 * between two hundredths, (2h + 1) / 200, the double nearest to it decides: its 53 bits are either
 * exact, which rounds to the even hundredth, or were rounded themselves.
 */
static bool tie_goes_up(uint64_t h)
{
	uint64_t whole = (2 * h + 1) / 200, rest = (2 * h + 1) % 200;
	unsigned bits = whole != 0 ? 64 - (unsigned)__builtin_clzll(whole) : 0;

	while (bits < 53) {
		rest *= 2;
		bits += bits > 0 || rest >= 200;
		rest %= 200;
	}
	return rest == 0 ? h % 2 == 1 : rest > 100;
}

/* part / whole in per cent, with two decimals. `part` is at most 2^48. */
static void print_percent(struct out *out, uint64_t part, uint64_t whole)
{
	uint64_t h = part * 10000 / whole, rest = part * 10000 % whole;

	if (rest > whole - rest || (rest == whole - rest && tie_goes_up(h)))
		h++;
	out_printf(out, "%ju.%02ju%%", h / 100, h % 100);
}

static void print_human(struct out *out, const struct check_result *result)
{
	if (result->corruptions_fixed > 0 || result->leaks_fixed > 0)
		out_printf(out,
			   "The following inconsistencies were found and repaired:\n\n    %ju "
			   "leaked clusters\n"
			   "    %ju corruptions\n\nDouble checking the fixed image now...\n",
			   result->leaks_fixed, result->corruptions_fixed);
	if (result->corruptions == 0 && result->leaks == 0 && result->check_errors == 0)
		out_text(out, "No errors were found on the image.\n");
	if (result->corruptions > 0)
		out_printf(out,
			   "\n%ju errors were found on the image.\n"
			   "Data may be corrupted, or further writes to the image may corrupt "
			   "it.\n",
			   result->corruptions);
	if (result->leaks > 0)
		out_printf(out,
			   "\n%ju leaked clusters were found on the image.\n"
			   "This means waste of disk space, but no harm to data.\n",
			   result->leaks);
	if (result->check_errors > 0)
		out_printf(out, "\n%ju internal errors have occurred during the check.\n",
			   result->check_errors);
	if (result->total_clusters > 0 && result->allocated_clusters > 0) {
		out_printf(out, "%ju/%ju = ", result->allocated_clusters, result->total_clusters);
		print_percent(out, result->allocated_clusters, result->total_clusters);
		out_text(out, " allocated, ");
		print_percent(out, result->fragmented_clusters, result->allocated_clusters);
		out_text(out, " fragmented, ");
		print_percent(out, result->compressed_clusters, result->allocated_clusters);
		out_text(out, " compressed clusters\n");
	}
	if (result->image_end_offset > 0)
		out_printf(out, "Image end offset: %ju\n", result->image_end_offset);
}

static void write_unless_zero(struct tree *tree, const char *key, uint64_t value)
{
	if (value != 0)
		tree_number(tree, key, value);
}

/* The order of the members, and which are left out, are qemu-img's. */
static void print_json(struct tree *tree, const char *name, const struct image *image,
		       const struct check_result *result)
{
	tree_object(tree, NULL);
	write_unless_zero(tree, "image-end-offset", result->image_end_offset);
	write_unless_zero(tree, "compressed-clusters", result->compressed_clusters);
	write_unless_zero(tree, "total-clusters", result->total_clusters);
	write_unless_zero(tree, "corruptions", result->corruptions);
	write_unless_zero(tree, "corruptions-fixed", result->corruptions_fixed);
	tree_number(tree, "check-errors", result->check_errors);
	write_unless_zero(tree, "leaks", result->leaks);
	write_unless_zero(tree, "leaks-fixed", result->leaks_fixed);
	write_unless_zero(tree, "allocated-clusters", result->allocated_clusters);
	tree_text(tree, "filename", name);
	tree_text(tree, "format", image->format->name);
	write_unless_zero(tree, "fragmented-clusters", result->fragmented_clusters);
	tree_end(tree);
}

/* The parsed command line. */
struct request {
	const char *name;                  /* of the image that is checked */
	bool several;                      /* there are others */
	struct tree tree;                  /* with `json` */
	const struct image_format *format; /* NULL: detected */
	bool repairs;
	enum repair repair; /* with `repairs` */
	bool json, quiet;
};

static int check(const struct console *console, struct request *r, struct image *image)
{
	struct check_result result;
	struct error err;
	enum status st;

	if (image->format->check.check == NULL ||
	    (r->repairs && image->format->check.repair == NULL)) {
		/* qemu-img's sentence, also for repairs: scripts search for it */
		error_set(&err, "%s: This image format does not support checks%s (%s)", r->name,
			  image->format->check.check == NULL ? "" : " with repairs",
			  image->format->name);
		(void)command_failed(console, &err); /* it has an exit code of its own */
		return CODE_NO_CHECKS;
	}
	if (r->repairs)
		st = image_repair(image, r->repair, console->err, &result, &err);
	else
		st = image_check(image, console->err, &result, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	if (!r->quiet && r->json)
		print_json(&r->tree, r->name, image, &result);
	else if (!r->quiet)
		print_human(console->out, &result);
	if (result.check_errors > 0) {
		error_set(&err, "%s: the check is incomplete because of the errors above", r->name);
		return command_failed(console, &err);
	}
	return result.corruptions > 0 ? CODE_CORRUPT : result.leaks > 0 ? CODE_LEAKS : EXIT_OK;
}

/* Parses the command line, before anything is opened. */
static enum status parse(const struct arguments *arguments, struct request *r, struct error *err)
{
	const char *repair = arguments_has(arguments, "r") ? arguments_value(arguments, "r") : NULL;
	enum status st;

	if (arguments->n_operands == 0)
		return fail(err, ST_INVALID, "no image file given");
	if (repair != NULL && !text_equal(repair, "leaks") && !text_equal(repair, "all"))
		return fail(err, ST_INVALID, "option -r: \"%s\" is neither leaks nor all", repair);
	r->several = arguments->n_operands > 1;
	if (repair != NULL && r->several)
		return fail(err, ST_INVALID,
			    "option -r: one image is repaired at a time, but %zu are given",
			    arguments->n_operands);
	r->repairs = repair != NULL;
	r->repair = r->repairs && text_equal(repair, "all") ? REPAIR_ALL : REPAIR_LEAKS;
	r->quiet = arguments_has(arguments, "q");
	st = output_style(arguments, &r->json, err);
	if (st == ST_OK)
		st = cache_option(arguments, "-T", err);
	return st == ST_OK ? format_option(arguments, "-f", &r->format, err) : st;
}

static int check_file(const struct console *console, struct request *r)
{
	struct image *image;
	struct error err;
	int code;

	if (r->several && !r->quiet && !r->json)
		out_printf(console->out, "%s:\n", r->name);
	if (image_open_file(console->storage, ROLE_IMAGE, r->name, r->format,
			    r->repairs ? OPEN_WRITE : OPEN_READ, &image, &err) != ST_OK)
		return command_failed(console, &err);
	code = check(console, r, image);
	if (code == EXIT_ERROR) {
		image_close(image);
		return code;
	}
	return finished_close_image(image, ST_OK, &err) == ST_OK ? code
								 : command_failed(console, &err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct request request = { 0 };
	struct error err;
	enum status st = parse(arguments, &request, &err);
	bool array = request.several && request.json && !request.quiet;
	int code = EXIT_OK;

	if (st == ST_INVALID)
		return command_misused(console, "check", &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	tree_init(&request.tree, console->out, TREE_JSON);
	if (array)
		tree_array(&request.tree, NULL);
	for (size_t i = 0; i < arguments->n_operands; i++) {
		int one;

		request.name = arguments->operands[i];
		one = check_file(console, &request);
		/* the smallest is the worst */
		code = code == EXIT_OK || (one != EXIT_OK && one < code) ? one : code;
	}
	if (array)
		tree_end(&request.tree);
	return code;
}

const struct command command_check = {
	.name = "check",
	.purpose = PURPOSE_IMAGES,
	.summary = "check an image for errors, and repair them",
	.usage = "[OPTIONS] FILE...",
	.wildcards = true,
	.options = options,
	.notes = notes,
	.example = "check fs0:\\mydisk.qcow2\ncheck --output=json fs0:\\mydisk.qcow2\ncheck -r all "
		   "fs0:\\mydisk.qcow2\n",
	.run = run,
};
