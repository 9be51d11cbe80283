/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model and serial number of a disk.
 *
 * Each bus has a protocol of its own for them: IDENTIFY DEVICE and INQUIRY by DiskInfo (PI 1.7,
 * volume 5, 2.2), Identify Controller for NVMe, the serial number page for SCSI, string descriptors
 * for USB. All sources are tried, the more exact ones first. If none has the model, the name is
 * used that the disk's bus driver has for it (ComponentName2, UEFI 2.10, 11.5). Disks of virtio
 * have neither.
 */
#include <efi.h>

#include "identity.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "device_path.h"
#include "firmware.h"
#include "nvme.h"
#include "protocol/disk_info.h"
#include "protocol/scsi_io.h"
#include "protocol/usb_io.h"
#include "text16.h"

enum {
	TEXT_BYTES = 128,
	TIMEOUT_5_S = 50000000, /* in 100 ns */
};

struct identity {
	char model[TEXT_BYTES];
	char serial[TEXT_BYTES];
};

/* ---- Text ---- */

/*
 * Appends `n` bytes from a device. Bytes that are not printable ASCII become blanks; blanks at both
 * ends are dropped.
 */
static void append(char to[static TEXT_BYTES], const uint8_t *bytes, size_t n)
{
	size_t length = text_length(to), start = length;

	for (size_t i = 0; i < n && length < TEXT_BYTES - 1; i++) {
		uint8_t c = bytes[i] > ' ' && bytes[i] < 0x7f ? bytes[i] : ' ';

		if (c != ' ' || length > start)
			to[length++] = (char)c;
	}
	while (length > start && to[length - 1] == ' ')
		length--;
	to[length] = '\0';
}

static void append_text16(char to[static TEXT_BYTES], const CHAR16 *s)
{
	uint8_t bytes[TEXT_BYTES];
	size_t n = 0;

	for (; s[n] != 0 && n < sizeof bytes; n++)
		bytes[n] = s[n] < 0x7f ? (uint8_t)s[n] : ' ';
	append(to, bytes, n);
}

/* In ATA strings the two bytes of each word are swapped (ATA8-ACS, 3.4.9). */
static void append_ata(char to[static TEXT_BYTES], const uint8_t *words, size_t n_words)
{
	uint8_t bytes[TEXT_BYTES];

	for (size_t i = 0; i < n_words; i++) {
		bytes[2 * i] = words[2 * i + 1];
		bytes[2 * i + 1] = words[2 * i];
	}
	append(to, bytes, 2 * n_words);
}

/* Vendor and product in standard INQUIRY data (SPC-4, 6.4.2). */
static void append_inquiry(char to[static TEXT_BYTES], const uint8_t *answer)
{
	char product[TEXT_BYTES] = "";
	struct out_buffer out;

	append(to, answer + 8, 8);
	append(product, answer + 16, 16);
	out_buffer_init(&out, to + text_length(to), TEXT_BYTES - text_length(to));
	out_printf(&out.out, "%s%s", to[0] != '\0' && product[0] != '\0' ? " " : "", product);
}

/* ---- Sources ---- */

static bool guid_is(const EFI_GUID *guid, const EFI_GUID *other)
{
	return memcmp(guid, other, sizeof *guid) == 0;
}

static void ask_disk_info(EFI_HANDLE disk, struct identity *identity)
{
	EFI_DISK_INFO_PROTOCOL *info = PROTOCOL(disk, EFI_DISK_INFO_PROTOCOL);
	uint8_t answer[512] = { 0 };
	UINT32 size = sizeof answer;

	if (info == NULL)
		return;
	if (guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_IDE_INTERFACE_GUID) ||
	    guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_AHCI_INTERFACE_GUID)) {
		/* IDENTIFY DEVICE: words 10 to 19, and 27 to 46 (ATA8-ACS, 7.16). */
		if (info->Identify(info, answer, &size) != EFI_SUCCESS)
			return;
		append_ata(identity->serial, answer + 20, 10);
		append_ata(identity->model, answer + 54, 20);
	} else if (guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_SCSI_INTERFACE_GUID) ||
		   guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_USB_INTERFACE_GUID) ||
		   guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_UFS_INTERFACE_GUID)) {
		/* some drivers refuse any size but that of the standard data, 96 */
		size = 96;
		if (info->Inquiry(info, answer, &size) == EFI_SUCCESS)
			append_inquiry(identity->model, answer);
	}
}

/* Identify Controller (NVMe 1.4, 5.15.2.2): serial number in bytes 4 to 23, model in 24 to 63. */
static void ask_nvme(const EFI_DEVICE_PATH_PROTOCOL *path, struct identity *identity)
{
	uint8_t *answer = io_alloc(NVME_IDENTIFY_BYTES);

	if (answer != NULL && nvme_identify(path, answer)) {
		append(identity->serial, answer + 4, 20);
		append(identity->model, answer + 24, 40);
	}
	io_free(answer, NVME_IDENTIFY_BYTES);
}

/* INQUIRY of the page "unit serial number" (SPC-4, 7.8.15). */
static void ask_scsi(EFI_HANDLE disk, struct identity *identity)
{
	enum { INQUIRY = 0x12, EVPD = 1, PAGE_SERIAL = 0x80, ANSWER_BYTES = 255 };
	EFI_SCSI_IO_PROTOCOL *scsi = PROTOCOL(disk, EFI_SCSI_IO_PROTOCOL);
	uint8_t command[6] = { INQUIRY, EVPD, PAGE_SERIAL, 0, ANSWER_BYTES, 0 };
	uint8_t sense[18] = { 0 };
	EFI_SCSI_IO_SCSI_REQUEST_PACKET packet = {
		.Timeout = TIMEOUT_5_S,
		.SenseData = sense,
		.Cdb = command,
		.InTransferLength = ANSWER_BYTES,
		.CdbLength = sizeof command,
		.DataDirection = EFI_SCSI_DATA_IN,
		.SenseDataLength = sizeof sense,
	};
	uint8_t *answer;

	if (scsi == NULL)
		return;
	answer = io_alloc(ANSWER_BYTES);
	if (answer == NULL)
		return;
	memset(answer, 0, ANSWER_BYTES);
	packet.InDataBuffer = answer;
	if (scsi->ExecuteScsiCommand(scsi, &packet, NULL) == EFI_SUCCESS &&
	    packet.TargetStatus == 0 && answer[1] == PAGE_SERIAL)
		append(identity->serial, answer + 4,
		       answer[3] < ANSWER_BYTES - 4 ? answer[3] : ANSWER_BYTES - 4);
	io_free(answer, ANSWER_BYTES);
}

static void append_usb_string(char to[static TEXT_BYTES], EFI_USB_IO_PROTOCOL *usb, UINT16 language,
			      UINT8 number)
{
	CHAR16 *text = NULL;

	if (number == 0 || usb->UsbGetStringDescriptor(usb, language, number, &text) != EFI_SUCCESS)
		return;
	append_text16(to, text);
	firmware_free(text);
}

/*
 * The serial number of a USB device is one of its string descriptors. Its product name is the model
 * if there was no INQUIRY data.
 */
static void ask_usb(const EFI_DEVICE_PATH_PROTOCOL *path, struct identity *identity)
{
	EFI_HANDLE device = device_path_locate(path, &(EFI_GUID)EFI_USB_IO_PROTOCOL_GUID);
	EFI_USB_IO_PROTOCOL *usb = PROTOCOL(device, EFI_USB_IO_PROTOCOL);
	EFI_USB_DEVICE_DESCRIPTOR descriptor = { 0 };
	UINT16 *languages = NULL, size = 0;

	if (usb == NULL || usb->UsbGetDeviceDescriptor(usb, &descriptor) != EFI_SUCCESS)
		return;
	if (usb->UsbGetSupportedLanguages(usb, &languages, &size) != EFI_SUCCESS ||
	    size < sizeof *languages)
		return;
	append_usb_string(identity->serial, usb, languages[0], descriptor.StrSerialNumber);
	if (identity->model[0] == '\0')
		append_usb_string(identity->model, usb, languages[0], descriptor.StrProduct);
}

/* ---- Names given by drivers ---- */

/* Returns the first English language of "en;fr" or "en-US;de-DE" (RFC 4646). False: none. */
static bool english(const CHAR8 *list, CHAR8 *to, size_t capacity)
{
	while (list != NULL && *list != 0) {
		size_t n = 0;

		while (list[n] != 0 && list[n] != ';')
			n++;
		if (n >= 2 && n < capacity && list[0] == 'e' && list[1] == 'n') {
			memcpy(to, list, n);
			to[n] = 0;
			return true;
		}
		list += n + (list[n] == ';');
	}
	return false;
}

/* The handle directly above a disk, the bus, whose driver names its children. NULL: none. */
static EFI_HANDLE parent_of(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_DEVICE_PATH_PROTOCOL *above;
	EFI_HANDLE parent;
	size_t length = 0;

	for (const EFI_DEVICE_PATH_PROTOCOL *node = device_path_first(path), *next; node != NULL;
	     node = next) {
		next = device_path_next(node);
		if (next != NULL)
			length = (size_t)((const uint8_t *)next - (const uint8_t *)path);
	}
	above = device_path_copy(path, length);
	if (above == NULL)
		return NULL;
	parent = device_path_locate(above, &(EFI_GUID)EFI_DEVICE_PATH_PROTOCOL_GUID);
	mem_free(above);
	return parent;
}

/*
 * Whether `driver` is the bus driver that has made `disk`: it has opened a protocol of `parent` for
 * that child (UEFI 2.10, 7.3.9).
 */
static bool is_bus_driver_of(EFI_HANDLE driver, EFI_HANDLE parent, EFI_HANDLE disk)
{
	EFI_GUID **protocols;
	UINTN n_protocols;
	bool is = false;

	if (firmware.services->ProtocolsPerHandle(parent, &protocols, &n_protocols) != EFI_SUCCESS)
		return false;
	for (UINTN i = 0; i < n_protocols && !is; i++) {
		EFI_OPEN_PROTOCOL_INFORMATION_ENTRY *uses = NULL;
		UINTN n_uses = 0;

		if (firmware.services->OpenProtocolInformation(parent, protocols[i], &uses,
							       &n_uses) != EFI_SUCCESS)
			continue;
		for (UINTN j = 0; j < n_uses && !is; j++)
			is = uses[j].AgentHandle == driver && uses[j].ControllerHandle == disk &&
			     (uses[j].Attributes & EFI_OPEN_PROTOCOL_BY_CHILD_CONTROLLER) != 0;
		firmware_free(uses);
	}
	firmware_free(protocols);
	return is;
}

/*
 * Asks only the bus driver. Drivers on the disk's own handle name themselves ("FAT File System"),
 * and a driver may name devices that are not its own: that of virtio keyboards in EDK2
 * (edk2-stable202502) calls every device that it is asked about a keyboard.
 */
static void ask_bus_driver(EFI_HANDLE disk, const EFI_DEVICE_PATH_PROTOCOL *path,
			   struct identity *identity)
{
	EFI_HANDLE parent = parent_of(path), *drivers;
	size_t n;

	if (parent == NULL ||
	    firmware_handles(&(EFI_GUID)EFI_COMPONENT_NAME2_PROTOCOL_GUID, &drivers, &n) != ST_OK)
		return;
	for (size_t i = 0; i < n && identity->model[0] == '\0'; i++) {
		EFI_COMPONENT_NAME2_PROTOCOL *driver = PROTOCOL(drivers[i],
								EFI_COMPONENT_NAME2_PROTOCOL);
		CHAR16 *name = NULL; /* stays the driver's (UEFI 2.10, 11.5) */
		CHAR8 language[16];

		if (driver == NULL || !is_bus_driver_of(drivers[i], parent, disk) ||
		    !english(driver->SupportedLanguages, language, sizeof language))
			continue;
		if (driver->GetControllerName(driver, parent, disk, language, &name) == EFI_SUCCESS)
			append_text16(identity->model, name != NULL ? name : L"");
	}
	firmware_free(drivers);
}

enum status identity_of(EFI_HANDLE disk, char **ret_model, char **ret_serial)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	struct identity identity = { 0 };

	ask_disk_info(disk, &identity);
	if (identity.serial[0] == '\0')
		ask_nvme(path, &identity);
	if (identity.serial[0] == '\0')
		ask_scsi(disk, &identity);
	if (identity.serial[0] == '\0')
		ask_usb(path, &identity);
	if (identity.model[0] == '\0' && path != NULL)
		ask_bus_driver(disk, path, &identity);
	*ret_model = text_copy(identity.model);
	*ret_serial = text_copy(identity.serial);
	return *ret_model != NULL && *ret_serial != NULL ? ST_OK : ST_NO_MEMORY;
}
