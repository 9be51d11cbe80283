/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Choosing a disk or a partition. Each line has what tells the disk from others; a disk that is not
 * possible stays in the list, with the reason of the command that refuses it.
 */
#include "base/memory.h"
#include "base/printable.h"
#include "base/size.h"
#include "base/text.h"
#include "base/utf.h"
#include "disk/contents.h"
#include "disk/port.h"
#include "menu/columns.h"
#include "menu/pick.h"

enum { BUS = 6, MODEL = 24, SERIAL = 20, HEAD_BYTES = 256 };

static const char columns[] =
	"Bus    Model                    Serial                    Size Sector";

void column(struct out *out, const char *text, size_t columns_wide)
{
	size_t n = utf8_columns(text);

	out_printable(out, text, columns_wide);
	out_spaces(out, n < columns_wide ? columns_wide - n + 1 : 1);
}

void column_size(struct out *out, uint64_t bytes)
{
	char text[32];
	struct out_buffer size;

	out_buffer_init(&size, text, sizeof text);
	size_print(&size.out, bytes);
	out_printf(out, "%*s", (int)(SIZE_COLUMNS - size.length), "");
	out_text(out, text);
}

void pick_failed(struct ui *ui, const char *title, const struct error *err)
{
	forget_typed(ui);
	/* Whatever is pressed leads back. */
	(void)page_ask(ui, &(struct page){ .title = title,
					   .step = "",
					   .heading = "",
					   .text = err->text,
					   .ask = "Press any key to continue.",
					   .plain = true });
}

/* ---- what stands in the list ---- */

static void describe_disk(const struct device *disk, struct item *item)
{
	struct out_buffer out;

	out_buffer_init(&out, item->text, sizeof item->text);
	column(&out.out, disk->bus[0] != '\0' ? disk->bus : "disk", BUS);
	column(&out.out, disk->model, MODEL);
	column(&out.out, disk->serial[0] != '\0' ? disk->serial : "-", SERIAL);
	if (!disk->medium) {
		out_text(&out.out, "no medium");
		return;
	}
	column_size(&out.out, disk->size_bytes);
	out_printf(&out.out, "   %4u", disk->block_bytes);
}

static void describe_part(const struct inventory_part *part, struct item *item)
{
	struct out_buffer out;

	out_buffer_init(&out, item->text, sizeof item->text);
	out_text(&out.out, "  partition ");
	if (part->entry != NULL)
		out_printf(&out.out, "%u: %s %.36s", part->entry->number, part->entry->type_name,
			   part->entry->label);
	out_text(&out.out, " ");
	out_spaces(&out.out, out.length < BUS + MODEL + SERIAL + 3
				     ? BUS + MODEL + SERIAL + 3 - out.length
				     : 0);
	column_size(&out.out, part->size_bytes);
}

/*
 * Prints what tells disks with the same serial number apart: the place in the list, and the port.
 */
static void print_place(const struct inventory *inventory, const struct selection *s,
			struct out *out)
{
	char text[sizeof((struct item *)NULL)->detail];
	struct out_buffer port;

	if (confirm_word(inventory, s).n_serial == 0)
		out_printf(out, "disk %zu of %zu; ", (size_t)(s->disk - inventory->disk) + 1,
			   inventory->n);
	out_buffer_init(&port, text, sizeof text);
	if (port_print_of_twin(inventory, s->disk, &port.out) && port.length > 0)
		out_printf(out, "%s; ", text);
}

static void describe_contents(const struct inventory *inventory, const struct selection *s,
			      struct item *item)
{
	const struct device *device = s->part != NULL ? s->part->device : s->disk->device;
	struct out_buffer out;

	out_buffer_init(&out, item->detail, sizeof item->detail);
	for (size_t i = 0; device != NULL && i < device->n_names && i < 2; i++)
		out_printf(&out.out, "%s ", device->names[i]);
	if (!s->disk->device->medium)
		return;
	if (s->part == NULL)
		print_place(inventory, s, &out.out);
	{
		size_t n = out.length;

		contents_say(s->disk, s->part, &out.out);
		if (out.length == n)
			out_text(&out.out, "no known contents");
	}
	if (s->part == NULL && s->disk->device->removable)
		out_text(&out.out, "; removable");
	if (s->part == NULL && s->disk->device->read_only)
		out_text(&out.out, "; write-protected");
	if (s->part == NULL ? s->disk->started_from : device != NULL && device->started_from)
		out_text(&out.out, "; efi-img was started from here");
	if (s->part == NULL && s->disk->drive_note[0] != '\0')
		out_printf(&out.out, "; %s", s->disk->drive_note);
	if (s->part == NULL && s->disk->twin_note[0] != '\0')
		out_printf(&out.out, "; %s", s->disk->twin_note);
}

/* Returns entry `index` of the list: disks, with `parts` each followed by its partitions. */
static bool selection_at(const struct inventory *inventory, bool parts, size_t index,
			 struct selection *ret)
{
	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_disk *disk = &inventory->disk[i];
		size_t n = 1 + (parts ? disk->n : 0);

		if (index < n) {
			*ret = (struct selection){ .disk = disk,
						   .part = index > 0 ? &disk->part[index - 1]
								     : NULL };
			return true;
		}
		index -= n;
	}
	return false;
}

static void name_of(const struct inventory *inventory, const struct selection *s,
		    char name[static SELECTOR_BYTES])
{
	struct out_buffer out;

	out_buffer_init(&out, name, SELECTOR_BYTES);
	selector_print(inventory, s, &out.out);
}

static void look_at(struct ui *ui, struct pick *pick, const struct inventory *inventory,
		    const struct selection *s, struct item *item)
{
	char name[SELECTOR_BYTES];
	struct out_buffer out;

	if (s->part == NULL)
		describe_disk(s->disk->device, item);
	else
		describe_part(s->part, item);
	describe_contents(inventory, s, item);
	name_of(inventory, s, name);
	out_buffer_init(&out, item->why, sizeof item->why);
	if (!s->disk->device->medium) {
		out_text(&out.out, "there is no medium in the drive");
	} else if (name[0] == '\0') {
		out_text(&out.out, "it has no name that a command could use");
	} else if (pick->possible != NULL) {
		tell(ui, "Looking at the disks ...");
		(void)pick->possible(pick->user, name, item->why, sizeof item->why);
	}
}

/* ---- choosing ---- */

static void set_brief(struct pick *pick, const struct selection *s)
{
	const struct device *disk = s->disk->device;
	struct out_buffer out;

	out_buffer_init(&out, pick->brief, sizeof pick->brief);
	if (s->part != NULL && s->part->entry != NULL)
		out_printf(&out.out, "partition %u of ", s->part->entry->number);
	out_text(&out.out, disk->model[0] != '\0' ? disk->model : disk->bus);
	out_printf(&out.out, " (%s)", disk->serial[0] != '\0' ? disk->serial : pick->word.text);
}

static void take(struct pick *pick, const struct inventory *inventory, const struct selection *s)
{
	const struct device *disk = s->disk->device;
	struct out_buffer out;

	pick->word = confirm_word(inventory, s);
	name_of(inventory, s, pick->name);
	out_buffer_init(&out, pick->words, sizeof pick->words);
	if (s->part != NULL && s->part->entry != NULL)
		out_printf(&out.out, "partition %u of ", s->part->entry->number);
	if (pick->word.n_serial == 0)
		out_printf(&out.out, "disk %zu of %zu: ", (size_t)(s->disk - inventory->disk) + 1,
			   inventory->n);
	out_printf(&out.out, "%s%s", disk->model[0] != '\0' ? disk->model : disk->bus,
		   disk->model[0] != '\0' || disk->bus[0] != '\0' ? ", " : "");
	out_printf(&out.out, "%s, ", pick->name);
	size_print(&out.out, s->part != NULL ? s->part->size_bytes : disk->size_bytes);
	set_brief(pick, s);
	pick->whole = s->part == NULL;
	out_buffer_init(&out, pick->contents, sizeof pick->contents);
	contents_say(s->disk, s->part, &out.out);
}

bool pick_named_disk(struct pick *pick, const char *name)
{
	struct inventory inventory;
	struct selection s;
	struct error ignored;
	struct out_buffer out;
	bool found;

	out_buffer_init(&out, pick->name, sizeof pick->name);
	out_text(&out.out, name);
	out_buffer_init(&out, pick->brief, sizeof pick->brief);
	out_text(&out.out, name);
	out_buffer_init(&out, pick->words, sizeof pick->words);
	out_text(&out.out, name);
	found = inventory_read(&inventory, &ignored) == ST_OK &&
		selector_find(&inventory, name, &s, &ignored) == ST_OK;
	if (found)
		take(pick, &inventory, &s);
	inventory_free(&inventory);
	return found;
}

/* What is not in the list, because the firmware has no driver for its controller. */
static void print_missing(const struct device_list *devices, struct out *out)
{
	if (devices->n_idle == 1)
		idle_controller_print(&devices->idle[0], out);
	else if (devices->n_idle > 1)
		out_printf(out,
			   "The firmware has no driver for %zu storage controllers, so disks on "
			   "them are not listed: see Tools, List the disks",
			   devices->n_idle);
}

static enum way ask(struct ui *ui, struct pick *pick, const struct inventory *inventory,
		    struct item *item, size_t n)
{
	char head[HEAD_BYTES];
	struct list list = {
		.title = pick->title,
		.step = pick->step,
		.head = head,
		.columns = columns,
		.ask = pick->ask,
		.help = pick->help,
		.empty = "The firmware has found no disk. Check that a disk is connected, and that "
			 "its controller is enabled in the firmware's setup and not in RAID mode.",
		.letters = "p",
		.letters_help = pick->parts ? "p disks only  " : "p partitions  ",
		.item = item,
		.n = n,
		.mark = LIST_NONE,
	};
	struct out_buffer missing;
	struct selection s;
	enum way way;

	out_buffer_init(&missing, head, sizeof head);
	print_missing(&inventory->devices, &missing.out);
	for (size_t i = 0; i < n; i++)
		if (selection_at(inventory, pick->parts, i, &s))
			look_at(ui, pick, inventory, &s, &item[i]);
	forget_typed(ui);
	way = list_ask(ui, &list);
	if (way == WAY_NEXT && selection_at(inventory, pick->parts, (size_t)list.chosen, &s))
		take(pick, inventory, &s);
	else if (way == WAY_KEY)
		pick->parts = !pick->parts;
	return way == WAY_KEY ? WAY_AGAIN : way;
}

/* Looks at the disks once, and asks once. */
static enum way look_and_ask(struct ui *ui, struct pick *pick)
{
	struct inventory inventory;
	struct selection s;
	struct item *item;
	struct error err;
	size_t n = 0;
	enum way way = WAY_BACK;

	tell(ui, "Looking at the disks ...");
	if (inventory_read(&inventory, &err) != ST_OK) {
		pick_failed(ui, pick->title, &err);
		return WAY_BACK;
	}
	while (selection_at(&inventory, pick->parts, n, &s))
		n++;
	item = mem_alloc(n * sizeof *item);
	if (item != NULL) {
		way = ask(ui, pick, &inventory, item, n);
	} else {
		(void)fail_no_memory(&err);
		pick_failed(ui, pick->title, &err);
	}
	mem_free(item);
	inventory_free(&inventory);
	return way;
}

enum way pick_disk(struct ui *ui, struct pick *pick)
{
	enum way way;

	do
		way = look_and_ask(ui, pick);
	while (way == WAY_AGAIN && !ui->gone);
	return way;
}
