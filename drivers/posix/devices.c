/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that stand for disks (platform/devices.h), so that everything about disks can be tested on
 * Linux. EFI_IMG_DISKS="a.img:b.img@4096,serial=S1" is a machine with the disks blk0: (sectors of
 * 512 bytes) and blk1: (of 4096). Partitions have no devices.
 *
 * Each file may be followed by properties, separated by commas: serial=, model=, holds= (a
 * directory whose files count as being on the disk), bad= (5+2: sectors 5 and 6 cannot be read),
 * read-only, started-from, current.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "host.h"
#include "platform/devices.h"

enum { SECTOR_BYTES = 512, SECTOR_BYTES_MAX = 65536, BUFFER_ALIGN = 8 };

/* Parses one property; false: there is none of this name. */
static bool parse_property(const char *word, struct file_disk *disk)
{
	const struct {
		const char *name;
		char *to;
		size_t capacity;
	} texts[] = {
		{ "serial=", disk->serial, sizeof disk->serial },
		{ "model=", disk->model, sizeof disk->model },
		{ "holds=", disk->holds, sizeof disk->holds },
	};
	const struct {
		const char *name;
		bool *to;
	} flags[] = {
		{ "read-only", &disk->read_only },
		{ "started-from", &disk->started_from },
		{ "current", &disk->current },
	};

	if (sscanf(word, "bad=%ju+%ju", &disk->bad_block, &disk->bad_blocks) == 2)
		return true;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (text_starts_with(word, texts[i].name)) {
			snprintf(texts[i].to, texts[i].capacity, "%s",
				 word + strlen(texts[i].name));
			return true;
		}
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (text_equal(word, flags[i].name))
			return *flags[i].to = true;
	return false;
}

/* The disk with this index; false: there are fewer, or it is malformed. */
static bool disk_at(size_t index, struct file_disk *ret)
{
	const char *list = getenv("EFI_IMG_DISKS");
	const size_t id = index;
	uint64_t block_bytes = SECTOR_BYTES;
	char text[2048], *word, *rest, *at;

	while (list != NULL && index-- > 0) {
		list = strchr(list, ':');
		list += list != NULL;
	}
	*ret = (struct file_disk){ .id = id };
	if (list == NULL || strcspn(list, ":") >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", (int)strcspn(list, ":"), list);
	word = strtok_r(text, ",", &rest);
	if (word == NULL || strlen(word) >= sizeof ret->path)
		return false;
	strcpy(ret->path, word);
	while ((word = strtok_r(NULL, ",", &rest)) != NULL)
		if (!parse_property(word, ret))
			return false;
	at = strrchr(ret->path, '@');
	if (at != NULL && text_to_u64(at + 1, &block_bytes))
		*at = '\0';
	ret->block_bytes = (uint32_t)block_bytes;
	return is_power_of_two(block_bytes) && block_bytes <= SECTOR_BYTES_MAX;
}

bool file_disk_find(const char *name, struct file_disk *ret)
{
	unsigned index;
	int end = 0;

	if (strncasecmp(name, "blk", 3) != 0 || !text_is_digit(name[3]))
		return false;
	return sscanf(name + 3, "%4u:%n", &index, &end) == 1 && end > 0 && name[3 + end] == '\0' &&
	       disk_at(index, ret);
}

enum status file_disk_open(const struct file_disk *disk, bool writable, struct blk **ret,
			   struct error *err)
{
	struct file_blk_kind kind = {
		.writable = writable,
		.is_device = true,
		.device_id = disk->id,
		.block_bytes = disk->block_bytes,
		.buffer_align = BUFFER_ALIGN,
		.bad_offset = disk->bad_block * disk->block_bytes,
		.bad_bytes = disk->bad_blocks * disk->block_bytes,
	};
	int fd = open(disk->path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	enum status st = fd >= 0 ? file_blk_open(fd, &kind, ret) : status_of_errno(errno);

	if (st != ST_OK && fd >= 0)
		close(fd);
	return st == ST_OK
		       ? ST_OK
		       : fail(err, st, "cannot open the disk %s: %s", disk->path, status_text(st));
}

static enum status fill(struct device *device, size_t index, const struct file_disk *disk,
			struct error *err)
{
	char name[16];
	enum status st;

	*device = (struct device){
		.id = index,
		.parent = DEVICE_NO_PARENT,
		.bus = "file",
		.block_bytes = disk->block_bytes,
		.medium = true,
		.read_only = disk->read_only,
		.started_from = disk->started_from,
		.current = disk->current,
		.flushes = true,
	};
	snprintf(name, sizeof name, "blk%zu:", index);
	device->names = mem_alloc(sizeof *device->names);
	device->path = text_copy(disk->path);
	device->model = text_copy(disk->model);
	device->serial = text_copy(disk->serial);
	device->volume.label = text_copy("");
	if (device->names == NULL || device->path == NULL || device->model == NULL ||
	    device->serial == NULL || device->volume.label == NULL)
		return fail_no_memory(err);
	device->names[0] = text_copy(name);
	device->n_names = device->names[0] != NULL;
	if (device->n_names == 0)
		return fail_no_memory(err);
	st = file_disk_open(disk, false, &device->blk, err);
	if (st == ST_OK)
		device->size_bytes = device->blk->size;
	return st;
}

enum status platform_open_device(const struct device *device, struct blk **ret, struct error *err)
{
	struct file_disk disk;

	if (!disk_at(device->id, &disk))
		return fail(err, ST_MEDIUM_CHANGED, "%s: the disk is gone", device->path);
	return file_disk_open(&disk, false, ret, err);
}

enum status platform_open_target(const struct device *device, struct blk **ret, struct error *err)
{
	struct file_disk disk;

	if (!device_permitted(device->id))
		platform_panic("only what is in the access set is changed", __FILE__, __LINE__);
	if (!disk_at(device->id, &disk))
		return fail(err, ST_MEDIUM_CHANGED, "%s: the disk is gone", device->path);
	return file_disk_open(&disk, true, ret, err);
}

/* By identity, since the file that stands for a disk counts as being on it under every name. */
static bool same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

bool platform_device_of(const char *name, uintptr_t *ret_id)
{
	struct file_disk disk, named;

	for (*ret_id = 0; disk_at(*ret_id, &disk); ++*ret_id) {
		size_t n = strlen(disk.holds);

		if (file_disk_find(name, &named)
			    ? strcmp(named.path, disk.path) == 0
			    : same_file(name, disk.path) ||
				      (n > 0 && strncmp(name, disk.holds, n) == 0))
			return true;
	}
	return false;
}

enum status platform_devices(struct device_list *ret, struct error *err)
{
	struct file_disk disk;
	enum status st = ST_OK;
	size_t n = 0;

	*ret = (struct device_list){ 0 };
	while (disk_at(n, &disk))
		n++;
	ret->device = mem_alloc(n * sizeof *ret->device);
	if (ret->device == NULL)
		return fail_no_memory(err);
	while (st == ST_OK && ret->n < n && disk_at(ret->n, &disk)) {
		st = fill(&ret->device[ret->n], ret->n, &disk, err);
		ret->n++;
	}
	return st;
}
