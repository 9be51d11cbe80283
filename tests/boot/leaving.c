/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: two devices with Block I/O, of which the second is unplugged in
 * the moment in which the first one is asked for its model, as by the timer of a bus driver. What
 * it had in memory is overwritten then, as firmware overwrites what it frees. Both are of a
 * vendor's device path, with a number in the node.
 */
#include <efi.h>

#include "dead_disk.h"

#include "protocol/disk_info.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

enum { FREED = 0xaf };

struct device {
	EFI_HANDLE handle;
	EFI_BLOCK_IO_PROTOCOL io;
	EFI_BLOCK_IO_MEDIA media;
	struct {
		VENDOR_DEVICE_PATH vendor;
		EFI_DEVICE_PATH_PROTOCOL end;
	} __attribute__((packed)) path;
};

static EFI_BOOT_SERVICES *services;
static struct device *leaving; /* NULL: it has left */
static EFI_GUID block_io = EFI_BLOCK_IO_PROTOCOL_GUID, device_path = EFI_DEVICE_PATH_PROTOCOL_GUID;

static EFI_STATUS EFIAPI inquiry(EFI_DISK_INFO_PROTOCOL *info, VOID *answer, UINT32 *size)
{
	struct device *device = leaving;

	(void)info;
	(void)answer;
	(void)size;
	leaving = NULL;
	if (device != NULL &&
	    services->UninstallMultipleProtocolInterfaces(device->handle, &block_io, &device->io,
							  &device_path, &device->path,
							  NULL) == EFI_SUCCESS)
		services->SetMem(device, sizeof *device, FREED);
	return EFI_NOT_FOUND;
}

static struct device *plug(UINT8 number)
{
	struct device *device;

	if (services->AllocatePool(EfiBootServicesData, sizeof *device, (VOID **)&device) !=
	    EFI_SUCCESS)
		return NULL;
	*device = (struct device){
		.io = dead_disk(&device->media),
		.media = { .MediaPresent = TRUE, .BlockSize = 512, .LastBlock = 7776 + number },
		.path = { .vendor = { { HARDWARE_DEVICE_PATH,
					HW_VENDOR_DP,
					{ sizeof device->path.vendor, 0 } },
				      DEAD_DISK_VENDOR },
			  .end = { END_DEVICE_PATH_TYPE,
				   END_ENTIRE_DEVICE_PATH_SUBTYPE,
				   { 4, 0 } } },
	};
	device->path.vendor.Guid.Data4[7] = number;
	return services->InstallMultipleProtocolInterfaces(&device->handle, &block_io, &device->io,
							   &device_path, &device->path,
							   NULL) == EFI_SUCCESS
		       ? device
		       : NULL;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	static EFI_DISK_INFO_PROTOCOL info = { .Interface = EFI_DISK_INFO_USB_INTERFACE_GUID,
					       .Inquiry = inquiry };
	static EFI_GUID disk_info = EFI_DISK_INFO_PROTOCOL_GUID;
	struct device *first;

	(void)image;
	services = system->BootServices;
	first = plug(0);
	leaving = plug(1);
	if (first == NULL || leaving == NULL)
		return EFI_OUT_OF_RESOURCES;
	return services->InstallProtocolInterface(&first->handle, &disk_info, EFI_NATIVE_INTERFACE,
						  &info);
}
