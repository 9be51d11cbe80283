/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects all controllers that can lead to a disk (UEFI 2.10, 7.3.12, ConnectController()).
 *
 * One call with "recursive" would do most of this. It is done by hand, in rounds over all handles
 * that have appeared since the last round, because recursion also starts the drivers of networks
 * and displays, and because a controller that is complete must be left alone (nvme_is_complete()).
 * There is nothing to undo: connected drivers are what an operating system's boot loader finds as
 * well.
 */
#include <efi.h>
#include <efipciio.h>

#include "connect.h"

#include <stdbool.h>

#include "device_path.h"
#include "firmware.h"
#include "nvme.h"

enum {
	/*
	 * Each round connects the handles that the last one has created: controller, bus, device,
	 * partition, file system, and buses behind bridges.
	 */
	ROUNDS_MAX = 16,
	/*
	 * Offset of the base class in the configuration space, and two base classes (PCI Code and
	 * ID Assignment Specification, 1).
	 */
	PCI_BASE_CLASS = 11,
	CLASS_NETWORK = 2,
	CLASS_DISPLAY = 3,
};

struct handles {
	EFI_HANDLE *handle;
	size_t n;
};

static bool connected; /* once per run: later calls would find nothing new and take seconds */

/*
 * Drivers of networks may wait for a link, those of displays change the mode of the screen, and
 * neither leads to a disk.
 */
static bool is_unwanted(EFI_HANDLE handle)
{
	EFI_PCI_IO_PROTOCOL *pci = PROTOCOL(handle, EFI_PCI_IO_PROTOCOL);
	UINT8 class;

	return pci != NULL &&
	       pci->Pci.Read(pci, EfiPciIoWidthUint8, PCI_BASE_CLASS, 1, &class) == EFI_SUCCESS &&
	       (class == CLASS_NETWORK || class == CLASS_DISPLAY);
}

static bool is_among(EFI_HANDLE handle, const struct handles *handles)
{
	for (size_t i = 0; i < handles->n; i++)
		if (handles->handle[i] == handle)
			return true;
	return false;
}

/* Connects the handles that are not among `before`. Returns whether there were any. */
static bool connect_new(const struct handles *now, const struct handles *before)
{
	const EFI_DEVICE_PATH_PROTOCOL *left = NULL;
	bool new = false;

	for (size_t i = 0; i < now->n; i++) {
		EFI_HANDLE handle = now->handle[i];

		if (is_among(handle, before))
			continue;
		new = true;
		/* The handles below one that is skipped come after it. */
		if (left != NULL && device_path_is_below(device_path_of(handle), left))
			continue;
		if (is_unwanted(handle))
			left = device_path_of(handle);
		/* Fails for most handles: their drivers are connected, or they need none. */
		else if (!nvme_is_complete(handle))
			(void)firmware.services->ConnectController(handle, NULL, NULL, FALSE);
	}
	return new;
}

void connect_all(void)
{
	struct handles before = { .n = 0 }, now;
	bool new = true;

	if (connected)
		return;
	connected = true;
	/*
	 * Handles without a device path are no devices. If there is no memory for a list, the
	 * devices that are connected already have to do.
	 */
	for (int round = 0; new &&round < ROUNDS_MAX; round++) {
		if (firmware_handles(&(EFI_GUID)EFI_DEVICE_PATH_PROTOCOL_GUID, &now.handle,
				     &now.n) != ST_OK)
			break;
		new = connect_new(&now, &before);
		firmware_free(before.handle);
		before = now;
	}
	firmware_free(before.handle);
}
