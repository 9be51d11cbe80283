/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of disks and partitions, in both directions: selector_find() says what a name means,
 * selector_print() how something is best named.
 *
 * A name can be read in two ways, because a serial number or a device path may itself end in a
 * colon and digits: "serial=X:1" is the disk with the serial number "X:1", or partition 1 of the
 * disk "X". Whatever the machine has is looked at in both ways, and a name that can mean two things
 * means nothing. The disk "X" alone is enough for the second reading, whether or not it has such a
 * partition: otherwise writing to one disk would rename another one.
 *
 * selector_print() guesses nothing about that. It takes the candidates in their order, looks each
 * of them up as selector_find() does, and prints the first one that leads back to the device alone.
 * Since --erase takes a name without the prefix, the rest must not lead to another device after any
 * other prefix, either.
 *
 * Neither of them opens anything; what a name means is true for the inventory that it was looked up
 * in.
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

/* ---- what has which name ---- */

/* A name to be looked for: the first `n` bytes of `value`. */
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

/* Lines for the words of an error; how many do not fit is said in the last one. */
struct candidates {
	char text[sizeof((struct error *)NULL)->text - 200];
	size_t length, n_left_out;
};

static void add_candidate(struct candidates *, const struct inventory *, const struct selection *);

/* Counts what is called so; the first is in *ret. With `list`, all of them are written there. */
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

/* ---- what a name means ---- */

struct meaning {
	size_t n;               /* things that the name can mean */
	struct selection first; /* of them */
	bool no_such_part; /* `first` is a disk that does not have the partition that is named */
	uint64_t number;   /* of that partition */
};

/* Takes ":3" off the end. */
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

/* Reads a name as that of a disk with the number of a partition after it. */
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

/* Looks for all that a name can mean. With `list`, each of them is written there. */
static struct meaning read_name(const struct inventory *inventory, const struct wanted *wanted,
				struct candidates *list)
{
	struct meaning meaning = { .n = 0 };

	meaning.n = count(inventory, wanted, &meaning.first, list);
	read_numbered(inventory, *wanted, &meaning, list);
	return meaning;
}

/* ---- the best name ---- */

/* Whether a name leads to that and nothing else; `or_nowhere`: or does not lead anywhere. */
static bool leads_to(const struct inventory *inventory, enum key key, const char *value,
		     const struct selection *to, bool or_nowhere)
{
	struct wanted wanted = { .key = key, .value = value, .n = text_length(value) };
	struct meaning meaning = read_name(inventory, &wanted, NULL);

	if (meaning.n == 0)
		return or_nowhere;
	return meaning.n == 1 && !meaning.no_such_part && same(&meaning.first, to);
}

/* A name, and the number of a partition after it (0: none), if that is unambiguous. */
static bool print_proved(const struct inventory *inventory, const struct selection *selection,
			 enum key key, const char *name, uint64_t number, struct out *out)
{
	char value[SELECTOR_BYTES];
	struct out_buffer text;

	out_buffer_init(&text, value, sizeof value);
	out_text(&text.out, name);
	if (number > 0)
		out_printf(&text.out, ":%ju", number);
	/*
	 * --erase takes a name with its prefix as well: such a value could be the name of another
	 * device.
	 */
	if (name[0] == '\0' || path_is_selector(name) || text.out.failed ||
	    !leads_to(inventory, key, value, selection, false))
		return false;
	for (enum key other = KEY_SERIAL; other <= KEY_NAME; other++)
		if (other != key && !leads_to(inventory, other, value, selection, true))
			return false;
	out_printf(out, "%s%s", prefixes[key], value);
	return true;
}

/* By the device that the firmware has of it; false: by nothing that is unambiguous. */
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

/* By what its disk is called; a partition with its number. */
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
		/* printing nothing is an answer too */
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

/* "" where it has none. */
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

/* A line for the words of an error, with its newline before it. */
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
	out_printf(&line.out, "\n  and %zu more, which list shows", list->n_left_out);
}

/* ---- finding ---- */

static enum status not_found(const struct inventory *inventory, const char *name, struct error *err)
{
	struct candidates list = { .length = 0 };

	for (size_t i = 0; i < inventory->n; i++)
		add_candidate(&list, inventory, &(struct selection){ .disk = &inventory->disk[i] });
	if (inventory->n == 0)
		return fail(err, ST_NOT_FOUND, "%s: there is no such disk, nor any other", name);
	return fail(err, ST_NOT_FOUND, "%s: there is no such disk or partition; the disks are:%s",
		    name, list.text);
}

static enum status ambiguous(const struct inventory *inventory, const char *name,
			     const struct wanted *wanted, struct error *err)
{
	struct candidates list = { .length = 0 };
	size_t n = read_name(inventory, wanted, &list).n;

	return fail(err, ST_INVALID,
		    "%s: %zu are called so, and only one can be meant; say which:%s", name, n,
		    list.text);
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
		    meaning->number, disk->n > 0 ? "those that it has are:" : "it has none",
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
			    "\"%s\" is not complete: what of the disk is meant comes behind it, as "
			    "in serial=S4X9NG0R12",
			    name);
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
	struct error ignored; /* it leads nowhere: that is an answer */
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
