/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of disks for people. Columns, of the 79 that every console has without wrapping:
 *
 *   0               16       27                    49
 *   NAMES           SIZE     BUS    MODEL                              a disk
 *                            serial, table, block size, ...
 *     1 NAMES       SIZE     TYPE                  FILE SYSTEM         a partition
 *                            "LABEL"                        (beside the type where that is free)
 *                   SIZE       NAME                FILE SYSTEM         a logical volume in it
 */

#include "base/printable.h"
#include "base/size.h"
#include "base/text.h"
#include "base/utf.h"
#include "cli/list.h"
#include "disk/port.h"
#include "disk/serial.h"
#include "platform/path.h"

enum {
	NUMBER_COLUMNS = 3,
	SIZE_COLUMN = 16,
	SIZE_COLUMNS = 9,
	TEXT_COLUMN = SIZE_COLUMN + SIZE_COLUMNS + 2,
	BUS_COLUMNS = 7,
	TYPE_COLUMNS = 20,
	VOLUME_COLUMN = TEXT_COLUMN + TYPE_COLUMNS + 2,
	END_COLUMN = 79,
	LABEL_COLUMNS = 16, /* of a file system: FAT has 11, ext 16 */
	ITEM_BYTES = 256,
};

/*
 * A list of items, separated by commas and wrapped between two columns; nothing is printed for an
 * empty one.
 */
struct item_list {
	struct out *out;
	size_t left; /* where further lines begin */
	size_t at;   /* the column reached */
	bool begun;
};

static void list_item(struct item_list *items, const char *item)
{
	size_t n = utf8_columns(item);

	if (items->begun && items->at + 2 + n >= END_COLUMN) { /* with the comma that may follow */
		out_text(items->out, ",\n");
		items->at = 0;
	} else if (items->begun) {
		out_text(items->out, ", ");
		items->at += 2;
	}
	if (items->at < items->left) {
		out_spaces(items->out, items->left - items->at);
		items->at = items->left;
	}
	out_text(items->out, item);
	items->at += n;
	items->begun = true;
}

/*
 * "fs0:" and "blk1:", and not the shell's longer aliases ("hd1a65535a1:"), which are the same
 * device once more.
 */
static bool is_plain_name(const char *name)
{
	return text_starts_with(name, "fs") || text_starts_with(name, "blk");
}

/* Prints the first name, and the others as far as there is room, padded up to SIZE_COLUMN. */
static void print_names(struct out *out, const struct device *device, size_t column)
{
	size_t at = column;

	if (device == NULL || device->n_names == 0) {
		out_text(out, "-");
		at++;
	}
	for (size_t i = 0; device != NULL && i < device->n_names; i++) {
		size_t n = utf8_columns(device->names[i]) + (i > 0);

		if (i > 0 && (at + n >= SIZE_COLUMN || !is_plain_name(device->names[i])))
			continue;
		out_printf(out, "%s%s", i > 0 ? " " : "", device->names[i]);
		at += n;
	}
	out_spaces(out, at < SIZE_COLUMN ? SIZE_COLUMN - at : 1);
}

static void print_size(struct out *out, bool medium, uint64_t bytes)
{
	char text[32];
	struct out_buffer size;

	out_buffer_init(&size, text, sizeof text);
	if (medium)
		size_print(&size.out, bytes);
	else
		out_text(&size.out, "no medium");
	out_spaces(out, size.length < SIZE_COLUMNS ? SIZE_COLUMNS - size.length : 0);
	out_text(out, text);
}

static void print_quoted(struct out *out, const char *label, size_t max_columns)
{
	out_text(out, "\"");
	out_printable(out, label, max_columns);
	out_text(out, "\"");
}

/* Prints the contents of a partition or of a whole disk; `device` may be NULL. */
static void list_volume(struct item_list *items, const struct fs *volume,
			const struct device *device)
{
	bool mounted = device != NULL && device->volume.present;
	const char *label = mounted && device->volume.label[0] != '\0' ? device->volume.label
								       : volume->label;
	char text[ITEM_BYTES];
	struct out_buffer item;

	if (!mounted && volume->type[0] == '\0')
		return;
	out_buffer_init(&item, text, sizeof text);
	out_text(&item.out, volume->type[0] != '\0' ? volume->type : "volume");
	if (label[0] != '\0') {
		out_text(&item.out, " ");
		print_quoted(&item.out, label, LABEL_COLUMNS);
	}
	list_item(items, text);
	if (!mounted && !volume->has_used)
		return;
	out_buffer_init(&item, text, sizeof text);
	size_print(&item.out, mounted ? device->volume.free_bytes : volume->used);
	out_text(&item.out, mounted ? " free" : " used");
	list_item(items, text);
	if (mounted && device->volume.read_only && !device->read_only)
		list_item(items, "read-only");
}

static bool names_serial(const char *name)
{
	return text_starts_with(name + (name[0] == '"'), "serial=");
}

/* The name of a disk that a reboot does not change, as it is typed; "": it has none. */
static void stable_name(const struct inventory *inventory, const struct inventory_disk *disk,
			char *text, size_t capacity)
{
	struct out_buffer out;

	out_buffer_init(&out, text, capacity);
	selector_print_typed(inventory, &(struct selection){ .disk = disk }, &out.out);
	if (!path_is_selector(text + (text[0] == '"')))
		text[0] = '\0';
}

/*
 * Prints the port of a disk that looks like another one; if that is too long, the path is its name
 * in the next line.
 */
static void list_port(struct item_list *items, const struct inventory *inventory,
		      const struct inventory_disk *disk)
{
	char text[ITEM_BYTES];
	struct out_buffer item;

	out_buffer_init(&item, text, sizeof text);
	if (port_print_of_twin(inventory, disk, &item.out) && item.length > 0 &&
	    utf8_columns(text) + 1 < END_COLUMN - TEXT_COLUMN)
		list_item(items, text);
}

/* Prints a serial number that does not name the disk: of a bridge, or of another disk as well. */
static void print_serial(struct out *out, const char *serial)
{
	static const char before[] = "serial ", after[] = " (not unique)";

	out_text(out, before);
	out_printable(out, serial,
		      END_COLUMN - TEXT_COLUMN - (sizeof before - 1) - (sizeof after - 1) - 1);
	if (serial_is_typeable(serial))
		out_text(out, after);
}

/* Prints the facts, with `name` among them unless it is too long for the column. */
static void list_facts(struct item_list *items, const struct inventory *inventory,
		       const struct inventory_disk *disk, const char *name)
{
	static const char *const tables[] = {
		[PART_NONE] = "no partition table",
		[PART_MBR] = "MBR",
		[PART_GPT] = "GPT",
	};
	const struct device *device = disk->device;
	char text[ITEM_BYTES];
	struct out_buffer item;

	if (utf8_columns(name) > 0 && utf8_columns(name) + 1 < END_COLUMN - TEXT_COLUMN)
		list_item(items, name);
	if (device->serial[0] != '\0' && !names_serial(name)) {
		out_buffer_init(&item, text, sizeof text);
		print_serial(&item.out, device->serial);
		list_item(items, text);
	}
	list_port(items, inventory, disk);
	if (device->medium) {
		list_item(items, tables[disk->table.kind]);
		out_buffer_init(&item, text, sizeof text);
		out_printf(&item.out, "%u-byte blocks", device->block_bytes);
		list_item(items, text);
	}
	if (device->removable)
		list_item(items, "removable");
	if (device->read_only)
		list_item(items, "read-only");
	if (disk->started_from)
		list_item(items, "started from here");
	if (disk->unused_end)
		list_item(items, "partly unused (see help stick)");
}

/* Prints the note in lines of its own, wrapped between words. `about`: its subject, or "". */
static void print_note(struct out *out, const char *about, const char *note)
{
	size_t at = 3;

	if (note[0] == '\0')
		return;
	out_text(out, "  !");
	if (about[0] != '\0') {
		out_printf(out, " %s:", about);
		at += utf8_columns(about) + 2;
	}
	while (*note != '\0') {
		const char *blank = text_find(note, ' ');
		size_t n = blank != NULL ? (size_t)(blank - note) : text_length(note);

		if (at + 1 + n > END_COLUMN) {
			out_text(out, "\n   ");
			at = 3;
		}
		out_text(out, " ");
		out->write(out, note, n);
		at += 1 + n;
		note += blank != NULL ? n + 1 : n;
	}
	out_text(out, "\n");
}

/* Prints the logical volumes of a disk or a partition. */
static void print_logical(struct out *out, const struct logical_volumes *logical)
{
	enum { INDENT = 2, NAME_COLUMNS = TYPE_COLUMNS - INDENT };

	for (size_t i = 0; i < logical->n; i++) {
		const struct fs_volume *volume = &logical->volume[i];
		struct item_list items = { .out = out, .left = VOLUME_COLUMN };
		char name[ITEM_BYTES], about[ITEM_BYTES];
		struct out_buffer text;

		out_buffer_init(&text, name, sizeof name);
		out_printable(&text.out, volume->name, NAME_COLUMNS);
		out_spaces(out, SIZE_COLUMN);
		print_size(out, true, volume->size);
		out_spaces(out, 2 + INDENT);
		out_text(out, name);
		items.at = TEXT_COLUMN + INDENT + utf8_columns(name);
		list_volume(&items, &volume->fs, NULL);
		out_text(out, "\n");
		out_buffer_init(&text, about, sizeof about);
		out_printf(&text.out, "%s (%s)", name, volume->fs.type);
		print_note(out, about, volume->fs.note);
	}
}

static void print_facts(struct out *out, const struct inventory *inventory,
			const struct inventory_disk *disk)
{
	const struct device *device = disk->device;
	char name[SELECTOR_BYTES + 2];
	const char *bus = device->bus[0] != '\0' ? device->bus : "disk";
	struct item_list facts = { .out = out, .left = TEXT_COLUMN };
	struct item_list volume = facts;

	print_names(out, device, 0);
	print_size(out, device->medium, device->size_bytes);
	out_printf(out, "  %s", bus);
	if (device->model[0] != '\0') {
		size_t n = text_length(bus);

		out_spaces(out, n < BUS_COLUMNS ? BUS_COLUMNS - n : 1);
		out_printable(out, device->model, END_COLUMN - TEXT_COLUMN - BUS_COLUMNS);
	}
	out_text(out, "\n");
	stable_name(inventory, disk, name, sizeof name);
	list_facts(&facts, inventory, disk, name);
	if (facts.begun)
		out_text(out, "\n");
	if (utf8_columns(name) + 1 >= END_COLUMN - TEXT_COLUMN)
		out_printf(out, "   %s\n", name); /* never cut: it is to be typed */
	list_volume(&volume, &disk->volume, device);
	if (volume.begun)
		out_text(out, "\n");
	print_note(out, "", disk->drive_note);
	print_note(out, "", disk->twin_note);
	print_note(out, "", disk->table.note);
	print_note(out, disk->volume.type, disk->volume.note);
	print_logical(out, &disk->logical);
}

static void type_text(const struct inventory_disk *disk, const struct part *entry, struct out *out)
{
	char type[PART_TYPE_TEXT];

	if (entry == NULL) {
		out_text(out, disk->table.kind != PART_NONE ? "not in the table" : "");
	} else if (entry->type_name[0] != '\0') {
		out_text(out, entry->type_name);
	} else {
		part_type_print(disk->table.kind, entry, type);
		out_printf(out, "type %.8s%s", type, disk->table.kind == PART_GPT ? "..." : "");
	}
}

/*
 * Returns whether a label adds nothing to the type: none, "EFI system partition", "Basic data
 * partition" of "Microsoft basic data".
 */
static bool repeats_type(const char *label, const char *type)
{
	static const char ending[] = " partition";
	size_t n = text_length(label), n_ending = sizeof ending - 1, n_type = text_length(type);

	if (n == 0 || text_equal_nocase(label, type))
		return true;
	if (n <= n_ending || !text_equal_nocase(label + n - n_ending, ending))
		return false;
	n -= n_ending;
	if (n > n_type)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text_lower(label[i]) != text_lower(type[n_type - n + i]))
			return false;
	return true;
}

static void print_part(struct out *out, const struct inventory_disk *disk,
		       const struct inventory_part *part)
{
	struct item_list volume = { .out = out, .left = VOLUME_COLUMN };
	char type[TYPE_COLUMNS + 1], label[ITEM_BYTES] = "";
	struct out_buffer buffer;

	if (part->entry != NULL)
		out_printf(out, "%*u ", NUMBER_COLUMNS, part->entry->number);
	else
		out_spaces(out, NUMBER_COLUMNS + 1);
	print_names(out, part->device, NUMBER_COLUMNS + 1);
	print_size(out, true, part->size_bytes);
	out_buffer_init(&buffer, type, sizeof type);
	type_text(disk, part->entry, &buffer.out);
	if (buffer.length > 0)
		out_printf(out, "  %s", type);
	volume.at = buffer.length > 0 ? TEXT_COLUMN + buffer.length : TEXT_COLUMN - 2;
	list_volume(&volume, &part->volume, part->device);
	if (part->device != NULL && part->device->started_from)
		list_item(&volume, "started from here");
	if (part->entry != NULL && !repeats_type(part->entry->label, part->entry->type_name)) {
		out_buffer_init(&buffer, label, sizeof label);
		print_quoted(&buffer.out, part->entry->label, END_COLUMN - TEXT_COLUMN - 2);
		if (!volume.begun && VOLUME_COLUMN + utf8_columns(label) <= END_COLUMN) {
			list_item(&volume, label);
			label[0] = '\0';
		}
	}
	out_text(out, "\n");
	if (label[0] != '\0') {
		out_spaces(out, TEXT_COLUMN);
		out_printf(out, "%s\n", label);
	}
	print_note(out, part->volume.type, part->volume.note);
	print_logical(out, &part->logical);
}

static void print_disk(struct out *out, const struct inventory *inventory,
		       const struct inventory_disk *disk)
{
	print_facts(out, inventory, disk);
	for (size_t i = 0; i < disk->n; i++)
		print_part(out, disk, &disk->part[i]);
}

void selection_print_text(const struct inventory *inventory, const struct selection *selection,
			  struct out *out)
{
	if (selection->part != NULL)
		print_part(out, selection->disk, selection->part);
	else
		print_disk(out, inventory, selection->disk);
}

/* Disks that are missing from the list have no other place to be told. */
static void print_idle(struct out *out, const struct device_list *devices)
{
	char text[ITEM_BYTES];
	struct out_buffer words;

	for (size_t i = 0; i < devices->n_idle; i++) {
		out_buffer_init(&words, text, sizeof text);
		idle_controller_print(&devices->idle[i], &words.out);
		out_text(out, "\n");
		print_note(out, "", text);
	}
}

void inventory_print_text(const struct inventory *inventory, struct out *out)
{
	bool nameless = false;

	if (inventory->n == 0)
		out_text(out,
			 "The firmware shows no disk. Check that one is connected, and that its\n"
			 "controller is switched on in the firmware's settings and not in a RAID "
			 "mode.\n");
	for (size_t i = 0; i < inventory->n; i++) {
		if (i > 0)
			out_text(out, "\n");
		print_disk(out, inventory, &inventory->disk[i]);
	}
	print_idle(out, &inventory->devices);
	for (size_t i = 0; i < inventory->devices.n; i++)
		nameless = nameless || inventory->devices.device[i].n_names == 0;
	if (nameless)
		out_text(out, "\nThe shell has no names yet for some devices (-): run \"map -r\", "
			      "then list again.\n");
}
