/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of disks for scripts: an array of disks, each with an array of partitions. Every key is
 * there every time, save those of one kind of table, notes and "volumes"; text that is not known is
 * "", anything else null.
 */

#include "cli/list.h"
#include "platform/path.h"

static void names_of(struct tree *tree, const struct inventory *inventory,
		     const struct selection *selection)
{
	const struct device *device = selection->part != NULL ? selection->part->device
							      : selection->disk->device;
	char selector[SELECTOR_BYTES];
	struct out_buffer out;
	size_t n = device != NULL ? device->n_names : 0;

	tree_text(tree, "name", n > 0 ? device->names[0] : "");
	tree_array(tree, "names");
	for (size_t i = 0; i < n; i++)
		tree_text(tree, NULL, device->names[i]);
	tree_end(tree);
	tree_text(tree, "device-path", device != NULL ? device->path : "");
	out_buffer_init(&out, selector, sizeof selector);
	selector_print(inventory, selection, &out.out);
	tree_text(tree, "selector", path_is_selector(selector) ? selector : "");
}

static void guid_of(struct tree *tree, const char *key, const struct guid *guid)
{
	char text[GUID_TEXT];

	guid_print(guid, text);
	tree_text(tree, key, text);
}

/*
 * Writes the members of a file system, but not the end of them: other members may follow. False: it
 * is null.
 */
static bool file_system_begin(struct tree *tree, const struct fs *volume,
			      const struct device *device)
{
	const struct volume_info *mounted = device != NULL && device->volume.present
						    ? &device->volume
						    : NULL;

	if (mounted == NULL && volume->type[0] == '\0') {
		tree_null(tree, "filesystem");
		return false;
	}
	tree_object(tree, "filesystem");
	tree_text(tree, "type", volume->type);
	tree_text(tree, "label",
		  mounted != NULL && mounted->label[0] != '\0' ? mounted->label : volume->label);
	if (mounted != NULL) {
		tree_number(tree, "size", mounted->size_bytes);
		tree_number(tree, "free", mounted->free_bytes);
		tree_bool(tree, "read-only", mounted->read_only);
	} else {
		tree_null(tree, "size");
		tree_null(tree, "free");
		tree_null(tree, "read-only");
	}
	tree_text(tree, "uuid", volume->uuid);
	if (volume->has_used)
		tree_number(tree, "used", volume->used);
	else
		tree_null(tree, "used");
	tree_text(tree, "note", volume->note);
	return true;
}

static void volumes_of(struct tree *tree, const struct logical_volumes *logical)
{
	tree_array(tree, "volumes");
	for (size_t i = 0; i < logical->n; i++) {
		tree_object(tree, NULL);
		tree_text(tree, "name", logical->volume[i].name);
		tree_number(tree, "size", logical->volume[i].size);
		if (file_system_begin(tree, &logical->volume[i].fs, NULL))
			tree_end(tree);
		tree_end(tree);
	}
	tree_end(tree);
}

static void file_system_of(struct tree *tree, const struct fs *volume, const struct device *device,
			   const struct logical_volumes *logical)
{
	if (!file_system_begin(tree, volume, device))
		return;
	if (logical->n > 0)
		volumes_of(tree, logical);
	tree_end(tree);
}

static void entry_of(struct tree *tree, enum part_kind kind, const struct part *entry)
{
	char type[PART_TYPE_TEXT] = "";

	if (entry != NULL)
		part_type_print(kind, entry, type);
	tree_text(tree, "type", type);
	tree_text(tree, "type-name", entry != NULL ? entry->type_name : "");
	tree_text(tree, "label", entry != NULL ? entry->label : "");
	if (entry != NULL && kind == PART_GPT)
		guid_of(tree, "guid", &entry->guid);
	else
		tree_text(tree, "guid", "");
	if (entry != NULL)
		tree_bool(tree, "bootable", entry->bootable);
	else
		tree_null(tree, "bootable");
}

static void partition(struct tree *tree, const char *key, const struct inventory *inventory,
		      const struct selection *selection)
{
	const struct inventory_part *part = selection->part;

	tree_object(tree, key);
	if (part->entry != NULL)
		tree_number(tree, "number", part->entry->number);
	else
		tree_null(tree, "number");
	names_of(tree, inventory, selection);
	tree_number(tree, "start", part->start_bytes);
	tree_number(tree, "size", part->size_bytes);
	entry_of(tree, selection->disk->table.kind, part->entry);
	file_system_of(tree, &part->volume, part->device, &part->logical);
	tree_bool(tree, "started-from", part->device != NULL && part->device->started_from);
	tree_end(tree);
}

static void table_of(struct tree *tree, const struct part_table *table)
{
	switch (table->kind) {
	case PART_NONE:
		tree_null(tree, "partition-table");
		break;
	case PART_MBR:
		tree_text(tree, "partition-table", "mbr");
		tree_number(tree, "disk-signature", table->mbr_signature);
		break;
	case PART_GPT:
		tree_text(tree, "partition-table", "gpt");
		guid_of(tree, "disk-guid", &table->disk_guid);
		break;
	}
	if (table->note[0] != '\0')
		tree_text(tree, "note", table->note);
}

static void disk_of(struct tree *tree, const char *key, const struct inventory *inventory,
		    const struct inventory_disk *disk)
{
	const struct device *device = disk->device;

	tree_object(tree, key);
	names_of(tree, inventory, &(struct selection){ .disk = disk });
	tree_text(tree, "bus", device->bus);
	tree_text(tree, "model", device->model);
	tree_text(tree, "serial", device->serial);
	if (device->medium) {
		tree_number(tree, "size", device->size_bytes);
		tree_number(tree, "block-size", device->block_bytes);
	} else {
		tree_null(tree, "size");
		tree_null(tree, "block-size");
	}
	tree_bool(tree, "removable", device->removable);
	tree_bool(tree, "read-only", device->read_only);
	tree_bool(tree, "medium", device->medium);
	tree_bool(tree, "started-from", disk->started_from);
	table_of(tree, &disk->table);
	if (disk->drive_note[0] != '\0')
		tree_text(tree, "drive-note", disk->drive_note);
	if (disk->twin_note[0] != '\0')
		tree_text(tree, "twin-note", disk->twin_note);
	file_system_of(tree, &disk->volume, device, &disk->logical);
	tree_array(tree, "partitions");
	for (size_t i = 0; i < disk->n; i++)
		partition(tree, NULL, inventory,
			  &(struct selection){ .disk = disk, .part = &disk->part[i] });
	tree_end(tree);
	tree_end(tree);
}

void selection_write_json(const struct inventory *inventory, const struct selection *selection,
			  struct tree *tree)
{
	if (selection->part != NULL)
		partition(tree, "partition", inventory, selection);
	else
		disk_of(tree, "disk", inventory, selection->disk);
}

void inventory_print_json(const struct inventory *inventory, struct out *out)
{
	struct tree tree;

	tree_init(&tree, out, TREE_JSON);
	tree_array(&tree, NULL);
	for (size_t i = 0; i < inventory->n; i++)
		disk_of(&tree, NULL, inventory, &inventory->disk[i]);
	tree_end(&tree);
}
