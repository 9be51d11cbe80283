/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access to the firmware's tables and protocols, and the two ends of the program: its first call,
 * and platform_panic().
 */
#include <efi.h>

#include "firmware.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/out.h"
#include "console.h"
#include "platform/machine.h"
#include "processors.h"
#include "sata.h"
#include "status.h"
#include "text16.h"

struct firmware firmware;

void firmware_start(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	firmware.system = system;
	firmware.services = system->BootServices;
	firmware.image = image;
	/* fails only where there is no watchdog */
	(void)firmware.services->SetWatchdogTimer(0, 0, 0, NULL);
	firmware.loaded = PROTOCOL(image, EFI_LOADED_IMAGE_PROTOCOL);
	firmware.shell = LOCATE(EFI_SHELL_PROTOCOL);
	if (firmware.shell != NULL)
		firmware.parameters = PROTOCOL(image, EFI_SHELL_PARAMETERS_PROTOCOL);
	firmware.secure_boot = secure_boot_read();
	console_start();
}

void *firmware_protocol(EFI_HANDLE handle, EFI_GUID *guid)
{
	void *interface = NULL;
	EFI_STATUS efi;

	if (handle == NULL)
		return NULL;
	efi = firmware.services->HandleProtocol(handle, guid, &interface);
	return efi == EFI_SUCCESS ? interface : NULL;
}

void *firmware_locate(EFI_GUID *guid)
{
	void *interface = NULL;
	EFI_STATUS efi = firmware.services->LocateProtocol(guid, NULL, &interface);

	return efi == EFI_SUCCESS ? interface : NULL;
}

UINTN firmware_hold(void)
{
	return firmware.services->RaiseTPL(TPL_CALLBACK);
}

void firmware_release(UINTN level)
{
	firmware.services->RestoreTPL(level);
}

enum status firmware_handles(EFI_GUID *guid, EFI_HANDLE **ret, size_t *ret_n)
{
	EFI_LOCATE_SEARCH_TYPE search = guid != NULL ? ByProtocol : AllHandles;
	EFI_HANDLE *handles = NULL;
	UINTN n = 0;
	EFI_STATUS efi = firmware.services->LocateHandleBuffer(search, guid, NULL, &n, &handles);

	*ret = NULL;
	*ret_n = 0;
	if (efi == EFI_NOT_FOUND)
		return ST_OK;
	if (efi != EFI_SUCCESS)
		return status_from_efi(efi);
	*ret = handles;
	*ret_n = n;
	return ST_OK;
}

void firmware_free(void *pool)
{
	/* fails only for a pointer that the pool does not know */
	if (pool != NULL)
		(void)firmware.services->FreePool(pool);
}

const char *platform_firmware(void)
{
	static char text[128]; /* the caller keeps a pointer to it */
	struct out_buffer buffer;
	char *vendor = text16_to_utf8(firmware.system->FirmwareVendor != NULL
					      ? firmware.system->FirmwareVendor
					      : (const CHAR16 *)L"");

	out_buffer_init(&buffer, text, sizeof text);
	out_printf(&buffer.out, "UEFI %u.%u, %s 0x%08x",
		   (unsigned)firmware.system->Hdr.Revision >> 16,
		   (unsigned)(firmware.system->Hdr.Revision & 0xffff) / 10,
		   vendor != NULL ? vendor : "", (unsigned)firmware.system->FirmwareRevision);
	mem_free(vendor);
	return text;
}

void platform_panic(const char *what, const char *file, int line)
{
	/*
	 * Only the boot processor can print. It notices after a while that this one does not
	 * respond, and does the work again, with the same result.
	 */
	while (!processors_is_boot())
		;
	out_printf(console_err(), "\nefi-img: internal error, please report it: %s:%d: %s\n", file,
		   line, what);
	firmware_abort();
}

void firmware_abort(void)
{
	processors_abandon(); /* they execute this program, which is about to be unloaded */
	console_flush();
	sata_finish();
	(void)firmware.services->Exit(firmware.image, EFI_ABORTED, 0, NULL);
	for (;;) /* only if the firmware refuses: continuing could write wrong data */
		(void)firmware.services->Stall(1000000);
}
