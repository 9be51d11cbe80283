#include "part/selector.h"

#include "base/out.h"
#include "base/path.h"
#include "base/platform.h"
#include "base/size.h"
#include "base/text.h"

enum key { KEY_SERIAL, KEY_GUID, KEY_PATH, KEY_NAME };

static const char *const prefixes[] = { [KEY_SERIAL] = "serial=", [KEY_GUID] = "guid=", [KEY_PATH] = "path=", [KEY_NAME] = "" };

/*
 * ---- what has which name ------------------------------------------------------------------------------------------
 */

/* A name to be looked for: the first `n` bytes of `value`. */
struct wanted {
	enum key key;
	const char *value;
	size_t n;
	bool disks_only;
};

static bool is_called(const struct wanted *wanted, const char *text)
{
	size_t i = 0;

	while (i < wanted->n && text[i] != '\0' && text_lower(text[i]) == text_lower(wanted->value[i]))
		i++;
	return i == wanted->n && i > 0 && text[i] == '\0';
}

static bool has_guid(const struct wanted *wanted, const struct inventory_disk *disk, const struct guid *guid)
{
	char text[GUID_TEXT];

	if (disk->table.kind != PART_GPT || guid_is_zero(guid))
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
	case KEY_SERIAL: return is_called(wanted, disk->device->serial);
	case KEY_GUID: return has_guid(wanted, disk, &disk->table.disk_guid);
	case KEY_PATH: return is_called(wanted, disk->device->path);
	default: return has_name(wanted, disk->device);
	}
}

static bool part_matches(const struct wanted *wanted, const struct inventory_disk *disk, const struct inventory_part *part)
{
	switch (wanted->key) {
	case KEY_SERIAL: return false;
	case KEY_GUID: return part->entry != NULL && has_guid(wanted, disk, &part->entry->guid);
	case KEY_PATH: return part->device != NULL && is_called(wanted, part->device->path);
	default: return part->device != NULL && has_name(wanted, part->device);
	}
}

/* Lines for the words of an error; how many do not fit is said in the last one. */
struct candidates {
	char text[sizeof((struct error *)NULL)->text - 200];
	size_t length, n_left_out;
};

static void add_candidate(struct candidates *, const struct inventory *, const struct selection *);

/* Counts what is called so; the first is in *ret. With `list`, all of them are written there. */
static size_t count(const struct inventory *inventory, const struct wanted *wanted, struct selection *ret, struct candidates *list)
{
	size_t n = 0;

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_disk *disk = &inventory->disk[i];

		for (size_t k = 0; k <= disk->n; k++) {
			struct selection found = { .disk = disk, .part = k > 0 ? &disk->part[k - 1] : NULL };

			if (k > 0 ? wanted->disks_only || !part_matches(wanted, disk, found.part) : !disk_matches(wanted, disk))
				continue;
			if (n++ == 0)
				*ret = found;
			if (list != NULL)
				add_candidate(list, inventory, &found);
		}
	}
	return n;
}

/*
 * ---- the best name ------------------------------------------------------------------------------------------------
 */

static bool print_if_unique(const struct inventory *inventory, enum key key, const char *value, struct out *out)
{
	struct wanted wanted = { .key = key, .value = value, .n = text_length(value) };
	struct selection ignored;

	if (wanted.n == 0 || count(inventory, &wanted, &ignored, NULL) != 1)
		return false;
	out_printf(out, "%s%s", prefixes[key], value);
	return true;
}

static void print_device(const struct inventory *inventory, const struct device *device, struct out *out)
{
	if (!print_if_unique(inventory, KEY_PATH, device->path, out) && device->n_names > 0)
		(void)print_if_unique(inventory, KEY_NAME, device->names[0], out); /* nothing is an answer too */
}

void selector_print(const struct inventory *inventory, const struct selection *selection, struct out *out)
{
	const struct inventory_disk *disk = selection->disk;
	const struct inventory_part *part = selection->part;
	char guid[GUID_TEXT] = "";

	if (part != NULL && part->entry == NULL) {
		if (part->device != NULL)
			print_device(inventory, part->device, out);
		return;
	}
	if (disk->table.kind == PART_GPT && !guid_is_zero(&disk->table.disk_guid))
		guid_print(&disk->table.disk_guid, guid);
	if (print_if_unique(inventory, KEY_SERIAL, disk->device->serial, out) || print_if_unique(inventory, KEY_GUID, guid, out) ||
	    print_if_unique(inventory, KEY_PATH, disk->device->path, out)) {
		if (part != NULL)
			out_printf(out, ":%u", part->entry->number);
		return;
	}
	if (part == NULL)
		print_device(inventory, disk->device, out);
	else if (part->device != NULL)
		print_device(inventory, part->device, out);
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
static void print_candidate(const struct inventory *inventory, const struct selection *selection, struct out *out)
{
	const struct device *disk = selection->disk->device;
	const char *name = map_name(selection);

	out_text(out, "\n  ");
	selector_print(inventory, selection, out);
	out_printf(out, "  (%s%s", name, name[0] != '\0' ? " " : "");
	if (selection->part == NULL && disk->model[0] != '\0')
		out_printf(out, "%s, ", disk->model);
	if (selection->part == NULL && disk->serial[0] != '\0')
		out_printf(out, "serial %s, ", disk->serial);
	if (disk->medium)
		size_print(out, selection->part != NULL ? selection->part->size_bytes : disk->size_bytes);
	else
		out_text(out, "no medium");
	out_text(out, ")");
}

static void add_candidate(struct candidates *list, const struct inventory *inventory, const struct selection *selection)
{
	static const size_t room_for_last = 60;
	struct out_buffer line;

	out_buffer_init(&line, list->text + list->length, sizeof list->text - list->length - room_for_last);
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

/*
 * ---- what a name means --------------------------------------------------------------------------------------------
 */

static enum status not_found(const struct inventory *inventory, const char *name, struct error *err)
{
	struct candidates list = { .length = 0 };

	for (size_t i = 0; i < inventory->n; i++)
		add_candidate(&list, inventory, &(struct selection){ .disk = &inventory->disk[i] });
	if (inventory->n == 0)
		return fail(err, ST_NOT_FOUND, "%s: there is no such disk, nor any other", name);
	return fail(err, ST_NOT_FOUND, "%s: there is no such disk or partition; the disks are:%s", name, list.text);
}

static enum status ambiguous(const struct inventory *inventory, const char *name, const struct wanted *wanted, struct error *err)
{
	struct candidates list = { .length = 0 };
	struct selection ignored;
	size_t n = count(inventory, wanted, &ignored, &list);

	return fail(err, ST_INVALID, "%s: %zu are called so, and only one can be meant; say which:%s", name, n, list.text);
}

static enum status find_part(const struct inventory *inventory, const char *name, uint64_t number, struct selection *selection,
			     struct error *err)
{
	const struct inventory_disk *disk = selection->disk;
	struct candidates list = { .length = 0 };

	for (size_t i = 0; i < disk->n; i++) {
		selection->part = &disk->part[i];
		if (disk->part[i].entry != NULL && disk->part[i].entry->number == number)
			return ST_OK;
		add_candidate(&list, inventory, selection);
	}
	return fail(err, ST_NOT_FOUND, "%s: the disk has no partition %ju; %s%s", name, number,
		    disk->n > 0 ? "those that it has are:" : "it has none", list.text);
}

/* Takes ":3" off the end. */
static bool take_number(struct wanted *wanted, uint64_t *ret_number)
{
	size_t n = wanted->n;

	while (n > 0 && text_is_digit(wanted->value[n - 1]))
		n--;
	if (n < 2 || n == wanted->n || wanted->value[n - 1] != ':' || !text_to_u64(wanted->value + n, ret_number))
		return false;
	wanted->n = n - 1;
	wanted->disks_only = true;
	return true;
}

enum status selector_find(const struct inventory *inventory, const char *name, struct selection *ret, struct error *err)
{
	struct wanted wanted = { .key = KEY_SERIAL };
	struct selection found;
	uint64_t number = 0;
	size_t n;

	while (wanted.key != KEY_NAME && !text_starts_with(name, prefixes[wanted.key]))
		wanted.key++;
	wanted.value = name + text_length(prefixes[wanted.key]);
	wanted.n = text_length(wanted.value);
	if (wanted.n == 0)
		return fail(err, ST_INVALID, "\"%s\" is not complete: what of the disk is meant comes behind it, as in serial=S4X9NG0R12", name);
	n = count(inventory, &wanted, &found, NULL);
	/* A serial number or a path may end in a colon and digits itself. */
	if (n == 0 && wanted.key != KEY_NAME && take_number(&wanted, &number))
		n = count(inventory, &wanted, &found, NULL);
	if (n > 1)
		return ambiguous(inventory, name, &wanted, err);
	if (n == 0)
		return not_found(inventory, name, err);
	if (wanted.disks_only) {
		enum status st = find_part(inventory, name, number, &found, err);

		if (st != ST_OK)
			return st;
	}
	*ret = found;
	return ST_OK;
}

bool selector_place(const struct inventory *inventory, const char *name, struct selection *ret)
{
	struct error ignored; /* it leads nowhere: that is an answer */
	uintptr_t id;

	if (path_is_selector(name))
		return selector_find(inventory, name, ret, &ignored) == ST_OK;
	if (!platform_device_of(name, &id))
		return false;
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

bool selector_overlap(const struct selection *a, const struct selection *b)
{
	if (a->disk != b->disk)
		return false;
	if (a->part == NULL || b->part == NULL)
		return true;
	return a->part->start_bytes < b->part->start_bytes + b->part->size_bytes &&
	       b->part->start_bytes < a->part->start_bytes + a->part->size_bytes;
}
