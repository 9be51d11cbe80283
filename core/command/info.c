/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * info: what an image file is, in the words of qemu-img, byte by byte, as text and as JSON; of a
 * disk or partition, what the list says of it after that. Also names what efi-img does not open:
 * unfinished images, and foreign formats.
 */
#include "base/memory.h"
#include "base/printable.h"
#include "base/qemu_img.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/list.h"
#include "cli/output_options.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "edit/snapshots.h"
#include "format/image_name.h"
#include "platform/path.h"
#include "record/unfinished.h"

static const struct option options[] = {
	OPTION_PAGE,
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 0, "output", "STYLE", "human (default) or json" },
	{ 0, "backing-chain", NULL, "the image and all its backing files" },
	{ 't', "cache", "CACHE", OPTION_IGNORED },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

/* Facts about an image that are not in the image. */
struct facts {
	const char *name;
	char *backing_path; /* the backing file's name as it can be opened; NULL without one */
	uint64_t allocated_bytes;
	const struct inventory *inventory; /* of a disk or partition; NULL: it is in a file */
	struct selection selection;        /* which one */
};

/* What is printed of one image after the other. */
struct report {
	struct out *out;
	struct tree tree; /* with `json` */
	bool json, array; /* of several images: one array */
	bool begun;
};

/* Begins with the next image. */
static void next(struct report *report)
{
	if (report->json && report->array && !report->begun)
		tree_array(&report->tree, NULL);
	else if (!report->json && report->begun)
		out_text(report->out, "\n");
	report->begun = true;
}

/* The length of the image's file, as QEMU counts it: in sectors. */
static uint64_t file_length(const struct image *image)
{
	return round_up(image->file[0].blk->size, 512);
}

/* ---- human ---- */

/* What newer versions of qemu-img print of the file below the format. */
static void print_child(struct out *out, const struct image *image, const struct facts *facts)
{
	out_printf(out, "Child node '/file':\n    filename: %s\n    protocol type: file\n",
		   facts->name);
	out_text(out, "    file length: ");
	size_print(out, file_length(image));
	out_printf(out, " (%ju bytes)\n    disk size: ", file_length(image));
	size_print(out, facts->allocated_bytes);
	out_text(out, "\n");
}

static void print_human(struct out *out, const struct image *image, const struct facts *facts)
{
	out_printf(out, "image: %s\nfile format: %s\nvirtual size: ", facts->name,
		   image->format->name);
	size_print(out, image->size);
	out_printf(out, " (%ju bytes)\ndisk size: ", image->size);
	size_print(out, facts->allocated_bytes);
	out_text(out, "\n");
	if (image->encrypted)
		out_text(out, "encrypted: yes\n");
	if (image->cluster_bytes != 0)
		out_printf(out, "cluster_size: %u\n", image->cluster_bytes);
	if (image->dirty)
		out_text(out, "cleanly shut down: no\n");
	if (image->backing_name != NULL) {
		out_text(out, "backing file: ");
		out_printable(out, image->backing_name, SIZE_MAX);
		if (!text_equal(image->backing_name, facts->backing_path)) {
			out_text(out, " (actual path: ");
			out_printable(out, facts->backing_path, SIZE_MAX);
			out_text(out, ")");
		}
		out_text(out, "\n");
	}
	if (image->backing_name != NULL && image->backing_format != NULL) {
		out_text(out, "backing file format: ");
		out_printable(out, image->backing_format, SIZE_MAX);
		out_text(out, "\n");
	}
	snapshots_print(out, image);
	if (image->format->describe != NULL) {
		struct tree tree;

		tree_init(&tree, out, TREE_LINES);
		out_text(out, "Format specific information:\n");
		tree_object(&tree, NULL);
		image->format->describe(image, &tree);
		tree_end(&tree);
	}
	if (QEMU_IMG_HAS_CHILDREN)
		print_child(out, image, facts);
	if (facts->inventory != NULL) {
		out_printf(out, "%s, as list shows it:\n",
			   facts->selection.part != NULL ? "Partition" : "Disk");
		selection_print_text(facts->inventory, &facts->selection, out);
	}
}

/* ---- JSON ---- */

static void write_child(struct tree *tree, const struct image *image, const struct facts *facts)
{
	tree_array(tree, "children");
	tree_object(tree, NULL);
	tree_text(tree, "name", "file");
	tree_object(tree, "info");
	tree_array(tree, "children");
	tree_end(tree);
	tree_number(tree, "virtual-size", file_length(image));
	tree_text(tree, "filename", facts->name);
	tree_text(tree, "format", "file");
	tree_number(tree, "actual-size", facts->allocated_bytes);
	tree_object(tree, "format-specific");
	tree_text(tree, "type", "file");
	tree_object(tree, "data");
	tree_end(tree);
	tree_end(tree);
	tree_bool(tree, "dirty-flag", false);
	tree_end(tree);
	tree_end(tree);
	tree_end(tree);
}

static void write_snapshots(struct tree *tree, const struct image *image)
{
	const uint64_t second = 1000000000;

	tree_array(tree, "snapshots");
	for (size_t i = 0; i < image->n_snapshots; i++) {
		const struct snapshot *snapshot = &image->snapshots[i];

		tree_object(tree, NULL);
		if (snapshot->icount != UINT64_MAX)
			tree_number(tree, "icount", snapshot->icount);
		tree_number(tree, "vm-clock-nsec", snapshot->clock_nanoseconds % second);
		tree_text(tree, "name", snapshot->name);
		tree_number(tree, "date-sec", snapshot->date_seconds);
		tree_number(tree, "date-nsec", snapshot->date_nanoseconds);
		tree_number(tree, "vm-clock-sec", snapshot->clock_nanoseconds / second);
		tree_text(tree, "id", snapshot->id);
		tree_number(tree, "vm-state-size", snapshot->vm_state_bytes);
		tree_end(tree);
	}
	tree_end(tree);
}

/* The order of the members is qemu-img's. */
static void write_json(struct tree *tree, const struct image *image, const struct facts *facts)
{
	tree_object(tree, NULL);
	if (QEMU_IMG_HAS_CHILDREN)
		write_child(tree, image, facts);
	if (image->backing_name != NULL && image->backing_format != NULL)
		tree_text(tree, "backing-filename-format", image->backing_format);
	if (image->n_snapshots > 0)
		write_snapshots(tree, image);
	tree_number(tree, "virtual-size", image->size);
	tree_text(tree, "filename", facts->name);
	if (image->cluster_bytes != 0)
		tree_number(tree, "cluster-size", image->cluster_bytes);
	tree_text(tree, "format", image->format->name);
	tree_number(tree, "actual-size", facts->allocated_bytes);
	if (image->format->describe != NULL) {
		tree_object(tree, "format-specific");
		tree_text(tree, "type", image->format->name);
		tree_object(tree, "data");
		image->format->describe(image, tree);
		tree_end(tree);
		tree_end(tree);
	}
	if (image->backing_name != NULL)
		tree_text(tree, "full-backing-filename", facts->backing_path);
	if (image->encrypted)
		tree_bool(tree, "encrypted", true);
	if (image->backing_name != NULL)
		tree_text(tree, "backing-filename", image->backing_name);
	if (!image->format->no_dirty_flag)
		tree_bool(tree, "dirty-flag", image->dirty);
	if (facts->inventory != NULL)
		selection_write_json(facts->inventory, &facts->selection, tree);
	tree_end(tree);
}

/* ---- unfinished images and foreign formats ---- */

static void print_unfinished_human(struct out *out, const char *name,
				   const struct unfinished *unfinished)
{
	out_printf(out, "image: %s\nfile format: unfinished\nunfinished: ", name);
	unfinished_print(unfinished, out);
	if (unfinished->resumes) {
		out_text(out, "\nresume with: ");
		unfinished_print_command(unfinished, name, out);
	}
	out_text(out, "\n");
}

__attribute__((noinline)) /* keeps its text out of the frame of its callers */
static void
write_command(struct tree *tree, const char *name, const struct unfinished *unfinished)
{
	char text[JOURNAL_OPTIONS_BYTES + SELECTOR_BYTES + 1024];
	struct out_buffer out;

	out_buffer_init(&out, text, sizeof text);
	unfinished_print_command(unfinished, name, &out.out);
	tree_text(tree, "command", text);
}

static void write_unfinished(struct tree *tree, const char *name,
			     const struct unfinished *unfinished)
{
	tree_object(tree, NULL);
	tree_text(tree, "filename", name);
	tree_text(tree, "format", "unfinished");
	tree_object(tree, "unfinished");
	tree_bool(tree, "resumes", unfinished->resumes);
	if (unfinished->resumes) {
		tree_text(tree, "disk", unfinished->journal.facts.disk);
		tree_number(tree, "done", unfinished->journal.done);
		tree_number(tree, "virtual-size", unfinished->journal.facts.size);
		write_command(tree, name, unfinished);
	} else {
		tree_text(tree, "reason", unfinished->why.text);
	}
	tree_end(tree);
	tree_end(tree);
}

/*
 * Prints the progress of an unfinished image; returns false if the file is not one. The exit code
 * is 1, so that a script that runs `info` before it passes the file on stops.
 */
__attribute__((noinline)) /* keeps its large variables out of the frame of its callers */
static bool
print_unfinished(struct report *report, const char *name)
{
	struct unfinished unfinished;

	if (!unfinished_look(name, &unfinished))
		return false;
	next(report);
	if (report->json)
		write_unfinished(&report->tree, name, &unfinished);
	else
		print_unfinished_human(report->out, name, &unfinished);
	return true;
}

/* Files but the first are open only while they are asked. */
static enum status gather_allocated(const char *name, const struct image *image, uint64_t *ret,
				    struct error *err)
{
	size_t n = image->format->counts_files ? image->n_files : 1;
	enum status st = ST_OK;

	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		struct blk *file = image->file[i].blk;
		uint64_t bytes = 0;

		if (i > 0)
			st = storage_reopen(image->storage, image->file[i].name, OPEN_READ, &file,
					    err);
		if (st != ST_OK)
			return st;
		st = blk_allocated(file, &bytes);
		if (i > 0)
			blk_close(file);
		if (st != ST_OK)
			return fail(err, st, "%s: asking how much space it takes: %s", name,
				    status_text(st));
		*ret += bytes;
	}
	return ST_OK;
}

static enum status gather(const char *name, const struct image *image, struct facts *ret,
			  struct error *err)
{
	struct facts facts = { .name = name };
	enum status st = gather_allocated(name, image, &facts.allocated_bytes, err);

	if (st == ST_OK && storage_is_device(name)) {
		st = storage_inventory(image->storage, &facts.inventory, err);
		if (st == ST_OK)
			st = selector_find(facts.inventory, name, &facts.selection, err);
	}
	if (st != ST_OK)
		return st;
	if (image->backing_name != NULL) {
		facts.backing_path = path_relative_to(name, image->backing_name);
		if (facts.backing_path == NULL)
			return fail_no_memory(err);
	}
	*ret = facts;
	return ST_OK;
}

static enum status print_chain(struct report *report, const struct chain *chain, struct error *err)
{
	for (size_t i = 0; i < chain->n; i++) {
		struct facts facts;
		enum status st = gather(chain->link[i].name, chain->link[i].image, &facts, err);

		if (st != ST_OK)
			return st;
		next(report);
		if (report->json)
			write_json(&report->tree, chain->link[i].image, &facts);
		else
			print_human(report->out, chain->link[i].image, &facts);
		mem_free(facts.backing_path);
	}
	return ST_OK;
}

/*
 * Prints the format of a file that efi-img does not read; returns false if the file is not one. The
 * exit code is 0, as in qemu-img: `info` has answered the question. The virtual size is not known,
 * and left out rather than guessed; all commands that need it refuse the file.
 */
static bool print_foreign(const struct console *console, struct report *report, const char *name,
			  const struct error *why)
{
	const struct foreign *foreign;
	struct error ignored; /* the error of opening the file says more */
	uint64_t bytes;

	if (image_foreign(console->storage, name, &foreign, &bytes, &ignored) != ST_OK ||
	    foreign == NULL)
		return false;
	next(report);
	if (report->json) {
		tree_object(&report->tree, NULL);
		tree_text(&report->tree, "filename", name);
		tree_text(&report->tree, "format", foreign->name);
		tree_number(&report->tree, "actual-size", bytes);
		tree_end(&report->tree);
	} else {
		out_printf(report->out, "image: %s\nfile format: %s\ndisk size: ", name,
			   foreign->name);
		size_print(report->out, bytes);
		out_text(report->out, "\n");
	}
	command_warn(console, "%s", why->text);
	return true;
}

static int describe(const struct console *console, struct report *report, const char *operand,
		    const struct image_format *format, bool whole)
{
	struct chain chain;
	struct error err;
	enum status st = chain_open(console->storage, ROLE_IMAGE, operand, format, whole, &chain,
				    &err);

	if (st == ST_REFUSED && print_unfinished(report, image_name_plain(operand)))
		return EXIT_ERROR;
	if ((st == ST_UNSUPPORTED || st == ST_CORRUPT) && format == NULL &&
	    print_foreign(console, report, image_name_plain(operand), &err))
		return EXIT_OK;
	if (st != ST_OK)
		return command_failed(console, &err);
	st = print_chain(report, &chain, &err);
	chain_close(&chain);
	return st == ST_OK ? EXIT_OK : command_failed(console, &err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	const struct image_format *format;
	bool whole = arguments_has(arguments, "backing-chain");
	struct report report = { .out = console->out, .array = whole || arguments->n_operands > 1 };
	struct error err;
	int code = EXIT_OK;

	if (arguments->n_operands == 0) {
		error_set(&err, "no image file given");
		return command_misused(console, "info", &err);
	}
	page_option(console, arguments);
	if (output_style(arguments, &report.json, &err) != ST_OK ||
	    cache_option(arguments, "-t", &err) != ST_OK)
		return command_misused(console, "info", &err);
	if (format_option(arguments, "-f", &format, &err) != ST_OK)
		return command_failed(console, &err);
	tree_init(&report.tree, console->out, TREE_JSON);
	for (size_t i = 0; i < arguments->n_operands; i++)
		if (describe(console, &report, arguments->operands[i], format, whole) != EXIT_OK)
			code = EXIT_ERROR;
	if (report.json && report.array && report.begun)
		tree_end(&report.tree);
	return code;
}

const struct command command_info = {
	.name = "info",
	.purpose = PURPOSE_IMAGES,
	.summary = "describe images",
	.usage = "[OPTIONS] FILE...",
	.wildcards = true,
	.options = options,
	.notes = "For a disk or partition, also prints what list shows of it.\n"
		 "For an unfinished image, prints its progress and the command that completes it;\n"
		 "the exit code is 1. FILE can have the wildcards * and ? in its last part.\n",
	.example = "info fs0:\\mydisk.qcow2\ninfo --backing-chain --output=json "
		   "fs0:\\vm\\overlay.qcow2\ninfo serial=NVME-0002\n",
	.run = run,
};
