/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking and copying device paths (UEFI 2.10, 10.2).
 *
 * A node is type, subtype, a 16-bit length that includes these four bytes, and data. A length below
 * 4 would make a loop endless, so that such a node ends the path. LocateDevicePath() does the
 * searching: it returns the handle with a protocol whose path is the longest beginning of a given
 * one, which is how partition, disk, controller and PCI function are found from one another.
 */
#include <efi.h>

#include "device_path.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "firmware.h"
#include "text16.h"

enum { HEADER_BYTES = 4, TYPE_END = 0x7f };

static size_t node_length(const EFI_DEVICE_PATH_PROTOCOL *node)
{
	return (size_t)bytes_from_le(node->Length, 2);
}

static bool is_end(const EFI_DEVICE_PATH_PROTOCOL *node)
{
	return node->Type == TYPE_END || node_length(node) < HEADER_BYTES;
}

const EFI_DEVICE_PATH_PROTOCOL *device_path_of(EFI_HANDLE handle)
{
	return PROTOCOL(handle, EFI_DEVICE_PATH_PROTOCOL);
}

const EFI_DEVICE_PATH_PROTOCOL *device_path_first(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	return path == NULL || is_end(path) ? NULL : path;
}

const EFI_DEVICE_PATH_PROTOCOL *device_path_next(const EFI_DEVICE_PATH_PROTOCOL *node)
{
	return device_path_first(
		(const EFI_DEVICE_PATH_PROTOCOL *)((const uint8_t *)node + node_length(node)));
}

size_t device_path_length(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	size_t length = 0;

	FOR_EACH_NODE(node, path)
	length += node_length(node);
	return length;
}

bool device_path_is_below(const EFI_DEVICE_PATH_PROTOCOL *path,
			  const EFI_DEVICE_PATH_PROTOCOL *prefix)
{
	size_t n = device_path_length(prefix);

	return n > 0 && device_path_length(path) > n && memcmp(path, prefix, n) == 0;
}

uint64_t device_path_field(const EFI_DEVICE_PATH_PROTOCOL *node, size_t offset, size_t n)
{
	return offset + n <= node_length(node) ? bytes_from_le((const uint8_t *)node + offset, n)
					       : 0;
}

EFI_DEVICE_PATH_PROTOCOL *device_path_copy(const EFI_DEVICE_PATH_PROTOCOL *path, size_t length)
{
	static const uint8_t end[HEADER_BYTES] = { TYPE_END, END_ENTIRE_DEVICE_PATH_SUBTYPE,
						   HEADER_BYTES, 0 };
	uint8_t *copy = mem_alloc(length + sizeof end);

	if (copy == NULL)
		return NULL;
	memcpy(copy, path, length);
	memcpy(copy + length, end, sizeof end);
	return (EFI_DEVICE_PATH_PROTOCOL *)copy;
}

EFI_DEVICE_PATH_PROTOCOL *device_path_last(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	const EFI_DEVICE_PATH_PROTOCOL *last = path;

	FOR_EACH_NODE(node, path)
	last = node;
	return last != NULL ? device_path_copy(last, device_path_length(last)) : NULL;
}

char *device_path_text(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_DEVICE_PATH_TO_TEXT_PROTOCOL *converter = LOCATE(EFI_DEVICE_PATH_TO_TEXT_PROTOCOL);
	CHAR16 *text = NULL;
	char *copy;

	if (path != NULL && converter != NULL)
		text = converter->ConvertDevicePathToText(path, FALSE, FALSE);
	copy = text16_to_utf8(text != NULL ? text : L"");
	firmware_free(text);
	return copy;
}

EFI_HANDLE device_path_locate(const EFI_DEVICE_PATH_PROTOCOL *path, EFI_GUID *protocol)
{
	/*
	 * the firmware advances the pointer to the part without a handle, and only reads the path
	 */
	EFI_DEVICE_PATH_PROTOCOL *rest = (EFI_DEVICE_PATH_PROTOCOL *)(uintptr_t)path;
	EFI_HANDLE handle = NULL;

	if (path == NULL)
		return NULL;
	return firmware.services->LocateDevicePath(protocol, &rest, &handle) == EFI_SUCCESS ? handle
											    : NULL;
}

bool device_path_is_virtio(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	enum { VENDOR_VIRTIO = 0x1af4 };
	EFI_HANDLE function = device_path_locate(path, &(EFI_GUID)EFI_PCI_IO_PROTOCOL_GUID);
	EFI_PCI_IO_PROTOCOL *pci = PROTOCOL(function, EFI_PCI_IO_PROTOCOL);
	UINT16 vendor = 0;

	if (pci == NULL || pci->Pci.Read(pci, EfiPciIoWidthUint16, 0, 1, &vendor) != EFI_SUCCESS)
		return false;
	return vendor == VENDOR_VIRTIO;
}
