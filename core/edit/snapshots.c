/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Internal snapshots: listing them as qemu-img does, finding one by id or name, and opening the
 * disk as it was then.
 */
#include "edit/snapshots.h"

#include "base/date.h"
#include "base/memory.h"
#include "base/printable.h"
#include "base/qemu_img.h"
#include "base/size.h"
#include "base/text.h"
#include "platform/clock.h"

/* ---- printing ---- */

/* One line of the table; `line` in qemu-img's order of columns. */
static void print_line(struct out *out, const char *const line[6])
{
	out_printf(out,
		   QEMU_IMG_HAS_WIDE_SNAPSHOTS ? "%-7s %-16s %8s %19s %15s %10s\n"
					       : "%-9s %-16s %8s%20s%13s%11s\n",
		   line[0], line[1], line[2], line[3], line[4], line[5]);
}

static void print_snapshot(struct out *out, const struct snapshot *snapshot)
{
	uint64_t clock_ms = snapshot->clock_nanoseconds / 1000000;
	int64_t seconds = (int64_t)snapshot->date_seconds +
			  platform_utc_offset(snapshot->date_seconds);
	char id[128], name[512], size[32], date[32], clock[32], icount[24];
	struct out_buffer text;
	struct date d = date_of(seconds);

	out_buffer_init(&text, id, sizeof id);
	out_printable(&text.out, snapshot->id, SIZE_MAX);
	out_buffer_init(&text, name, sizeof name);
	out_printable(&text.out, snapshot->name, SIZE_MAX);
	out_buffer_init(&text, size, sizeof size);
	size_print(&text.out, snapshot->vm_state_bytes);
	out_buffer_init(&text, date, sizeof date);
	out_printf(&text.out, "%d-%02u-%02u %02u:%02u:%02u", d.year, d.month, d.day, d.hour,
		   d.minute, d.second);
	out_buffer_init(&text, clock, sizeof clock);
	out_printf(&text.out, "%0*ju:%02ju:%02ju.%03ju", QEMU_IMG_HAS_WIDE_SNAPSHOTS ? 4 : 2,
		   clock_ms / 3600000, clock_ms / 60000 % 60, clock_ms / 1000 % 60,
		   clock_ms % 1000);
	out_buffer_init(&text, icount, sizeof icount);
	if (snapshot->icount != UINT64_MAX)
		out_printf(&text.out, "%ju", snapshot->icount);
	else if (QEMU_IMG_HAS_WIDE_SNAPSHOTS)
		out_text(&text.out, "--");
	print_line(out, (const char *const[]){ id, name, size, date, clock, icount });
}

void snapshots_print(struct out *out, const struct image *image)
{
	if (image->n_snapshots == 0)
		return;
	out_text(out, "Snapshot list:\n");
	print_line(out,
		   (const char *const[]){
			   "ID", "TAG", QEMU_IMG_HAS_WIDE_SNAPSHOTS ? "VM_SIZE" : "VM SIZE", "DATE",
			   QEMU_IMG_HAS_WIDE_SNAPSHOTS ? "VM_CLOCK" : "VM CLOCK", "ICOUNT" });
	for (size_t i = 0; i < image->n_snapshots; i++)
		print_snapshot(out, &image->snapshots[i]);
}

/* ---- finding ---- */

bool snapshots_find(const struct image *image, const char *id, const char *name, size_t *ret_index)
{
	for (size_t i = 0; i < image->n_snapshots; i++)
		if ((id == NULL || text_equal(image->snapshots[i].id, id)) &&
		    (name == NULL || text_equal(image->snapshots[i].name, name))) {
			*ret_index = i;
			return true;
		}
	return false;
}

static enum status not_found(const struct image *image, const char *text, struct error *err)
{
	return fail(err, ST_NOT_FOUND,
		    "%s: it has no snapshot \"%s\"; snapshot -l lists those that it has",
		    image->name, text);
}

enum status snapshots_find_any(const struct image *image, const char *id_or_name, size_t *ret_index,
			       struct error *err)
{
	if (snapshots_find(image, id_or_name, NULL, ret_index) ||
	    snapshots_find(image, NULL, id_or_name, ret_index))
		return ST_OK;
	return not_found(image, id_or_name, err);
}

/*
 * Takes "value" or "value,rest" off the front of *text into new memory; two commas are one of the
 * value.
 */
static char *take_value(const char **text)
{
	char *value = mem_alloc(text_length(*text) + 1);
	size_t n = 0;

	if (value == NULL)
		return NULL;
	for (; **text != '\0'; ++*text) {
		if (**text == ',' && *++*text != ',')
			break;
		value[n++] = **text;
	}
	return value;
}

static enum status parse_description(const char *text, char **ret_id, char **ret_name,
				     struct error *err)
{
	static const char id_key[] = "snapshot.id=", name_key[] = "snapshot.name=";
	const char *rest = text;

	while (*rest != '\0') {
		bool is_id = text_starts_with(rest, id_key);
		char **value = is_id ? ret_id : ret_name;

		if (!is_id && !text_starts_with(rest, name_key))
			return fail(err, ST_INVALID,
				    "\"%s\" is neither snapshot.id=ID nor snapshot.name=NAME",
				    rest);
		rest += is_id ? sizeof id_key - 1 : sizeof name_key - 1;
		mem_free(*value);
		*value = take_value(&rest);
		if (*value == NULL)
			return fail_no_memory(err);
	}
	return ST_OK;
}

enum status snapshots_find_described(const struct image *image, const char *text, size_t *ret_index,
				     struct error *err)
{
	char *id = NULL, *name = NULL;
	enum status st;

	if (!text_starts_with(text, "snapshot."))
		return snapshots_find_any(image, text, ret_index, err);
	st = parse_description(text, &id, &name, err);
	if (st == ST_OK && !snapshots_find(image, id, name, ret_index))
		st = not_found(image, text, err);
	mem_free(id);
	mem_free(name);
	return st;
}

enum status snapshots_open(struct storage *storage, const char *name,
			   const struct image_format *format, const char *which, struct chain *ret,
			   struct error *err)
{
	struct chain chain;
	size_t index;
	enum status st = chain_open(storage, ROLE_IMAGE, name, format, true, &chain, err);

	if (st != ST_OK)
		return st;
	st = snapshots_find_described(chain.link[0].image, which, &index, err);
	if (st == ST_OK)
		st = chain_load(&chain, &index, err);
	if (st != ST_OK) {
		chain_close(&chain);
		return st;
	}
	*ret = chain;
	return ST_OK;
}
