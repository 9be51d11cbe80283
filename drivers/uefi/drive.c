/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a drive says of its own state, asked by the bus that it is on:
 *
 *	ATA	IDENTIFY DEVICE as the driver has read it; SMART RETURN STATUS, READ NATIVE MAX
 *		ADDRESS EXT and DEVICE CONFIGURATION IDENTIFY (ACS-3, 7.48.8; ATA8-ACS, 7.32 and
 *		7.9.3) where that says that the drive has them
 *	NVMe	Identify Controller, the list of active namespaces, the health log
 *	any	level 0 discovery of the TCG, by TRUSTED RECEIVE or Security Receive, where the
 *		firmware's driver has EFI_STORAGE_SECURITY_COMMAND_PROTOCOL
 *
 * Each of them reads. The commands that would change something (SET MAX, DEVICE CONFIGURATION SET,
 * SECURITY UNLOCK, Security Send, a self-test) are not in this program. USB bridges take none of
 * these through the firmware.
 */
#include <efi.h>
#include <efipciio.h>

#include "drive.h"

#include "ata.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "device_path.h"
#include "firmware.h"
#include "nvme.h"
#include "protocol/disk_info.h"
#include "protocol/storage_security.h"

/* In units of 100 ns. */
#define TIMEOUT_5_S UINT64_C(50000000)

/* ---- ATA ---- */

static bool guid_is(const EFI_GUID *guid, const EFI_GUID *other)
{
	return memcmp(guid, other, sizeof *guid) == 0;
}

static bool read_identity(EFI_HANDLE disk, uint8_t answer[static DRIVE_ATA_BYTES])
{
	EFI_DISK_INFO_PROTOCOL *info = PROTOCOL(disk, EFI_DISK_INFO_PROTOCOL);
	UINT32 size = DRIVE_ATA_BYTES;

	return info != NULL &&
	       (guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_IDE_INTERFACE_GUID) ||
		guid_is(&info->Interface, &(EFI_GUID)EFI_DISK_INFO_AHCI_INTERFACE_GUID)) &&
	       info->Identify(info, answer, &size) == EFI_SUCCESS;
}

/*
 * Sends a command. Reads DRIVE_OVERLAY_BYTES to `data`, which is of io_alloc(), or nothing if that
 * is NULL. False: it failed, or `ret` is not known.
 */
static bool ask_ata(const struct ata_port *port, EFI_ATA_COMMAND_BLOCK *command, void *data,
		    EFI_ATA_STATUS_BLOCK *ret)
{
	EFI_ATA_PASS_THRU_COMMAND_PACKET packet = {
		.Asb = io_alloc(sizeof *packet.Asb),
		.Acb = command,
		.Timeout = TIMEOUT_5_S,
		.Protocol = EFI_ATA_PASS_THRU_PROTOCOL_ATA_NON_DATA,
	};
	bool answered;

	if (data != NULL) {
		packet.Protocol = EFI_ATA_PASS_THRU_PROTOCOL_PIO_DATA_IN;
		packet.InDataBuffer = data;
		packet.InTransferLength = DRIVE_OVERLAY_BYTES;
		packet.Length = EFI_ATA_PASS_THRU_LENGTH_BYTES |
				EFI_ATA_PASS_THRU_LENGTH_SECTOR_COUNT;
	}

	if (packet.Asb == NULL)
		return false;
	memset(packet.Asb, 0, sizeof *packet.Asb);
	answered = port->ata->PassThru(port->ata, port->port, port->multiplier_port, &packet,
				       NULL) == EFI_SUCCESS &&
		   (packet.Asb->AtaStatus & ATA_STATUS_FAILED) == 0;
	*ret = *packet.Asb;
	io_free(packet.Asb, sizeof *packet.Asb);
	return answered;
}

/* A drive that expects to fail changes the two bytes that it was given (ACS-3, 7.48.8). */
static bool expects_to_fail(const struct ata_port *port)
{
	enum {
		SMART = 0xb0,
		RETURN_STATUS = 0xda,
		LOW = 0x4f,
		HIGH = 0xc2,
		FAILING_LOW = 0xf4,
		FAILING_HIGH = 0x2c,
	};
	EFI_ATA_COMMAND_BLOCK command = { .AtaCommand = SMART,
					  .AtaFeatures = RETURN_STATUS,
					  .AtaCylinderLow = LOW,
					  .AtaCylinderHigh = HIGH,
					  .AtaDeviceHead = ATA_DEVICE_HEAD };
	EFI_ATA_STATUS_BLOCK answer;

	return ask_ata(port, &command, NULL, &answer) && answer.AtaCylinderLow == FAILING_LOW &&
	       answer.AtaCylinderHigh == FAILING_HIGH;
}

/* The sectors that the drive has, the host protected area included; 0: it does not answer. */
static uint64_t native_sectors(const struct ata_port *port)
{
	enum { READ_NATIVE_MAX_ADDRESS_EXT = 0x27 };
	EFI_ATA_COMMAND_BLOCK command = { .AtaCommand = READ_NATIVE_MAX_ADDRESS_EXT,
					  .AtaDeviceHead = ATA_DEVICE_HEAD };
	EFI_ATA_STATUS_BLOCK answer;
	uint64_t last;

	if (!ask_ata(port, &command, NULL, &answer))
		return 0;
	last = answer.AtaSectorNumber | (uint64_t)answer.AtaCylinderLow << 8 |
	       (uint64_t)answer.AtaCylinderHigh << 16 | (uint64_t)answer.AtaSectorNumberExp << 24 |
	       (uint64_t)answer.AtaCylinderLowExp << 32 | (uint64_t)answer.AtaCylinderHighExp << 40;
	return last > 0 ? last + 1 : 0;
}

/* An overlay is frozen by some firmware; then the drive does not answer. */
static void ask_overlay(const struct ata_port *port, const uint8_t *identity, uint64_t native,
			struct drive_facts *facts)
{
	enum { DEVICE_CONFIGURATION = 0xb1, IDENTIFY = 0xc2 };
	EFI_ATA_COMMAND_BLOCK command = { .AtaCommand = DEVICE_CONFIGURATION,
					  .AtaFeatures = IDENTIFY,
					  .AtaDeviceHead = ATA_DEVICE_HEAD };
	EFI_ATA_STATUS_BLOCK answer;
	uint8_t *overlay = io_alloc(DRIVE_OVERLAY_BYTES);

	if (overlay == NULL)
		return;
	memset(overlay, 0, DRIVE_OVERLAY_BYTES);
	if (ask_ata(port, &command, overlay, &answer))
		drive_take_overlay(facts, identity, overlay, native);
	io_free(overlay, DRIVE_OVERLAY_BYTES);
}

static void ask_ata_drive(EFI_HANDLE disk, struct drive_facts *facts)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	EFI_HANDLE controller = ata_controller_of(path);
	uint8_t answer[DRIVE_ATA_BYTES] = { 0 };
	uint64_t native = 0;
	struct ata_port port;

	if (!read_identity(disk, answer))
		return;
	drive_take_ata(facts, answer);
	if (controller == NULL || ata_find(controller, path, &port) != ST_OK)
		return;
	if (drive_ata_has_smart(answer))
		facts->failing = expects_to_fail(&port);
	if (facts->has_hpa) {
		native = native_sectors(&port);
		drive_take_native(facts, answer, native);
	}
	if (facts->has_dco)
		ask_overlay(&port, answer, native, facts);
}

/* ---- NVMe ---- */

static void ask_nvme_drive(EFI_HANDLE disk, struct drive_facts *facts)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	uint8_t *answer = io_alloc(DRIVE_NVME_BYTES);

	_Static_assert((int)DRIVE_NVME_BYTES == (int)NVME_IDENTIFY_BYTES, "one page");
	if (answer != NULL && nvme_identify(path, answer)) {
		drive_take_nvme(facts, answer);
		facts->nvme_hidden = nvme_hidden(path);
		memset(answer, 0, DRIVE_NVME_BYTES);
		if (nvme_health(path, answer))
			drive_take_nvme_health(facts, answer);
	}
	io_free(answer, DRIVE_NVME_BYTES);
}

/* ---- TCG ---- */

/*
 * The specific number of protocol 1 is a ComID, here that of level 0 discovery, in the byte order
 * of the drive's command: EDK2's drivers take it big-endian.
 */
static void ask_tcg(EFI_HANDLE disk, struct drive_facts *facts)
{
	enum { PROTOCOL_1 = 1, LEVEL_0_DISCOVERY = 0x0100 };
	EFI_STORAGE_SECURITY_COMMAND_PROTOCOL *security =
		PROTOCOL(disk, EFI_STORAGE_SECURITY_COMMAND_PROTOCOL);
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(disk, EFI_BLOCK_IO_PROTOCOL);
	uint8_t *answer;
	UINTN n = 0;

	if (security == NULL || io == NULL)
		return;
	answer = io_alloc(DRIVE_TCG_BYTES);
	if (answer == NULL)
		return;
	memset(answer, 0, DRIVE_TCG_BYTES);
	/* drivers may leave `n` as it was; the answer has its own length */
	if (security->ReceiveData(security, io->Media->MediaId, TIMEOUT_5_S, PROTOCOL_1,
				  LEVEL_0_DISCOVERY, DRIVE_TCG_BYTES, answer, &n) == EFI_SUCCESS)
		drive_take_tcg(facts, answer, DRIVE_TCG_BYTES);
	io_free(answer, DRIVE_TCG_BYTES);
}

void drive_ask(EFI_HANDLE disk, struct drive_facts *ret)
{
	*ret = (struct drive_facts){ 0 };
	ask_ata_drive(disk, ret);
	ask_nvme_drive(disk, ret);
	ask_tcg(disk, ret);
}

/* ---- Controllers without a driver ---- */

/* Whether a driver has opened the controller for itself (UEFI 2.10, 7.3.9). */
static bool has_driver(EFI_HANDLE controller)
{
	EFI_GUID pci = EFI_PCI_IO_PROTOCOL_GUID;
	EFI_OPEN_PROTOCOL_INFORMATION_ENTRY *uses = NULL;
	UINTN n = 0;
	bool has = false;

	if (firmware.services->OpenProtocolInformation(controller, &pci, &uses, &n) != EFI_SUCCESS)
		return true; /* not known: nothing is said */
	for (UINTN i = 0; i < n; i++)
		has = has || (uses[i].Attributes & EFI_OPEN_PROTOCOL_BY_DRIVER) != 0;
	firmware_free(uses);
	return has;
}

static bool is_idle(EFI_HANDLE handle, struct idle_controller *ret)
{
	/* offsets in the configuration space, and a base class (PCI Local Bus 3.0, 6.1 and D) */
	enum { IDS = 0, CLASS = 8, MASS_STORAGE = 1 };
	EFI_PCI_IO_PROTOCOL *pci = PROTOCOL(handle, EFI_PCI_IO_PROTOCOL);
	UINT32 ids = 0, class = 0;

	if (pci == NULL || pci->Pci.Read(pci, EfiPciIoWidthUint32, IDS, 1, &ids) != EFI_SUCCESS ||
	    pci->Pci.Read(pci, EfiPciIoWidthUint32, CLASS, 1, &class) != EFI_SUCCESS ||
	    class >> 24 != MASS_STORAGE || has_driver(handle))
		return false;
	*ret = (struct idle_controller){ .vendor = (uint16_t)ids,
					 .device = (uint16_t)(ids >> 16),
					 .subclass = (uint8_t)(class >> 16),
					 .interface = (uint8_t)(class >> 8) };
	return true;
}

size_t drive_idle_controllers(struct idle_controller ret[static IDLE_CONTROLLERS_MAX])
{
	EFI_HANDLE *handle = NULL;
	size_t n_handles = 0, n = 0;

	if (firmware_handles(&(EFI_GUID)EFI_PCI_IO_PROTOCOL_GUID, &handle, &n_handles) != ST_OK)
		return 0;
	for (size_t i = 0; i < n_handles && n < IDLE_CONTROLLERS_MAX; i++)
		n += is_idle(handle[i], &ret[n]);
	firmware_free(handle);
	return n;
}
