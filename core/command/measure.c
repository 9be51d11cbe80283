/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * measure: the file size of a new image, calculated by the format that would create it. Text and
 * JSON are qemu-img's, but for a line about what of a disk is unused.
 */
#include "base/size.h"
#include "base/tree.h"
#include "cli/command.h"
#include "cli/output_options.h"
#include "cli/image_options.h"
#include "edit/measure.h"
#include "edit/snapshots.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of FILE (default: detected)" },
	{ 'f', "source-format", "FMT", OPTION_SAME },
	{ 'O', "target-format", "FMT",
	  "format of the new image (default: raw);\nqcow2, vmdk, vhdx, vdi ...: help all lists "
	  "them" },
	{ 'O', "output-format", "FMT", OPTION_SAME },
	{ 'o', "options", "LIST", "options of the new image, as for create" },
	{ 'o', "target-format-options", "LIST", OPTION_SAME },
	{ 'l', "snapshot", "WHICH", "a snapshot, as for convert (default: none)" },
	{ 's', "size", "N", "measure a new, empty disk of this size, not FILE" },
	{ 0, "all", NULL, "for a disk: count all of it, not only what is used" },
	{ 0, "output", "STYLE", "human (default) or json" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"Prints the size that the file of a new image would have: the required size,\n"
	"after FILE has been converted to it, and the fully allocated size, after its\n"
	"whole disk has been written. Copies of the bitmaps of FILE would add to both.\n"
	"For a disk or partition, the required size is what capture --no-compress would\n"
	"write: blocks that no file system uses are left out, zeros count as data, and a\n"
	"bitmap of the used blocks is added.\n";

static void print_human(struct out *out, const struct measure_result *result)
{
	out_printf(out, "required size: %ju\nfully allocated size: %ju\n", result->required_bytes,
		   result->full_bytes);
	if (result->has_bitmaps)
		out_printf(out, "bitmaps size: %ju\n", result->bitmaps_bytes);
	if (result->unused_bytes > 0)
		out_printf(out, "unused: %ju, not counted, since capture leaves it out\n",
			   result->unused_bytes);
}

static void print_json(struct out *out, const struct measure_result *result)
{
	struct tree tree;

	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	if (result->has_bitmaps)
		tree_number(&tree, "bitmaps", result->bitmaps_bytes);
	tree_number(&tree, "required", result->required_bytes);
	tree_number(&tree, "fully-allocated", result->full_bytes);
	tree_end(&tree);
}

/* Measures with the options of the new image; `job` has everything else. */
static enum status measure(const struct arguments *arguments, struct measure_job job,
			   struct measure_result *ret, struct error *err)
{
	struct create_values values;
	enum status st = new_image_options(arguments, job.format, NULL, &values, err);

	job.options = &values;
	if (st == ST_OK)
		st = measure_run(&job, ret, err);
	create_values_free(&values);
	return st;
}

static enum status open_source(struct storage *storage, const struct arguments *arguments,
			       struct chain *ret, struct error *err)
{
	const struct image_format *format;
	enum status st = format_option(arguments, "-f", &format, err);

	if (st != ST_OK)
		return st;
	if (arguments_has(arguments, "l"))
		return snapshots_open(storage, arguments->operands[0], format,
				      arguments_value(arguments, "l"), ret, err);
	return chain_open_disk(storage, arguments->operands[0], format, ret, err);
}

/* Measures a new, empty disk, or one with the contents of a file. */
static enum status measure_either(const struct console *console, const struct arguments *arguments,
				  struct measure_result *ret, struct error *err)
{
	struct console_warnings warnings;
	struct measure_job job = { .format = image_format_find("raw"),
				   .used_only = !arguments_has(arguments, "all"),
				   .warnings = &warnings.warnings };
	struct chain chain;
	enum status st = ST_OK;

	console_warnings_init(&warnings, console);
	if (arguments_has(arguments, "O"))
		st = format_option(arguments, "-O", &job.format, err);
	if (st == ST_OK && arguments->n_operands == 0) {
		st = size_parse(arguments_value(arguments, "size"), "size", &job.size, err);
		return st == ST_OK ? measure(arguments, job, ret, err) : st;
	}
	if (st == ST_OK)
		st = open_source(console->storage, arguments, &chain, err);
	if (st != ST_OK)
		return st;
	job.source = chain.link[0].image;
	job.size = job.source->size;
	st = measure(arguments, job, ret, err);
	chain_close(&chain);
	return st;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct measure_result result;
	struct error err;
	bool json, has_size = arguments_has(arguments, "size");

	if (arguments->n_operands > 1 || (arguments->n_operands == 1) == has_size) {
		error_set(&err,
			  "one image file or --size is expected, but %zu files%s are "
			  "given",
			  arguments->n_operands, has_size ? " and --size" : "");
		return command_misused(console, "measure", &err);
	}
	if (has_size && (arguments_has(arguments, "f") || arguments_has(arguments, "l"))) {
		error_set(&err, "options -f and -l need an image file");
		return command_misused(console, "measure", &err);
	}
	if (output_style(arguments, &json, &err) != ST_OK)
		return command_misused(console, "measure", &err);
	if (measure_either(console, arguments, &result, &err) != ST_OK)
		return command_failed(console, &err);
	if (json)
		print_json(console->out, &result);
	else
		print_human(console->out, &result);
	return EXIT_OK;
}

const struct command command_measure = {
	.name = "measure",
	.purpose = PURPOSE_EXPERT,
	.summary = "calculate the file size of a new image",
	.usage = "[OPTIONS] FILE | --size N",
	.options = options,
	.notes = notes,
	.example = "measure -O qcow2 fs0:\\disk.raw\nmeasure -O qcow2 -o preallocation=metadata "
		   "--size 50G\n",
	.run = run,
};
