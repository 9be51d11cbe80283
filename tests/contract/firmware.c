/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What blk/blk.h says, held against the blks of drivers/uefi/: a UEFI application for the shell,
 * which tests/boot/test_contract.py starts from the volume that its file goes to. The disks have
 * the serial numbers below, and SIZE bytes, or a first partition of that size. Prints a line for
 * each test, and "contract done" after the last.
 */
#include <efi.h>

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "console.h"
#include "contract.h"
#include "disk/inventory.h"
#include "firmware.h"
#include "platform/devices.h"
#include "platform/files.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static const char file_name[] = "contract.bin";

static struct kind tested;

/* A disk by its serial number, or its first partition. */
struct where {
	const char *serial;
	bool partition;
};

void contract_failed(const char *what)
{
	out_printf(console_out(), "contract failed: %s\n", what);
	for (;;)
		firmware.services->Exit(firmware.image, EFI_ABORTED, 0, NULL);
}

static void must(enum status st, const struct error *why)
{
	if (st != ST_OK)
		contract_failed(why->text);
}

void contract_prepare(void)
{
}

void contract_finish(const struct subject *s)
{
	struct error why;

	if (!s->kind->is_device)
		must(platform_remove(file_name, &why), &why);
}

static struct blk *filled(struct blk *blk)
{
	if (blk_write(blk, 0, contents(), SIZE) != ST_OK || blk_flush(blk) != ST_OK)
		contract_failed("writing what is to be tested");
	return blk;
}

static struct blk *open_file(const struct kind *kind)
{
	struct blk *blk;
	struct error why;

	must(platform_create(file_name, true, &blk, &why), &why);
	blk_close(filled(blk));
	must(platform_open(file_name, kind->writable ? OPEN_WRITE : OPEN_READ, &blk, &why), &why);
	return blk;
}

static const struct device *find(const struct device_list *list, const struct where *where)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct device *device = &list->device[i];
		bool is_partition = device->parent != DEVICE_NO_PARENT;

		if (is_partition == where->partition &&
		    text_equal(list->device[is_partition ? (size_t)device->parent : i].serial,
			       where->serial))
			return device;
	}
	contract_failed(where->serial);
}

/* The ids of devices change when one is opened for writing: they are listed anew each time. */
static struct blk *open_device(const struct where *where, bool writable)
{
	struct inventory inventory = { 0 };
	const struct device *device;
	struct blk *blk;
	struct error why;

	must(platform_devices(&inventory.devices, &why), &why);
	device = find(&inventory.devices, where);
	must(writable ? platform_open_target(device, &blk, &why)
		      : platform_open_device(device, &blk, &why),
	     &why);
	tested.device_id = device->id;
	inventory_free(&inventory);
	return blk;
}

static struct blk *open_disk(const struct kind *kind)
{
	struct blk *blk = filled(open_device(kind->of, true));

	if (kind->writable)
		return blk;
	blk_close(blk);
	return open_device(kind->of, false);
}

static const struct where disk = { .serial = "DISK" }, disk_4096 = { .serial = "DISK4096" },
			  partition = { .serial = "PARTED", .partition = true };

static const struct kind kinds[] = {
	{ "file", open_file, .writable = true, .grows = true },
	{ "file, read-only", open_file, .writable = false },
	{ "disk", open_disk, .writable = true, .is_device = true, .of = &disk },
	{ "disk, read-only", open_disk, .is_device = true, .of = &disk },
	{ "disk of 4096", open_disk, .writable = true, .is_device = true, .of = &disk_4096 },
	{ "disk of 4096, read-only", open_disk, .is_device = true, .of = &disk_4096 },
	{ "partition", open_disk, .writable = true, .is_device = true, .of = &partition },
	{ "partition, read-only", open_disk, .is_device = true, .of = &partition },
};

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	firmware_start(image, system);
	(void)platform_permit(&contract_permit);
	for (size_t i = 0; i < N_OF(kinds); i++)
		for (size_t test = 0; test < N_CONTRACT_TESTS; test++) {
			tested = kinds[i];
			contract_run(&tested, contract_tests[test].run);
			out_printf(console_out(), "%s: %s\n", kinds[i].name,
				   contract_tests[test].name);
		}
	out_text(console_out(), "contract done\n");
	return EFI_SUCCESS;
}
