/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The devices of a made-up machine, for platform/devices.h. A device is either a file of the
 * simulated volume (sim_disk_open()), which fails and journals as files do, or a blk of the test,
 * which is lent to each caller, so that closing it leaves the blk of the test open.
 */
#include "machine.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "blk/blk.h"
#include "volume.h"

enum { SIM_DEVICES_MAX = 64 };

static const struct sim_device *machine;
static size_t n_machine;
static enum status unknown;
static unsigned looks;
static const struct idle_controller *idle;
static size_t n_idle;
static struct {
	const char *file, *holds;
} files[SIM_DEVICES_MAX];

void sim_machine(const struct sim_device *devices, size_t n)
{
	machine = devices;
	n_machine = n;
	unknown = ST_OK;
	looks = 0;
	n_idle = 0;
	for (size_t i = 0; i < SIM_DEVICES_MAX; i++)
		files[i].file = files[i].holds = NULL;
}

void sim_machine_idle(const struct idle_controller *controllers, size_t n)
{
	idle = controllers;
	n_idle = n;
}

void sim_machine_files(size_t index, const char *file, const char *holds)
{
	files[index].file = file;
	files[index].holds = holds;
}

static bool copy(char **to, const char *from)
{
	*to = text_copy(from != NULL ? from : "");
	return *to != NULL;
}

static bool copy_names(struct device *to, const char *names)
{
	to->names = mem_alloc((text_length(names) + 1) * sizeof *to->names);
	while (to->names != NULL && *names != '\0') {
		const char *blank = text_find(names, ' ');
		size_t n = blank != NULL ? (size_t)(blank - names) : text_length(names);

		to->names[to->n_names] = text_copy_n(names, n);
		if (to->names[to->n_names] == NULL)
			return false;
		to->n_names++;
		names += blank != NULL ? n + 1 : n;
	}
	return to->names != NULL;
}

/* A disk that is lent: closing it leaves the test's own one open. */
struct lent_blk {
	struct blk blk;
	struct blk_device device;
	struct blk *disk;
};

static enum status lent_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read(((struct lent_blk *)blk)->disk, offset, buf, len);
}

static enum status lent_flush(struct blk *blk)
{
	return blk_flush(((struct lent_blk *)blk)->disk);
}

static void lent_close(struct blk *blk)
{
	mem_free(blk);
}

static bool lend(struct blk **to, struct blk *disk, uintptr_t id)
{
	static const struct blk_ops ops = { .read = lent_read,
					    .flush = lent_flush,
					    .close = lent_close };
	struct lent_blk *lent;

	if (disk == NULL)
		return true;
	lent = mem_alloc(sizeof *lent);
	if (lent == NULL)
		return false;
	lent->blk = *disk;
	lent->blk.ops = &ops;
	lent->blk.device = &lent->device;
	lent->device.id = id;
	lent->disk = disk;
	*to = &lent->blk;
	return true;
}

unsigned sim_machine_looks(void)
{
	return looks;
}

void sim_machine_unknown(enum status st)
{
	unknown = st;
}

enum status platform_devices(struct device_list *ret, struct error *err)
{
	looks++;
	if (unknown != ST_OK) {
		*ret = (struct device_list){ 0 };
		return fail(err, unknown, "the devices: %s", status_text(unknown));
	}
	*ret = (struct device_list){ .device = mem_alloc(n_machine * sizeof(struct device)) };
	ret->n_idle = n_idle;
	for (size_t i = 0; i < n_idle; i++)
		ret->idle[i] = idle[i];
	if (ret->device == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; i < n_machine; i++) {
		const struct device *from = &machine[i].device;
		struct device *to = &ret->device[ret->n++];

		*to = *from;
		to->path = to->model = to->serial = to->volume.label = NULL;
		to->blk = NULL;
		to->id = i;
		to->bus = from->bus != NULL ? from->bus : "";
		if (!copy_names(to, machine[i].names) || !copy(&to->path, from->path) ||
		    !copy(&to->model, from->model) || !copy(&to->serial, from->serial) ||
		    !copy(&to->volume.label, from->volume.label) || !lend(&to->blk, from->blk, i))
			return fail_no_memory(err);
		if (files[i].file != NULL &&
		    sim_disk_open(files[i].file, i, false, from->block_bytes, &to->blk) != ST_OK)
			return fail_no_memory(err);
	}
	return ST_OK;
}

enum status platform_open_device(const struct device *device, struct blk **ret, struct error *err)
{
	const char *file = files[device->id].file;
	struct blk *lent = machine[device->id].device.blk;
	enum status st = ST_OK;

	*ret = NULL;
	if (file != NULL)
		st = sim_disk_open(file, device->id, false, device->block_bytes, ret);
	else if (lent == NULL)
		st = ST_IO;
	else if (!lend(ret, lent, device->id))
		st = ST_NO_MEMORY;
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", device->path, status_text(st));
}

enum status platform_open_target(const struct device *device, struct blk **ret, struct error *err)
{
	if (!sim_device_permitted(device->id))
		platform_panic("only what is in the access set is changed", __FILE__, __LINE__);
	const char *file = files[device->id].file;
	enum status st = file != NULL
				 ? sim_disk_open(file, device->id, true, device->block_bytes, ret)
				 : ST_MEDIUM_CHANGED;

	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", device->path, status_text(st));
}

bool platform_device_of(const char *name, uintptr_t *ret_id)
{
	for (*ret_id = 0; *ret_id < n_machine; ++*ret_id) {
		const char *holds = files[*ret_id].holds;

		if (holds != NULL && text_starts_with(name, holds))
			return true;
	}
	return false;
}
