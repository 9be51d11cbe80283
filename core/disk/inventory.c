/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins two views of each disk: the partition table as this program reads it, and the devices that
 * the firmware has made of partitions. An entry and a device are the same partition if start and
 * size are equal; either may lack the other. Both are needed: the table has types, names and
 * partitions that the firmware does not show, the device has its map name and its mounted file
 * system.
 */
#include "disk/inventory.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/range.h"
#include "blk/window.h"
#include "disk/selector.h"

static size_t count_children(const struct device_list *devices, int parent)
{
	size_t n = 0;

	for (size_t i = 0; i < devices->n; i++)
		n += devices->device[i].parent == parent;
	return n;
}

/* The device that the firmware has made of an entry of the table; NULL: none. */
static const struct device *find_device(const struct device_list *devices, size_t parent,
					const struct part *entry)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device = &devices->device[i];

		if (device->parent == (int)parent && device->start_bytes == entry->start_bytes &&
		    device->size_bytes == entry->size_bytes)
			return device;
	}
	return NULL;
}

static bool is_joined(const struct inventory_disk *disk, const struct device *device)
{
	for (size_t i = 0; i < disk->n; i++)
		if (disk->part[i].device == device)
			return true;
	return false;
}

/* Of equal starts the larger comes first, so that an extended partition precedes those in it. */
static bool comes_after(const struct inventory_part *a, const struct inventory_part *b)
{
	if (a->start_bytes != b->start_bytes)
		return a->start_bytes > b->start_bytes;
	return a->size_bytes < b->size_bytes;
}

static void insert(struct inventory_disk *disk, const struct inventory_part *part)
{
	size_t at = disk->n++;

	while (at > 0 && comes_after(&disk->part[at - 1], part)) {
		disk->part[at] = disk->part[at - 1];
		at--;
	}
	disk->part[at] = *part;
}

static enum status join_partitions(const struct device_list *devices, size_t index,
				   struct inventory_disk *disk)
{
	disk->part = mem_alloc((disk->table.n + count_children(devices, (int)index)) *
			       sizeof *disk->part);
	if (disk->part == NULL)
		return ST_NO_MEMORY;
	for (size_t i = 0; i < disk->table.n; i++) {
		const struct part *entry = &disk->table.part[i];

		insert(disk, &(struct inventory_part){
				     .entry = entry,
				     .device = find_device(devices, index, entry),
				     .start_bytes = entry->start_bytes,
				     .size_bytes = entry->size_bytes,
				     .volume.type = "",
			     });
	}
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device = &devices->device[i];

		if (device->parent == (int)index && !is_joined(disk, device))
			insert(disk, &(struct inventory_part){
					     .device = device,
					     .start_bytes = device->start_bytes,
					     .size_bytes = device->size_bytes,
					     .volume.type = "",
				     });
		if (device->parent == (int)index && device->started_from)
			disk->started_from = true;
	}
	return ST_OK;
}

/* A volume that cannot be read has an unknown type. */
static enum status recognise(struct blk *blk, uint64_t start, uint64_t size, struct fs *ret,
			     struct logical_volumes *ret_logical)
{
	struct blk *window;
	enum status st;

	if (!range_ok(start, size, blk->size))
		return ST_OK;
	window = window_open(blk, &(struct window_kind){ .start = start, .size = size });
	if (window == NULL)
		return ST_NO_MEMORY;
	st = fs_look(window, ret);
	if (st == ST_OK && text_equal(ret->type, "LVM"))
		st = fs_list_volumes(window, &ret_logical->volume, &ret_logical->n);
	blk_close(window);
	return st == ST_NO_MEMORY ? st : ST_OK;
}

static enum status recognise_all(struct inventory_disk *disk)
{
	struct blk *blk = disk->device->blk;
	enum status st = ST_OK;

	if (disk->table.kind == PART_NONE && disk->table.note[0] == '\0')
		st = recognise(blk, 0, blk->size, &disk->volume, &disk->logical);
	for (size_t i = 0; st == ST_OK && i < disk->n; i++) {
		struct inventory_part *part = &disk->part[i];

		st = recognise(blk, part->start_bytes, part->size_bytes, &part->volume,
			       &part->logical);
	}
	return st;
}

/* The image of a stick is smaller than the stick: nothing is wrong with it. */
static void drop_note_of_stick(struct inventory_disk *disk)
{
	struct part_table *table = &disk->table;

	disk->unused_end = disk->started_from && table->n_note_smaller > 0;
	if (disk->unused_end && text_length(table->note) == table->n_note_smaller)
		table->note[0] = '\0';
}

static enum status read_disk(const struct device_list *devices, size_t index,
			     struct inventory_disk *disk, struct error *err)
{
	struct out_buffer note;
	struct blk *blk;
	enum status st = ST_OK;

	disk->device = &devices->device[index];
	out_buffer_init(&note, disk->drive_note, sizeof disk->drive_note);
	drive_note_print(&disk->device->drive, &note.out);
	disk->started_from = disk->device->started_from;
	disk->volume.type = "";
	blk = disk->device->blk;
	if (blk != NULL) {
		st = part_table_read(blk, &disk->table, err);
		if (st == ST_NO_MEMORY)
			return st;
		if (st != ST_OK)
			part_note(&disk->table, "%s", err->text);
	}
	st = join_partitions(devices, index, disk);
	drop_note_of_stick(disk);
	if (st == ST_OK && blk != NULL)
		st = recognise_all(disk);
	return st == ST_OK ? ST_OK : fail_no_memory(err);
}

/* Whether a system that finds disks by what is in their tables takes one for the other. */
static bool are_twins(const struct part_table *a, const struct part_table *b)
{
	if (a->kind == PART_GPT && b->kind == PART_GPT)
		return !guid_is_zero(&a->disk_guid) && guid_equal(&a->disk_guid, &b->disk_guid);
	return a->kind == PART_MBR && b->kind == PART_MBR && a->mbr_signature != 0 &&
	       a->mbr_signature == b->mbr_signature;
}

/* Notes the first twin of a disk. All disks have been read. */
static void note_twin(const struct inventory *inventory, struct inventory_disk *disk)
{
	const struct inventory_disk *end = inventory->disk + inventory->n, *twin = inventory->disk;
	struct out_buffer note;
	size_t named;

	while (twin < end && (twin == disk || !are_twins(&twin->table, &disk->table)))
		twin++;
	if (twin == end)
		return;
	out_buffer_init(&note, disk->twin_note, sizeof disk->twin_note);
	out_printf(&note.out, "same %s as ",
		   disk->table.kind == PART_GPT ? "disk GUID" : "MBR signature");
	named = note.length;
	selector_print(inventory, &(struct selection){ .disk = twin }, &note.out);
	if (note.length == named)
		out_printf(&note.out, "disk %zu of %zu", (size_t)(twin - inventory->disk) + 1,
			   inventory->n);
	out_printf(&note.out, ": connect only one of them when you start an operating system");
}

enum status inventory_read(struct inventory *ret, struct error *err)
{
	enum status st;

	*ret = (struct inventory){ 0 };
	st = platform_devices(&ret->devices, err);
	if (st == ST_OK) {
		ret->disk = mem_alloc(count_children(&ret->devices, DEVICE_NO_PARENT) *
				      sizeof *ret->disk);
		if (ret->disk == NULL)
			st = fail_no_memory(err);
	}
	for (size_t i = 0; st == ST_OK && i < ret->devices.n; i++)
		if (ret->devices.device[i].parent == DEVICE_NO_PARENT)
			st = read_disk(&ret->devices, i, &ret->disk[ret->n++], err);
	for (size_t i = 0; st == ST_OK && i < ret->n; i++)
		note_twin(ret, &ret->disk[i]);
	if (st != ST_OK)
		inventory_free(ret);
	return st;
}

static void free_devices(struct device_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct device *device = &list->device[i];

		for (size_t k = 0; k < device->n_names; k++)
			mem_free(device->names[k]);
		mem_free(device->names);
		mem_free(device->path);
		mem_free(device->model);
		mem_free(device->serial);
		mem_free(device->volume.label);
		blk_close(device->blk);
	}
	mem_free(list->device);
	*list = (struct device_list){ 0 };
}

void inventory_free(struct inventory *inventory)
{
	for (size_t i = 0; inventory->disk != NULL && i < inventory->n; i++) {
		struct inventory_disk *disk = &inventory->disk[i];

		part_table_free(&disk->table);
		mem_free(disk->logical.volume);
		for (size_t k = 0; disk->part != NULL && k < disk->n; k++)
			mem_free(disk->part[k].logical.volume);
		mem_free(disk->part);
	}
	mem_free(inventory->disk);
	free_devices(&inventory->devices);
	*inventory = (struct inventory){ 0 };
}
