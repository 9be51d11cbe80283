/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of the machine's block devices (platform/devices.h).
 *
 * Every handle with Block I/O is a device: disks, and the partitions that the firmware has made
 * handles of, which say so themselves (Media->LogicalPartition). A partition belongs to the disk
 * whose device path its own path continues. Bus and start are read from the nodes of the path,
 * model and serial number asked of the drive (identity.h), names taken from the shell's map
 * (names.h).
 *
 * Partition tables are not read here: core/disk/ does that, for partitions that the firmware does
 * not show as well.
 */
#include <efi.h>

#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/blk.h"
#include "connect.h"
#include "device_path.h"
#include "disk.h"
#include "drive.h"
#include "file_system.h"
#include "firmware.h"
#include "flush.h"
#include "identity.h"
#include "location.h"
#include "names.h"
#include "platform/devices.h"
#include "platform/path.h"
#include "text16.h"

/*
 * A handle with Block I/O, before it becomes a struct device. Copies, since the device may be
 * unplugged while others are asked for their names and volumes.
 */
struct found {
	EFI_HANDLE handle;
	EFI_BLOCK_IO_MEDIA media;
	EFI_DEVICE_PATH_PROTOCOL *path;   /* NULL: it has none */
	const struct named_device *names; /* NULL: nameless */
	struct found *disk;               /* of a partition; NULL for disks */
	uint64_t start_bytes;
	size_t index; /* in the list of devices, once it was added */
};

/* ---- The bus ---- */

/*
 * A vendor-defined node with the GUID d487ddb4-008b-11d9-afdc-001083ffca4d stands for Serial
 * Attached SCSI (UEFI 2.10, 10.3.4.18). These are its first eight bytes as a little-endian number,
 * enough for a name on the screen.
 */
#define SAS_GUID_START UINT64_C(0x11d9008bd487ddb4)

/*
 * The bus by the subtype of a messaging node (UEFI 2.10, 10.3.4). NULL: not that of a disk's bus.
 */
static const char *messaging_bus(const EFI_DEVICE_PATH_PROTOCOL *node)
{
	switch (node->SubType) {
	case 1:
		return "IDE";
	case 2:
		return "SCSI";
	case 3:
		return "FC";
	case 4:
		return "FireWire";
	case 5:
		return "USB";
	case 10:
		return device_path_field(node, 4, 8) == SAS_GUID_START ? "SAS" : NULL;
	case 15:
		return "USB";
	case 16:
		return "USB";
	case 18:
		return "SATA";
	case 19:
		return "iSCSI";
	case 21:
		return "FC";
	case 22:
		return "SAS";
	case 23:
		return "NVMe";
	case 25:
		return "UFS";
	case 26:
		return "SD";
	case 29:
		return "eMMC";
	case 34:
		return "NVMe-oF";
	default:
		return NULL;
	}
}

/*
 * Of several buses in one path the last one counts: a SATA disk behind a USB bridge is a USB disk.
 */
static const char *bus_of(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	enum { MEDIA_RAM_DISK = 9 };
	const char *bus = NULL;

	FOR_EACH_NODE(node, path)
	{
		const char *found = node->Type == MESSAGING_DEVICE_PATH ? messaging_bus(node)
									: NULL;

		if (node->Type == MEDIA_DEVICE_PATH && node->SubType == MEDIA_RAM_DISK)
			return "RAM";
		if (found != NULL)
			bus = found;
	}
	if (bus != NULL)
		return bus;
	return device_path_is_virtio(path) ? "virtio" : "";
}

/* ---- Order and parents ---- */

/*
 * The offset of a partition on its disk. HD() and CDROM() nodes (UEFI 2.10, 10.3.5.1 and 10.3.5.2)
 * have the first block in the same place. A partition within a partition, as in the boot image of a
 * CD, has a node for each; its first block counts from the outer partition.
 */
static uint64_t start_of(const struct found *partition)
{
	const struct found *disk = partition->disk != NULL ? partition->disk : partition;
	uint64_t start = 0;

	FOR_EACH_NODE(node, partition->path)
	if (node->Type == MEDIA_DEVICE_PATH &&
	    (node->SubType == MEDIA_HARDDRIVE_DP || node->SubType == MEDIA_CDROM_DP) &&
	    !add_ok(start, device_path_field(node, 8, 8), &start))
		return 0;
	return mul_ok(start, disk->media.BlockSize, &start) ? start : 0;
}

/* Finds the disk of each partition. A partition without one is listed as a disk. */
static void find_disks(struct found *found, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!found[i].media.LogicalPartition)
			continue;
		for (size_t k = 0; k < n; k++)
			if (!found[k].media.LogicalPartition &&
			    device_path_is_below(found[i].path, found[k].path))
				found[i].disk = &found[k];
		found[i].start_bytes = start_of(&found[i]);
	}
}

/* The number in "blk12:"; UINT64_MAX, which sorts last, without such a name. */
static uint64_t blk_number(const struct found *found)
{
	uint64_t number = UINT64_MAX;

	for (size_t i = 0; found->names != NULL && i < found->names->n_names; i++) {
		const char *name = found->names->names[i];
		size_t n = text_length(name);
		char digits[32];

		if (!text_starts_with(name, "blk") || n < 5 || n - 4 >= sizeof digits)
			continue;
		memcpy(digits, name + 3, n - 4);
		digits[n - 4] = '\0';
		if (text_to_u64(digits, &number))
			return number;
	}
	return UINT64_MAX;
}

/*
 * Disks in the order of their names, each followed by its partitions in the order of their start.
 */
static bool goes_before(const struct found *a, const struct found *b)
{
	const struct found *disk_a = a->disk != NULL ? a->disk : a,
			   *disk_b = b->disk != NULL ? b->disk : b;
	uint64_t number_a, number_b;

	if (disk_a == disk_b) {
		if (a->disk == NULL || b->disk == NULL)
			return a->disk == NULL && b->disk != NULL;
		if (a->start_bytes != b->start_bytes)
			return a->start_bytes < b->start_bytes;
		return device_path_length(a->path) < device_path_length(b->path);
	}
	number_a = blk_number(disk_a);
	number_b = blk_number(disk_b);
	return number_a != number_b ? number_a < number_b : disk_a < disk_b;
}

static struct found **sorted(struct found *found, size_t n)
{
	struct found **order = mem_alloc((n + 1) * sizeof(struct found *));

	for (size_t i = 0; order != NULL && i < n; i++) {
		size_t at = i;

		for (; at > 0 && goes_before(&found[i], order[at - 1]); at--)
			order[at] = order[at - 1];
		order[at] = &found[i];
	}
	return order;
}

/* ---- One device ---- */

static enum status copy_names(const struct named_device *from, struct device *device)
{
	if (from == NULL)
		return ST_OK;
	device->names = mem_alloc(from->n_names * sizeof *device->names);
	if (device->names == NULL)
		return ST_NO_MEMORY;
	for (size_t i = 0; i < from->n_names; i++) {
		device->names[i] = text_copy(from->names[i]);
		if (device->names[i] == NULL)
			return ST_NO_MEMORY;
		device->n_names++;
	}
	return ST_OK;
}

/* A volume that cannot be opened, because it is damaged for example, is listed as absent. */
static enum status describe_volume(EFI_HANDLE handle, struct volume_info *ret)
{
	EFI_FILE_PROTOCOL *root;
	struct file_system volume;
	enum status st = file_system_root(handle, &root);

	if (st == ST_OK) {
		st = file_system_look(handle, root, &volume);
		(void)root->Close(root); /* nothing was written */
		if (st == ST_OK) {
			*ret = (struct volume_info){
				.present = true,
				.read_only = volume.read_only,
				.label = volume.label,
				.size_bytes = volume.size_bytes,
				.free_bytes = volume.free_bytes,
			};
			return ST_OK;
		}
		file_system_free(&volume);
	}
	ret->label = text_copy("");
	return ret->label != NULL ? ST_OK : ST_NO_MEMORY;
}

/* Handles that must not be overwritten. NULL: unknown. */
struct in_use {
	EFI_HANDLE start;   /* efi-img was started from it */
	EFI_HANDLE current; /* the shell's current volume */
};

static struct in_use find_in_use(void)
{
	struct in_use in_use = { .start = firmware.loaded != NULL ? firmware.loaded->DeviceHandle
								  : NULL };
	const CHAR16 *directory = firmware.shell != NULL ? firmware.shell->GetCurDir(NULL) : NULL;
	char *name = directory != NULL ? text16_to_utf8(directory) : NULL, *volume = NULL;

	if (name != NULL)
		volume = text_copy_n(name, path_volume_length(name));
	/* if this fails for lack of memory, so does the list itself a moment later */
	if (volume == NULL || names_find(volume, &in_use.current) != ST_OK)
		in_use.current = NULL;
	mem_free(volume);
	mem_free(name);
	return in_use;
}

/* Whether a handle is that of a device, or of a partition of it. */
static bool is_on(EFI_HANDLE handle, const struct found *found)
{
	if (handle == NULL)
		return false;
	if (handle == found->handle)
		return true;
	return !found->media.LogicalPartition &&
	       device_path_is_below(device_path_of(handle), found->path);
}

static enum status describe(const struct found *found, const struct in_use *in_use,
			    struct device *ret)
{
	const EFI_BLOCK_IO_MEDIA *media = &found->media;
	enum status st;

	*ret = (struct device){
		.id = (uintptr_t)found->handle,
		.medium_id = media->MediaId,
		.path = device_path_text(found->path),
		.parent = found->disk != NULL ? (int)found->disk->index : DEVICE_NO_PARENT,
		.start_bytes = found->start_bytes,
		.bus = bus_of(found->path),
		.size_bytes = disk_size(media),
		.block_bytes = media->BlockSize,
		.removable = media->RemovableMedia,
		.read_only = media->ReadOnly,
		.medium = media->MediaPresent,
		.started_from = is_on(in_use->start, found),
		.current = is_on(in_use->current, found),
		.flushes = flush_reaches(found->disk != NULL ? found->disk->handle : found->handle),
	};
	if (ret->path == NULL)
		return ST_NO_MEMORY;
	st = copy_names(found->names, ret);
	if (st != ST_OK)
		return st;
	if (found->disk == NULL) {
		st = identity_of(found->handle, &ret->model, &ret->serial);
		drive_ask(found->handle, &ret->drive);
	} else {
		ret->model = text_copy("");
		ret->serial = text_copy("");
		st = ret->model != NULL && ret->serial != NULL ? ST_OK : ST_NO_MEMORY;
	}
	if (st == ST_OK)
		st = describe_volume(found->handle, &ret->volume);
	if (st != ST_OK)
		return st;
	st = disk_open(found->handle, &ret->blk);
	/* a device that cannot be read is listed nevertheless */
	return st == ST_NO_MEMORY ? st : ST_OK;
}

/* ---- All of them ---- */

/* Whether the handle is that of a device that efi-img can use: then *ret is it. */
static enum status find(EFI_HANDLE handle, const struct names *names, struct found *ret,
			bool *ret_found)
{
	UINTN level = firmware_hold();
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(handle, EFI_BLOCK_IO_PROTOCOL);
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(handle);
	enum status st = ST_OK;

	*ret_found = io != NULL && io->Media != NULL && disk_is_usable(io->Media);
	if (*ret_found) {
		*ret = (struct found){ .handle = handle, .media = *io->Media };
		if (path != NULL)
			ret->path = device_path_copy(path, device_path_length(path));
		st = path == NULL || ret->path != NULL ? ST_OK : ST_NO_MEMORY;
	}
	firmware_release(level);
	if (*ret_found)
		ret->names = names_of(names, handle);
	return st;
}

static enum status describe_all(struct found *found, size_t n, struct device_list *ret)
{
	struct in_use in_use = find_in_use();
	struct found **order;
	enum status st = ST_NO_MEMORY;

	find_disks(found, n);
	order = sorted(found, n);
	ret->device = mem_alloc((n + 1) * sizeof *ret->device);
	if (order != NULL && ret->device != NULL)
		st = ST_OK;
	while (st == ST_OK && ret->n < n) {
		order[ret->n]->index = ret->n;
		st = describe(order[ret->n], &in_use, &ret->device[ret->n]);
		ret->n++;
	}
	mem_free(order);
	return st;
}

static enum status list(const EFI_HANDLE *handles, size_t n_handles, const struct names *names,
			struct device_list *ret)
{
	struct found *found = mem_alloc((n_handles + 1) * sizeof *found);
	enum status st = found != NULL ? ST_OK : ST_NO_MEMORY;
	size_t n = 0;
	bool is_device;

	for (size_t i = 0; st == ST_OK && i < n_handles; i++) {
		st = find(handles[i], names, &found[n], &is_device);
		n += is_device;
	}
	if (st == ST_OK)
		st = describe_all(found, n, ret);
	for (size_t i = 0; i < n; i++)
		mem_free(found[i].path);
	mem_free(found);
	return st;
}

enum status platform_devices(struct device_list *ret, struct error *err)
{
	EFI_HANDLE *handles = NULL;
	struct names names = { 0 };
	size_t n;
	enum status st;

	*ret = (struct device_list){ 0 };
	connect_all();
	st = firmware_handles(&(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID, &handles, &n);
	if (st == ST_OK)
		st = names_load(&names);
	if (st == ST_OK)
		st = list(handles, n, &names, ret);
	if (st == ST_OK)
		ret->n_idle = drive_idle_controllers(ret->idle);
	names_free(&names);
	firmware_free(handles);
	if (st == ST_NO_MEMORY)
		return fail_no_memory(err);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "cannot list the block devices: %s", status_text(st));
}

enum status platform_open_device(const struct device *device, struct blk **ret, struct error *err)
{
	EFI_HANDLE handle = (EFI_HANDLE)device->id;
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(handle, EFI_BLOCK_IO_PROTOCOL);
	enum status st = ST_MEDIUM_CHANGED;

	if (io != NULL && io->Media->MediaId == device->medium_id)
		st = disk_open(handle, ret);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", device->path, status_text(st));
}

bool platform_device_of(const char *name, uintptr_t *ret_id)
{
	struct location location;
	struct error ignored; /* a name that does not exist is on no device */
	EFI_BLOCK_IO_PROTOCOL *io;
	EFI_HANDLE device = NULL;

	/* the file system may be on a handle below that of its blocks */
	if (location_find(name, &location, &ignored) == ST_OK)
		device = device_path_locate(device_path_of(location.device),
					    &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID);
	location_free(&location);
	io = PROTOCOL(device, EFI_BLOCK_IO_PROTOCOL);
	*ret_id = (uintptr_t)device;
	return io != NULL && io->Media != NULL && disk_is_usable(io->Media);
}
