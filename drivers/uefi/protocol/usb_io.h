/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_USB_IO_PROTOCOL (UEFI 2.10, 17.2.4). Members that are not called here have no parameters. */

#define EFI_USB_IO_PROTOCOL_GUID \
	{ \
		0x2b2f68d6, 0x0cd2, 0x44cf, \
		{ \
			0x8e, 0x8b, 0xbb, 0xa2, 0x0b, 0x1b, 0x5b, 0x75 \
		} \
	}

/* The device descriptor (Universal Serial Bus 2.0, 9.6.1), which needs no padding. */
typedef struct {
	UINT8 Length;
	UINT8 DescriptorType;
	UINT16 BcdUSB;
	UINT8 DeviceClass;
	UINT8 DeviceSubClass;
	UINT8 DeviceProtocol;
	UINT8 MaxPacketSize0;
	UINT16 IdVendor;
	UINT16 IdProduct;
	UINT16 BcdDevice;
	UINT8 StrManufacturer; /* numbers of strings, 0: none */
	UINT8 StrProduct;
	UINT8 StrSerialNumber;
	UINT8 NumConfigurations;
} EFI_USB_DEVICE_DESCRIPTOR;

_Static_assert(sizeof(EFI_USB_DEVICE_DESCRIPTOR) == 18, "as on the wire");

typedef struct EFI_USB_IO_PROTOCOL EFI_USB_IO_PROTOCOL;

struct EFI_USB_IO_PROTOCOL {
	VOID *UsbControlTransfer;
	VOID *UsbBulkTransfer;
	VOID *UsbAsyncInterruptTransfer;
	VOID *UsbSyncInterruptTransfer;
	VOID *UsbIsochronousTransfer;
	VOID *UsbAsyncIsochronousTransfer;
	EFI_STATUS(EFIAPI *UsbGetDeviceDescriptor)
	(EFI_USB_IO_PROTOCOL *, EFI_USB_DEVICE_DESCRIPTOR *);
	VOID *UsbGetConfigDescriptor;
	VOID *UsbGetInterfaceDescriptor;
	VOID *UsbGetEndpointDescriptor;
	EFI_STATUS(EFIAPI *UsbGetStringDescriptor)
	(EFI_USB_IO_PROTOCOL *, UINT16 language, UINT8 string, CHAR16 **);
	EFI_STATUS(EFIAPI *UsbGetSupportedLanguages)
	(EFI_USB_IO_PROTOCOL *, UINT16 **languages, UINT16 *size_bytes);
	VOID *UsbPortReset;
};
