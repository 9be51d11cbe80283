/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * map: where the disk of an image is stored, one line for each range, with neighbours that continue
 * each other joined, as text or JSON in the form of qemu-img.
 */
#include "base/printable.h"
#include "base/qemu_img.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/output_options.h"
#include "cli/image_options.h"
#include "engine/disk_map.h"
#include "platform/person.h"

static const struct option options[] = {
	OPTION_PAGE,
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 0, "output", "STYLE", "human (default) or json" },
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

static int run(const struct console *console, struct arguments *arguments)
{
	uint64_t start, end;
	struct chain chain;
	struct error err;
	bool json;
	enum status st;

	if (arguments->n_operands != 1) {
		error_set(&err, "one image file is expected, but %zu are given",
			  arguments->n_operands);
		return command_misused(console, "map", &err);
	}
	page_option(console, arguments);
	if (output_style(arguments, &json, &err) != ST_OK)
		return command_misused(console, "map", &err);
	st = open_disk(console, arguments, "-f", arguments->operands[0], &chain, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	st = parse_range(arguments, chain.link[0].image->size, &start, &end, &err);
	if (st == ST_OK)
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
	.example = "map fs0:\\mydisk.qcow2\nmap --output=json fs0:\\mydisk.qcow2\n",
	.run = run,
};
