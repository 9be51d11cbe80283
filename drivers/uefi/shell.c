/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the UEFI shell from the menu.
 *
 * LoadImage() wants a device path: that of a volume or of a firmware volume, and one more node,
 * which names the file (UEFI 2.10, 10.3.5.4; PI 1.7, volume 3, 8.3). The usual names on all volumes
 * are tried first, then the shell that EDK2 builds into firmware.
 */
#include <efi.h>

#include "shell.h"

#include "base/memory.h"
#include "device_path.h"
#include "file_names.h"
#include "firmware.h"
#include "text16.h"

enum { MEDIA = 4, FILE_PATH = 4, FIRMWARE_FILE = 6, HEADER_BYTES = 4, PATH_END_BYTES = 4 };

/* The file of EDK2's shell in a firmware volume, and the usual names on a boot volume. */
static const EFI_GUID built_in = {
	0x7c04a583, 0x9e3e, 0x4f1c, { 0xad, 0x65, 0xe0, 0x52, 0x68, 0xd0, 0xb4, 0xd1 }
};
static const CHAR16 *const usual[] = { L"\\" SHELL_FILE_NAME, L"\\efi\\tools\\" SHELL_FILE_NAME,
				       L"\\efi\\boot\\" SHELL_FILE_NAME };

#define FIRMWARE_VOLUME_GUID \
	{ \
		0x220e73b6, 0x6bdb, 0x4413, \
		{ \
			0x84, 0x05, 0xb9, 0x74, 0xb1, 0x08, 0x61, 0x9a \
		} \
	}

/* Starts the file named by one more node after the path of a device. */
static enum shell_start start(EFI_HANDLE device, uint8_t subtype, const void *bytes, size_t n)
{
	const EFI_DEVICE_PATH_PROTOCOL *base = device_path_of(device);
	size_t length = base != NULL ? device_path_length(base) : 0, node = HEADER_BYTES + n;
	/* otherwise it would wait five seconds, and run startup.nsh, which may start efi-img */
	CHAR16 load_options[] = L"shell.efi -nostartup";
	EFI_LOADED_IMAGE_PROTOCOL *loaded;
	EFI_HANDLE image = NULL;
	uint8_t *path;
	EFI_STATUS efi;

	if (base == NULL)
		return SHELL_MISSING;
	path = mem_alloc(length + node + PATH_END_BYTES);
	if (path == NULL)
		return SHELL_MISSING;
	memcpy(path, base, length);
	memcpy(path + length, (uint8_t[]){ MEDIA, subtype, (uint8_t)node, (uint8_t)(node >> 8) },
	       HEADER_BYTES);
	memcpy(path + length + HEADER_BYTES, bytes, n);
	memcpy(path + length + node, (uint8_t[]){ 0x7f, 0xff, PATH_END_BYTES, 0 }, PATH_END_BYTES);
	efi = firmware.services->LoadImage(FALSE, firmware.image, (EFI_DEVICE_PATH_PROTOCOL *)path,
					   NULL, 0, &image);
	mem_free(path);
	if (efi == EFI_SUCCESS) {
		loaded = PROTOCOL(image, EFI_LOADED_IMAGE_PROTOCOL);
		if (loaded != NULL) {
			loaded->LoadOptions = load_options;
			loaded->LoadOptionsSize = sizeof load_options;
		}
		/* the exit code is that of the last command typed */
		(void)firmware.services->StartImage(image, NULL, NULL);
	} else if (image != NULL) {
		(void)firmware.services->UnloadImage(image); /* loaded, but refused (Secure Boot) */
	}
	if (efi == EFI_SECURITY_VIOLATION || efi == EFI_ACCESS_DENIED)
		return SHELL_REFUSED;
	return efi == EFI_SUCCESS ? SHELL_STARTED : SHELL_MISSING;
}

/* The same on each handle that has the protocol, until one has started. */
static enum shell_start start_from(EFI_GUID *protocol, uint8_t subtype, const void *bytes, size_t n)
{
	EFI_HANDLE *handles = NULL;
	size_t n_handles;
	enum shell_start best = SHELL_MISSING;

	if (firmware_handles(protocol, &handles, &n_handles) != ST_OK)
		return best;
	for (size_t i = 0; i < n_handles && best != SHELL_STARTED; i++) {
		enum shell_start one = start(handles[i], subtype, bytes, n);

		best = one > best ? one : best;
	}
	firmware_free(handles);
	return best;
}

enum shell_start shell_start(void)
{
	enum shell_start best = SHELL_MISSING, one;

	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
		one = start_from(&(EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID, FILE_PATH,
				 usual[i], (text16_length(usual[i]) + 1) * sizeof(CHAR16));
		if (one == SHELL_STARTED)
			return one;
		best = one > best ? one : best;
	}
	one = start_from(&(EFI_GUID)FIRMWARE_VOLUME_GUID, FIRMWARE_FILE, &built_in,
			 sizeof built_in);
	return one > best ? one : best;
}
