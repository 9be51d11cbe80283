/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NVMe commands through EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL (UEFI 2.10, 13.15): Identify for serial
 * number, namespaces and features, and Write Zeroes.
 *
 * The protocol is on the handle of the controller. A namespace is identified to it by the last node
 * of the disk's device path. Figures and sections are those of the NVM Express Base Specification
 * 1.4.
 */
#include <efi.h>

#include "nvme.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "device_path.h"
#include "firmware.h"
#include "protocol/nvme_pass_thru.h"
#include "status.h"

enum {
	TIMEOUT_5_S = 50000000,   /* in 100 ns */
	TIMEOUT_30_S = 300000000, /* for Write Zeroes, which may really write */
};

static EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *controller_of(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_HANDLE controller =
		device_path_locate(path, &(EFI_GUID)EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID);

	return PROTOCOL(controller, EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL);
}

/*
 * Executes a command. Success of the driver does not mean success of the drive: its status code and
 * status code type are in bits 27 to 17 of the last word of the completion (4.6.1).
 */
static enum status execute(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme, uint32_t namespace_id,
			   EFI_NVM_EXPRESS_PASS_THRU_COMMAND_PACKET *packet)
{
	enum status st = status_from_efi(nvme->PassThru(nvme, namespace_id, packet, NULL));

	return st == ST_OK && (packet->NvmeCompletion->DW3 >> 17 & 0x7ff) != 0 ? ST_IO : st;
}

/* field CNS of the command Identify (figure 244) */
enum what { NAMESPACE = 0, CONTROLLER = 1, ACTIVE_NAMESPACES = 2 };

/* Sends an administrative command, and reads `n` bytes of its answer. */
static bool ask(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme, EFI_NVM_EXPRESS_COMMAND command,
		uint8_t *answer, uint32_t n)
{
	EFI_NVM_EXPRESS_COMPLETION completion = { 0 };
	EFI_NVM_EXPRESS_PASS_THRU_COMMAND_PACKET packet = {
		.CommandTimeout = TIMEOUT_5_S,
		.TransferBuffer = answer,
		.TransferLength = n,
		.QueueType = NVME_ADMIN_QUEUE,
		.NvmeCmd = &command,
		.NvmeCompletion = &completion,
	};

	return execute(nvme, command.Nsid, &packet) == ST_OK;
}

static bool identify(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme, enum what what,
		     uint32_t namespace_id, uint8_t *answer)
{
	enum { IDENTIFY = 6 };

	return ask(nvme,
		   (EFI_NVM_EXPRESS_COMMAND){ .Cdw0 = IDENTIFY,
					      .Flags = NVME_CDW10_VALID,
					      .Nsid = namespace_id,
					      .Cdw10 = what },
		   answer, NVME_IDENTIFY_BYTES);
}

bool nvme_identify(const EFI_DEVICE_PATH_PROTOCOL *path, uint8_t *answer)
{
	EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme = controller_of(path);

	return nvme != NULL && identify(nvme, CONTROLLER, 0, answer);
}

/* Whether one of the handles is the namespace with this id on a controller. */
static bool has_handle(uint32_t namespace_id, const EFI_DEVICE_PATH_PROTOCOL *controller,
		       const EFI_HANDLE handle[], size_t n)
{
	enum { NVME_NAMESPACE = 23 }; /* UEFI 2.10, 10.3.4.21 */

	for (size_t i = 0; i < n; i++) {
		const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(handle[i]), *node;

		if (!device_path_is_below(path, controller))
			continue;
		node = (const EFI_DEVICE_PATH_PROTOCOL *)((const uint8_t *)path +
							  device_path_length(controller));
		if (node->Type == MESSAGING_DEVICE_PATH && node->SubType == NVME_NAMESPACE &&
		    device_path_field(node, 4, 4) == namespace_id)
			return true;
	}
	return false;
}

/*
 * Counts the active namespaces of a controller without a handle. False: it cannot be known, since
 * the list is full, or did not come.
 */
static bool count_missing(EFI_HANDLE controller, size_t *ret)
{
	EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme = PROTOCOL(controller,
							    EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL);
	uint8_t *answer = nvme != NULL ? io_alloc(NVME_IDENTIFY_BYTES) : NULL;
	EFI_HANDLE *handle = NULL;
	bool known = false;
	size_t n;

	*ret = 0;
	if (answer != NULL && identify(nvme, ACTIVE_NAMESPACES, 0, answer) &&
	    firmware_handles(&(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID, &handle, &n) == ST_OK) {
		for (size_t at = 0; !known && at < NVME_IDENTIFY_BYTES; at += 4) {
			uint32_t id = (uint32_t)bytes_from_le(answer + at, 4);

			known = id == 0; /* ends the list */
			*ret += !known && !has_handle(id, device_path_of(controller), handle, n);
		}
		firmware_free(handle);
	}
	io_free(answer, NVME_IDENTIFY_BYTES);
	return known;
}

bool nvme_is_complete(EFI_HANDLE controller)
{
	size_t n;

	return count_missing(controller, &n) && n == 0;
}

size_t nvme_hidden(const EFI_DEVICE_PATH_PROTOCOL *path)
{
	size_t n;

	return count_missing(device_path_locate(path,
						&(EFI_GUID)EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID),
			     &n)
		       ? n
		       : 0;
}

bool nvme_health(const EFI_DEVICE_PATH_PROTOCOL *path, uint8_t *answer)
{
	/* number of words less one, and the page */
	enum { GET_LOG_PAGE = 2, HEALTH = (NVME_HEALTH_BYTES / 4 - 1) << 16 | 2 };
	EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme = controller_of(path);

	return nvme != NULL && ask(nvme,
				   (EFI_NVM_EXPRESS_COMMAND){ .Cdw0 = GET_LOG_PAGE,
							      .Flags = NVME_CDW10_VALID,
							      .Nsid = UINT32_MAX,
							      .Cdw10 = HEALTH },
				   answer, NVME_HEALTH_BYTES);
}

/* The id of the namespace with this path; 0: the path is not that of a namespace. */
static uint32_t namespace_of(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme,
			     const EFI_DEVICE_PATH_PROTOCOL *path)
{
	EFI_DEVICE_PATH_PROTOCOL *last = device_path_last(path);
	uint32_t id = 0;

	if (last == NULL || nvme->GetNamespace(nvme, last, &id) != EFI_SUCCESS)
		id = 0;
	mem_free(last);
	return id;
}

struct nvme_zeroing nvme_zeroing_of(EFI_HANDLE disk)
{
	enum {
		/* Identify Controller, "optional NVM command support" */
		ONCS = 520,
		ONCS_WRITE_ZEROES = 1 << 3,
		/* Identify Namespace: Write Zeroes may deallocate, and such blocks read as zeros */
		DLFEAT = 33,
		DLFEAT_MASK = 0x0f,
		ZEROS = 9,
	};
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(disk);
	EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme = controller_of(path);
	struct nvme_zeroing zeroing = { .namespace_id = nvme != NULL ? namespace_of(nvme, path)
								     : 0 };
	uint8_t *answer = zeroing.namespace_id != 0 ? io_alloc(NVME_IDENTIFY_BYTES) : NULL;

	if (answer == NULL)
		return zeroing;
	if (identify(nvme, CONTROLLER, 0, answer) &&
	    (bytes_from_le(answer + ONCS, 2) & ONCS_WRITE_ZEROES) != 0)
		zeroing.protocol = nvme;
	zeroing.deallocates = identify(nvme, NAMESPACE, zeroing.namespace_id, answer) &&
			      (answer[DLFEAT] & DLFEAT_MASK) == ZEROS;
	io_free(answer, NVME_IDENTIFY_BYTES);
	return zeroing;
}

enum status nvme_zero(const struct nvme_zeroing *zeroing, uint64_t lba, uint32_t n)
{
	enum { WRITE_ZEROES = 8, DEALLOCATE = 1 << 25 };
	EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *nvme = zeroing->protocol;
	EFI_NVM_EXPRESS_COMMAND command = {
		.Cdw0 = WRITE_ZEROES,
		.Flags = NVME_CDW10_VALID | NVME_CDW11_VALID | NVME_CDW12_VALID,
		.Nsid = zeroing->namespace_id,
		.Cdw10 = (uint32_t)lba,
		.Cdw11 = (uint32_t)(lba >> 32),
		.Cdw12 = (n - 1) | (zeroing->deallocates ? DEALLOCATE : 0),
	};
	EFI_NVM_EXPRESS_COMPLETION completion = { 0 };
	EFI_NVM_EXPRESS_PASS_THRU_COMMAND_PACKET packet = {
		.CommandTimeout = TIMEOUT_30_S,
		.QueueType = NVME_IO_QUEUE,
		.NvmeCmd = &command,
		.NvmeCompletion = &completion,
	};

	return execute(nvme, zeroing->namespace_id, &packet);
}
