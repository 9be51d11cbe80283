/* SPDX-License-Identifier: BSD-2-Clause */
#include <efi.h>
#include <efipciio.h>

#include "connect.h"

#include <stdbool.h>

#include "device_path.h"
#include "firmware.h"
#include "nvme.h"

enum {
	/*
	 * A bus that appears brings handles that want connecting in turn: controller, bus, device,
	 * partition, file system.
	 */
	ROUNDS_MAX = 16,
	/*
	 * Offset of the base class in the configuration space, and base classes (PCI Code and ID
	 * Assignment, 1).
	 */
	PCI_BASE_CLASS = 11,
	CLASS_NETWORK = 2,
	CLASS_DISPLAY = 3,
};

struct handles {
	EFI_HANDLE *handle;
	size_t n;
};

static bool connected;

/*
 * A network's drivers may wait for a cable, a display's switch the screen over, and no disk is
 * behind either.
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

/* Connects those that were not there before. Returns whether there were any. */
static bool connect_new(const struct handles *now, const struct handles *before)
{
	const EFI_DEVICE_PATH_PROTOCOL *left = NULL;
	bool new = false;

	for (size_t i = 0; i < now->n; i++) {
		EFI_HANDLE handle = now->handle[i];

		if (is_among(handle, before))
			continue;
		new = true;
		/* What is below one that is left alone comes behind it. */
		if (left != NULL && device_path_is_below(device_path_of(handle), left))
			continue;
		if (is_unwanted(handle))
			left = device_path_of(handle);
		/* Most have no driver that is not connected, so that failure says nothing. */
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
	 * What is no device has no path, and nothing to connect. Without memory, what is connected
	 * already will have to do.
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
