/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Selectors in both directions: selector_find() finds what a name selects, selector_print() prints
 * the best name.
 *
 * A name has two readings, because a serial number or a device path may itself end in a colon and
 * digits: "serial=X:1" is the disk with the serial number "X:1", or partition 1 of the disk "X".
 * Both readings are looked up, and a name with two results is refused as ambiguous. For the second
 * reading the disk "X" is enough, with or without such a partition: otherwise a write to one disk
 * could change the meaning of another disk's name.
 *
 * selector_print() takes the candidates in their order, looks each up as selector_find() does, and
 * prints the first that leads to this device alone. As --erase takes a name without its prefix,
 * that must not lead to another device after any other prefix either.
 *
 * Nothing is opened here; results hold for the inventory that was searched.
 */

#include "disk/selector.h"

#include "base/out.h"
#include "base/size.h"
#include "base/text.h"
#include "base/words.h"
#include "disk/port.h"
#include "disk/serial.h"
#include "platform/devices.h"
#include "platform/path.h"

enum key { KEY_SERIAL, KEY_GUID, KEY_PATH, KEY_NAME };

static const char *const prefixes[] = {
	[KEY_SERIAL] = "serial=", [KEY_GUID] = "guid=", [KEY_PATH] = "path=", [KEY_NAME] = ""
};

/* ---- Matching ---- */

/* What to look for: the first `n` bytes of `value`. */
struct wanted {
	enum key key;
	const char *value;
	size_t n;
};

static bool is_called(const struct wanted *wanted, const char *text)
{
	size_t i = 0;

	while (i < wanted->n && text[i] != '\0' &&
	       text_lower(text[i]) == text_lower(wanted->value[i]))
		i++;
	return i == wanted->n && i > 0 && text[i] == '\0';
}

static bool has_guid(const struct wanted *wanted, const struct inventory_disk *disk,
		     const struct guid *guid)
{
	char text[GUID_TEXT];

	if (wanted->n != GUID_TEXT - 1 || disk->table.kind != PART_GPT || guid_is_zero(guid))
		return false;
	guid_print(guid, text);
	return is_called(wanted, text);
}

static bool has_name(const struct wanted *wanted, const struct device *device)
{
	for (size_t i = 0; i < device->n_names; i++)
		if (is_called(wanted, device->names[i]))
			return true;
	return false;
}

static bool disk_matches(const struct wanted *wanted, const struct inventory_disk *disk)
{
	switch (wanted->key) {
	case KEY_SERIAL:
		return is_called(wanted, disk->device->serial);
	case KEY_GUID:
		return has_guid(wanted, disk, &disk->table.disk_guid);
	case KEY_PATH:
		return is_called(wanted, disk->device->path);
	default:
		return has_name(wanted, disk->device);
	}
}

static bool part_matches(const struct wanted *wanted, const struct inventory_disk *disk,
			 const struct inventory_part *part)
{
	switch (wanted->key) {
	case KEY_SERIAL:
		return false;
	case KEY_GUID:
		return part->entry != NULL && has_guid(wanted, disk, &part->entry->guid);
	case KEY_PATH:
		return part->device != NULL && is_called(wanted, part->device->path);
	default:
		return part->device != NULL && has_name(wanted, part->device);
	}
}

/* The list of candidates in an error text; its last line has the number of those left out. */
struct candidates {
	char text[sizeof((struct error *)NULL)->text - 200];
	size_t length, n_left_out;
};

static void add_candidate(struct candidates *, const struct inventory *, const struct selection *);

/* Counts the matches, and returns the first in *ret. Adds all of them to `list`, unless NULL. */
static size_t count(const struct inventory *inventory, const struct wanted *wanted,
		    struct selection *ret, struct candidates *list)
{
	size_t n = 0;

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_disk *disk = &inventory->disk[i];

		for (size_t k = 0; k <= disk->n; k++) {
			struct selection found = { .disk = disk,
						   .part = k > 0 ? &disk->part[k - 1] : NULL };

			if (k > 0 ? !part_matches(wanted, disk, found.part)
				  : !disk_matches(wanted, disk))
				continue;
			if (n++ == 0)
				*ret = found;
			if (list != NULL)
				add_candidate(list, inventory, &found);
		}
	}
	return n;
}

/* ---- Reading a name ---- */

struct meaning {
	size_t n;               /* results */
	struct selection first; /* of them */
	bool no_such_part;      /* `first` is a disk without the partition of this number */
	uint64_t number;
};

/* Removes ":3" from the end. */
static bool take_number(struct wanted *wanted, uint64_t *ret_number)
{
	size_t n = wanted->n;

	while (n > 0 && text_is_digit(wanted->value[n - 1]))
		n--;
	if (n < 2 || n == wanted->n || wanted->value[n - 1] != ':' ||
	    !text_to_u64(wanted->value + n, ret_number))
		return false;
	wanted->n = n - 1;
	return true;
}

static const struct inventory_part *numbered_part(const struct inventory_disk *disk,
						  uint64_t number)
{
	for (size_t i = 0; i < disk->n; i++)
		if (disk->part[i].entry != NULL && disk->part[i].entry->number == number)
			return &disk->part[i];
	return NULL;
}

static bool same(const struct selection *a, const struct selection *b)
{
	return a->disk == b->disk && a->part == b->part;
}

/* Reads a name as that of a disk, followed by the number of a partition. */
static void read_numbered(const struct inventory *inventory, struct wanted wanted,
			  struct meaning *meaning, struct candidates *list)
{
	if (wanted.key == KEY_NAME || !take_number(&wanted, &meaning->number))
		return;
	for (size_t i = 0; i < inventory->n; i++) {
		struct selection found = { .disk = &inventory->disk[i] };

		if (!disk_matches(&wanted, found.disk))
			continue;
		found.part = numbered_part(found.disk, meaning->number);
		if (meaning->n == 1 && same(&found, &meaning->first))
			continue;
		if (meaning->n++ == 0) {
			meaning->first = found;
			meaning->no_such_part = found.part == NULL;
		}
		if (list != NULL)
			add_candidate(list, inventory, &found);
	}
}

/* Looks a name up in both readings. Adds all results to `list`, unless NULL. */
static struct meaning read_name(const struct inventory *inventory, const struct wanted *wanted,
				struct candidates *list)
{
	struct meaning meaning = { .n = 0 };

	meaning.n = count(inventory, wanted, &meaning.first, list);
	read_numbered(inventory, *wanted, &meaning, list);
	return meaning;
}

/* ---- Printing a name ---- */

/* Whether a name leads to one selection only; with `or_nowhere`, also if it leads to none. */
static bool leads_to(const struct inventory *inventory, enum key key, const char *value,
		     const struct selection *to, bool or_nowhere)
{
	struct wanted wanted = { .key = key, .value = value, .n = text_length(value) };
	struct meaning meaning = read_name(inventory, &wanted, NULL);

	if (meaning.n == 0)
		return or_nowhere;
	return meaning.n == 1 && !meaning.no_such_part && same(&meaning.first, to);
}

/* Prints a name, with the number of a partition (0: none), if that is unambiguous. */
static bool print_proved(const struct inventory *inventory, const struct selection *selection,
			 enum key key, const char *name, uint64_t number, struct out *out)
{
	char value[SELECTOR_BYTES];
	struct out_buffer text;

	out_buffer_init(&text, value, sizeof value);
	out_text(&text.out, name);
	if (number > 0)
		out_printf(&text.out, ":%ju", number);
	/* a value that looks like a selector could be the name of another device for --erase */
	if (name[0] == '\0' || path_is_selector(name) || text.out.failed ||
	    !leads_to(inventory, key, value, selection, false))
		return false;
	for (enum key other = KEY_SERIAL; other <= KEY_NAME; other++)
		if (other != key && !leads_to(inventory, other, value, selection, true))
			return false;
	out_printf(out, "%s%s", prefixes[key], value);
	return true;
}

/* Prints a name of the firmware's device; false: none is unambiguous. */
static bool print_device(const struct inventory *inventory, const struct selection *selection,
			 const struct device *device, struct out *out)
{
	const char *path = device->path, *name = device->n_names > 0 ? device->names[0] : "";

	return (serial_is_typeable(path) &&
		print_proved(inventory, selection, KEY_PATH, path, 0, out)) ||
	       print_proved(inventory, selection, KEY_NAME, name, 0, out) ||
	       print_proved(inventory, selection, KEY_PATH, path, 0, out);
}

static void guid_text(const struct inventory_disk *disk, const struct guid *guid,
		      char text[static GUID_TEXT])
{
	text[0] = '\0';
	if (disk->table.kind == PART_GPT && !guid_is_zero(guid))
		guid_print(guid, text);
}

/* Prints the name of the disk, for a partition with its number; false: none is unambiguous. */
static bool print_by_disk(const struct inventory *inventory, const struct selection *selection,
			  struct out *out)
{
	const struct inventory_disk *disk = selection->disk;
	const char *serial = serial_identifies(disk->device->serial) ? disk->device->serial : "";
	const char *path = serial_is_typeable(disk->device->path) ? disk->device->path : "";
	uint64_t number = selection->part != NULL ? selection->part->entry->number : 0;
	char guid[GUID_TEXT];

	guid_text(disk, &disk->table.disk_guid, guid);
	return print_proved(inventory, selection, KEY_SERIAL, serial, number, out) ||
	       print_proved(inventory, selection, KEY_GUID, guid, number, out) ||
	       print_proved(inventory, selection, KEY_PATH, path, number, out);
}

void selector_print(const struct inventory *inventory, const struct selection *selection,
		    struct out *out)
{
	const struct inventory_part *part = selection->part;
	const struct device *device = part != NULL ? part->device : selection->disk->device;
	char guid[GUID_TEXT];

	if ((part == NULL || part->entry != NULL) && print_by_disk(inventory, selection, out))
		return;
	if (part != NULL && part->entry != NULL) {
		guid_text(selection->disk, &part->entry->guid, guid);
		if (print_proved(inventory, selection, KEY_GUID, guid, 0, out))
			return;
	}
	if (device != NULL)
		(void)print_device(inventory, selection, device, out);
}

void selector_print_typed(const struct inventory *inventory, const struct selection *selection,
			  struct out *out)
{
	char name[SELECTOR_BYTES], *word = name;
	struct out_buffer text;

	out_buffer_init(&text, name, sizeof name);
	selector_print(inventory, selection, &text.out);
	if (text.length > 0)
		words_print(&word, 1, out);
}

/* The preferred map name; "" without one. */
static const char *map_name(const struct selection *selection)
{
	const struct device *device = selection->disk->device;

	if (selection->part != NULL) {
		if (selection->part->device == NULL)
			return "";
		device = selection->part->device;
	}
	return device->n_names > 0 ? device->names[0] : "";
}

/* Prints a line of the error text, after a newline. */
static void print_candidate(const struct inventory *inventory, const struct selection *selection,
			    struct out *out)
{
	const struct device *disk = selection->disk->device;
	const char *name = map_name(selection);
	char text[SELECTOR_BYTES];
	struct out_buffer port;

	out_text(out, "\n  ");
	selector_print_typed(inventory, selection, out);
	out_printf(out, "  (%s%s", name, name[0] != '\0' ? " " : "");
	if (selection->part == NULL && disk->model[0] != '\0')
		out_printf(out, "%s, ", disk->model);
	if (selection->part == NULL && disk->serial[0] != '\0')
		out_printf(out, "serial %s, ", disk->serial);
	if (disk->medium)
		size_print(out, selection->part != NULL ? selection->part->size_bytes
							: disk->size_bytes);
	else
		out_text(out, "no medium");
	out_buffer_init(&port, text, sizeof text);
	if (port_print_of_twin(inventory, selection->disk, &port.out) && port.length > 0)
		out_printf(out, ", at %s", text);
	out_text(out, ")");
}

static void add_candidate(struct candidates *list, const struct inventory *inventory,
			  const struct selection *selection)
{
	static const size_t room_for_last = 60;
	struct out_buffer line;

	out_buffer_init(&line, list->text + list->length,
			sizeof list->text - list->length - room_for_last);
	if (list->n_left_out == 0)
		print_candidate(inventory, selection, &line.out);
	if (list->n_left_out == 0 && !line.out.failed) {
		list->length += line.length;
		return;
	}
	list->n_left_out++;
	out_buffer_init(&line, list->text + list->length, sizeof list->text - list->length);
	out_printf(&line.out, "\n  and %zu more; see list", list->n_left_out);
}

/* ---- Finding ---- */

static enum status not_found(const struct inventory *inventory, const char *name, struct error *err)
{
	struct candidates list = { .length = 0 };

	for (size_t i = 0; i < inventory->n; i++)
		add_candidate(&list, inventory, &(struct selection){ .disk = &inventory->disk[i] });
	if (inventory->n == 0)
		return fail(err, ST_NOT_FOUND,
			    "%s: there is no such disk; the machine has no disks", name);
	return fail(err, ST_NOT_FOUND, "%s: there is no such disk or partition; the disks are:%s",
		    name, list.text);
}

static enum status ambiguous(const struct inventory *inventory, const char *name,
			     const struct wanted *wanted, struct error *err)
{
	struct candidates list = { .length = 0 };
	size_t n = read_name(inventory, wanted, &list).n;

	return fail(err, ST_INVALID, "%s: %zu disks or partitions match; choose one of them:%s",
		    name, n, list.text);
}

static enum status no_such_part(const struct inventory *inventory, const char *name,
				const struct meaning *meaning, struct error *err)
{
	const struct inventory_disk *disk = meaning->first.disk;
	struct candidates list = { .length = 0 };

	for (size_t i = 0; i < disk->n; i++)
		add_candidate(&list, inventory,
			      &(struct selection){ .disk = disk, .part = &disk->part[i] });
	return fail(err, ST_NOT_FOUND, "%s: the disk has no partition %ju; %s%s", name,
		    meaning->number, disk->n > 0 ? "its partitions are:" : "it has none",
		    list.text);
}

enum status selector_find(const struct inventory *inventory, const char *name,
			  struct selection *ret, struct error *err)
{
	struct wanted wanted = { .key = KEY_SERIAL };
	struct meaning meaning;

	while (wanted.key != KEY_NAME && !text_starts_with(name, prefixes[wanted.key]))
		wanted.key++;
	wanted.value = name + text_length(prefixes[wanted.key]);
	wanted.n = text_length(wanted.value);
	if (wanted.n == 0)
		return fail(err, ST_INVALID,
			    "\"%s\" lacks a value; write for example serial=S4X9NG0R12", name);
	meaning = read_name(inventory, &wanted, NULL);
	if (meaning.n > 1)
		return ambiguous(inventory, name, &wanted, err);
	if (meaning.n == 0)
		return not_found(inventory, name, err);
	if (meaning.no_such_part)
		return no_such_part(inventory, name, &meaning, err);
	*ret = meaning.first;
	return ST_OK;
}

bool selector_of_device(const struct inventory *inventory, uintptr_t id, struct selection *ret)
{
	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_disk *disk = &inventory->disk[i];

		*ret = (struct selection){ .disk = disk };
		if (disk->device->id == id)
			return true;
		for (size_t k = 0; k < disk->n; k++) {
			ret->part = &disk->part[k];
			if (disk->part[k].device != NULL && disk->part[k].device->id == id)
				return true;
		}
	}
	return false;
}

bool selector_place(const struct inventory *inventory, const char *name, struct selection *ret)
{
	struct error ignored; /* no result is not an error here */
	uintptr_t id;

	if (path_is_selector(name))
		return selector_find(inventory, name, ret, &ignored) == ST_OK;
	return platform_device_of(name, &id) && selector_of_device(inventory, id, ret);
}

bool selector_overlap(const struct selection *a, const struct selection *b)
{
	if (a->disk != b->disk)
		return false;
	if (a->part == NULL || b->part == NULL)
		return true;
	return a->part->start_bytes < b->part->start_bytes + b->part->size_bytes &&
	       b->part->start_bytes < a->part->start_bytes + a->part->size_bytes;
}
