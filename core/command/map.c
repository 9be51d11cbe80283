/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * map: where the disk of an image is stored, one line for each range, with neighbours that continue
 * each other joined, as text or JSON in the form of qemu-img; or what is where on the disk as a
 * picture, with what a manifest or a rescue map says of it.
 */
#include "base/memory.h"
#include "base/printable.h"
#include "base/qemu_img.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/output_options.h"
#include "cli/image_options.h"
#include "cli/picture.h"
#include "engine/disk_map.h"
#include "engine/used_blocks.h"
#include "platform/person.h"
#include "record/manifest.h"
#include "record/rescue_map.h"

static const struct option options[] = {
	OPTION_PAGE,
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 0, "output", "STYLE", "human (default) or json" },
	{ 0, "picture", NULL, "draw the disk as a field of characters" },
	{ 0, "svg", NULL, "draw it as an SVG document" },
	{ 0, "map", "FILE", "draw what this rescue map says could not be read, too" },
	{ 0, "manifest", "FILE", "the same by this manifest, and what was unused" },
	{ 's', "start-offset", "N", "start at this offset of the disk (default: 0)" },
	{ 'l', "max-length", "N", "stop after this many bytes (default: at the end)" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

/* A range that is printed as one entry. */
struct entry {
	uint64_t start;
	struct disk_range range; /* length 0: none so far */
};

static bool continues(const struct entry *entry, const struct disk_range *next)
{
	const struct disk_range *range = &entry->range;
	uint64_t before = range->offset, after = next->offset;

	return range->length > 0 && range->depth == next->depth &&
	       range->present == next->present && range->zero == next->zero &&
	       range->data == next->data && range->has_offset == next->has_offset &&
	       (!range->has_offset || range->compressed == next->compressed) &&
	       (!range->has_offset ||
		(range->offset + range->length == next->offset &&
		 image_file_at(range->image, &before) == image_file_at(next->image, &after)));
}

static const char *bool_text(bool value)
{
	return value ? "true" : "false";
}

static void print_json(struct out *out, const struct entry *entry, bool first)
{
	const struct disk_range *range = &entry->range;
	uint64_t offset = range->offset;

	out_printf(out,
		   "%s{ \"start\": %ju, \"length\": %ju, \"depth\": %zu, \"present\": %s, "
		   "\"zero\": %s, \"data\": %s",
		   first ? "[" : ",\n", entry->start, range->length, range->depth,
		   bool_text(range->present), bool_text(range->zero), bool_text(range->data));
	if (QEMU_IMG_MAPS_COMPRESSED)
		out_printf(out, ", \"compressed\": %s", bool_text(range->compressed));
	if (range->has_offset) {
		(void)image_file_at(range->image, &offset); /* qemu-img prints no name here */
		out_printf(out, ", \"offset\": %ju", offset);
	}
	out_text(out, "}");
}

/* Prints "0x10000" in 16 columns; zero has no 0x. */
static void print_hex(struct out *out, uint64_t value)
{
	char text[24];
	struct out_buffer buffer;

	out_buffer_init(&buffer, text, sizeof text);
	out_printf(&buffer.out, value != 0 ? "0x%jx" : "%jx", value);
	out_printf(out, "%-16s", text);
}

static enum status print_human(struct out *out, const struct entry *entry, struct error *err)
{
	const struct disk_range *range = &entry->range;
	const struct image_file *file;
	uint64_t offset = range->offset;

	if (!range->data || range->zero)
		return ST_OK;
	if (!range->has_offset)
		return fail(err, ST_UNSUPPORTED,
			    "%s: the %s at offset %ju %shave no offset in the file to print; use "
			    "--output=json",
			    range->image->name, range->compressed ? "clusters" : "data",
			    entry->start, range->compressed ? "are compressed and " : "");
	file = image_file_at(range->image, &offset);
	print_hex(out, entry->start);
	print_hex(out, range->length);
	print_hex(out, offset);
	out_printable(out, file->name, SIZE_MAX);
	out_text(out, "\n");
	return ST_OK;
}

static enum status print_entry(struct out *out, const struct entry *entry, bool json, bool first,
			       struct error *err)
{
	if (!json)
		return print_human(out, entry, err);
	print_json(out, entry, first);
	return ST_OK;
}

static enum status print_map(struct out *out, struct image *image, uint64_t start, uint64_t end,
			     bool json, struct error *err)
{
	struct entry entry = { .start = start };
	bool first = true;
	enum status st = ST_OK;

	if (!json)
		out_printf(out, "%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	for (uint64_t at = start; st == ST_OK && at < end;) {
		struct disk_range next;

		if (platform_cancelled())
			return fail(err, ST_CANCELLED, "%s: stopped at offset %ju of the disk",
				    image->name, at);
		st = disk_map_at(image, at, end - at, &next);
		if (st != ST_OK)
			return fail(err, st, "%s: reading the map at offset %ju: %s", image->name,
				    at, status_text(st));
		at += next.length;
		if (continues(&entry, &next)) {
			entry.range.length += next.length;
			continue;
		}
		if (entry.range.length > 0) {
			st = print_entry(out, &entry, json, first, err);
			first = false;
		}
		entry = (struct entry){ .start = at - next.length, .range = next };
	}
	/* An empty disk is one entry of length 0, as in qemu-img. */
	if (st == ST_OK)
		st = print_entry(out, &entry, json, first, err);
	if (st == ST_OK && json)
		out_text(out, "]\n");
	return st;
}

static enum status parse_range(const struct arguments *arguments, uint64_t size,
			       uint64_t *ret_start, uint64_t *ret_end, struct error *err)
{
	uint64_t start = 0, length = size;
	enum status st = ST_OK;

	if (arguments_has(arguments, "s"))
		st = size_parse(arguments_value(arguments, "s"), "start offset", &start, err);
	if (st == ST_OK && arguments_has(arguments, "l"))
		st = size_parse(arguments_value(arguments, "l"), "maximum length", &length, err);
	if (st != ST_OK)
		return st;
	*ret_start = start;
	*ret_end = start + min_u64(length, start < size ? size - start : 0);
	return ST_OK;
}

/* ---- the picture ---- */

enum { TEXT_COLUMNS = 64, TEXT_LINES = 16, SVG_COLUMNS = 128, SVG_LINES = 64 };

static void leave_out(void *used, uint64_t offset, uint64_t n)
{
	used_map_leave_out(used, offset, n);
}

/* What nothing used when the image was made, by its own bitmap and by the manifest. */
static enum status find_unused(struct used_blocks *ret, struct image *image, const char *manifest,
			       struct error *err)
{
	uint64_t unnamed; /* the shortest ranges: they are drawn as zeros or data */
	enum status st = used_blocks_of_image(ret, image, err);

	if (st != ST_OK || manifest == NULL || image->size == 0)
		return st;
	if (ret->map.unused == NULL) {
		st = used_map_open(&ret->map, image->size);
		if (st != ST_OK)
			error_set(err, "%s: a map of what is unused: %s", image->name,
				  status_text(st));
	}
	if (st == ST_OK)
		st = manifest_ranges(manifest, MANIFEST_UNUSED, image->size, leave_out, &ret->map,
				     &unnamed, err);
	if (st != ST_OK)
		used_blocks_close(ret);
	return st;
}

/* ---- what a copy could not read, or has not read yet, by its records ---- */

struct loss {
	uint64_t offset, end;
};

/* Of one kind. They may overlap until they are sorted, and what is drawn goes from the first on. */
struct loss_list {
	struct loss *loss;
	size_t n, capacity, next;
	bool no_memory;
};

struct records {
	struct loss_list bad, untried; /* the first outweighs the other */
};

static void add_loss(void *user, uint64_t offset, uint64_t n)
{
	struct loss_list *list = user;

	if (list->n == list->capacity) {
		size_t capacity = 2 * list->n + 64;
		struct loss *more = mem_alloc(capacity * sizeof *more);

		list->no_memory = list->no_memory || more == NULL;
		if (more == NULL)
			return;
		if (list->n > 0)
			memcpy(more, list->loss, list->n * sizeof *more);
		mem_free(list->loss);
		list->loss = more;
		list->capacity = capacity;
	}
	list->loss[list->n++] = (struct loss){ offset, offset + n };
}

/* Shell's sort, by offset: records are in order, but a manifest could be changed. */
static void sort_losses(const struct loss_list *list)
{
	for (size_t gap = list->n / 2; gap > 0; gap /= 2)
		for (size_t i = gap; i < list->n; i++) {
			struct loss loss = list->loss[i];
			size_t k = i;

			for (; k >= gap && list->loss[k - gap].offset > loss.offset; k -= gap)
				list->loss[k] = list->loss[k - gap];
			list->loss[k] = loss;
		}
}

/* Whether `offset` is lost. *n is cut down to as many bytes as are the same. */
static bool is_lost(struct loss_list *list, uint64_t offset, uint64_t *n)
{
	const struct loss *loss;

	while (list->next < list->n && list->loss[list->next].end <= offset)
		list->next++;
	if (list->next == list->n)
		return false;
	loss = &list->loss[list->next];
	*n = min_u64(*n, (loss->offset <= offset ? loss->end : loss->offset) - offset);
	return loss->offset <= offset;
}

/* Of these a manifest names a part if there were many. */
static enum status read_manifest(const struct console *console, struct records *records,
				 const char *file, uint64_t disk_bytes, struct error *err)
{
	uint64_t unnamed;
	enum status st = manifest_ranges(file, MANIFEST_LOST, disk_bytes, add_loss, &records->bad,
					 &unnamed, err);

	if (st == ST_OK && unnamed > 0)
		command_warn(console,
			     "%s does not name all unreadable ranges: %ju bytes more are not drawn",
			     file, unnamed);
	return st;
}

static enum status read_rescue_map(struct records *records, struct storage *storage,
				   const char *name, uint64_t disk_bytes, struct error *err)
{
	struct rescue_map map;
	enum status st = rescue_map_open(&map, storage, name, disk_bytes, err);

	if (st == ST_OK && map.file.state == RECORD_ABSENT)
		st = fail(err, ST_NOT_FOUND, "%s: there is no such rescue map", name);
	for (size_t i = 0; st == ST_OK && i < map.all.n; i++) {
		const struct rescue_range *range = &map.all.range[i];

		if (range->status != RESCUE_FINISHED)
			add_loss(range->status == RESCUE_BAD ? &records->bad : &records->untried,
				 range->offset, range->end - range->offset);
	}
	rescue_map_close(&map);
	return st;
}

static enum status read_records(const struct console *console, const struct arguments *arguments,
				struct records *records, uint64_t disk_bytes, struct error *err)
{
	enum status st = ST_OK;

	if (arguments_has(arguments, "manifest"))
		st = read_manifest(console, records, arguments_value(arguments, "manifest"),
				   disk_bytes, err);
	if (st == ST_OK && arguments_has(arguments, "map"))
		st = read_rescue_map(records, console->storage, arguments_value(arguments, "map"),
				     disk_bytes, err);
	if (st == ST_OK && (records->bad.no_memory || records->untried.no_memory))
		st = fail_no_memory(err);
	sort_losses(&records->bad);
	sort_losses(&records->untried);
	return st;
}

/*
 * What the image has: data, or zeros, of which some were unused; and what it lacks. A raw file need
 * not know its zeros; in other images, data has been written where nothing was used.
 */
static enum status draw_image(struct picture *picture, struct image *image,
			      const struct used_map *used, struct records *records,
			      struct error *err)
{
	struct disk_range range;

	for (uint64_t at = picture->start, end = at + picture->n_bytes, n; at < end; at += n) {
		enum status st = platform_cancelled() ? ST_CANCELLED
						      : disk_map_at(image, at, end - at, &range);
		bool unused = false, bad, untried;

		if (st != ST_OK)
			return fail(err, st, "%s: reading the map at offset %ju: %s", image->name,
				    at, status_text(st));
		n = range.length;
		if (used->unused != NULL) {
			unused = used_map_unused(used, at, &n) &&
				 (range.zero || image->format->flat);
			n = min_u64(n, range.length);
		}
		bad = is_lost(&records->bad, at, &n);
		untried = is_lost(&records->untried, at, &n);
		picture_set(picture,
			    bad          ? PICTURE_UNREADABLE
			    : untried    ? PICTURE_UNTRIED
			    : unused     ? PICTURE_UNUSED
			    : range.zero ? PICTURE_ZERO
					 : PICTURE_DATA,
			    at, n);
	}
	return ST_OK;
}

static enum status print_picture(const struct console *console, const struct arguments *arguments,
				 struct image *image, uint64_t start, uint64_t end,
				 struct error *err)
{
	bool svg = arguments_has(arguments, "svg");
	size_t columns = svg ? SVG_COLUMNS : TEXT_COLUMNS;
	struct records records = { 0 };
	struct used_blocks used;
	struct picture picture;
	enum status st = picture_open(&picture, image->name, start, end - start, columns,
				      columns * (svg ? SVG_LINES : TEXT_LINES), err);

	if (st == ST_OK)
		st = read_records(console, arguments, &records, image->size, err);
	if (st == ST_OK) {
		st = find_unused(&used, image, arguments_value(arguments, "manifest"), err);
		if (st == ST_OK)
			st = draw_image(&picture, image, &used.map, &records, err);
		used_blocks_close(&used);
	}
	if (st == ST_OK)
		(svg ? picture_print_svg : picture_print_text)(&picture, console->out);
	picture_close(&picture);
	mem_free(records.bad.loss);
	mem_free(records.untried.loss);
	return st;
}

/* ---- the command ---- */

/* Whether a picture is asked for, and nothing that does not go with one. */
static enum status picture_option(const struct arguments *arguments, bool *ret_picture,
				  struct error *err)
{
	bool text = arguments_has(arguments, "picture"), svg = arguments_has(arguments, "svg");

	*ret_picture = text || svg;
	if (text && svg)
		return fail(err, ST_INVALID, "options --picture and --svg: only one of them");
	if (*ret_picture && arguments_has(arguments, "output"))
		return fail(err, ST_INVALID, "option --output: a picture has no other form");
	if (!*ret_picture &&
	    (arguments_has(arguments, "map") || arguments_has(arguments, "manifest")))
		return fail(err, ST_INVALID, "option --%s: only with --picture or --svg",
			    arguments_has(arguments, "map") ? "map" : "manifest");
	return ST_OK;
}

static int run(const struct console *console, struct arguments *arguments)
{
	uint64_t start, end;
	struct chain chain;
	struct error err;
	bool json, picture;
	enum status st;

	if (arguments->n_operands != 1) {
		error_set(&err, "one image file is expected, but %zu are given",
			  arguments->n_operands);
		return command_misused(console, "map", &err);
	}
	page_option(console, arguments);
	if (output_style(arguments, &json, &err) != ST_OK ||
	    picture_option(arguments, &picture, &err) != ST_OK)
		return command_misused(console, "map", &err);
	st = open_disk(console, arguments, "-f", arguments->operands[0], &chain, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	st = parse_range(arguments, chain.link[0].image->size, &start, &end, &err);
	if (st == ST_OK && picture)
		st = print_picture(console, arguments, chain.link[0].image, start, end, &err);
	else if (st == ST_OK)
		st = print_map(console->out, chain.link[0].image, start, end, json, &err);
	chain_close(&chain);
	return st == ST_OK ? EXIT_OK : command_failed(console, &err);
}

const struct command command_map = {
	.name = "map",
	.purpose = PURPOSE_EXPERT,
	.summary = "show how a disk is stored in its image",
	.usage = "[OPTIONS] FILE",
	.options = options,
	.example = "map fs0:\\mydisk.qcow2\nmap --output=json fs0:\\mydisk.qcow2\n"
		   "map --picture --manifest=fs0:\\old.qcow2.manifest fs0:\\old.qcow2\n",
	.run = run,
};
