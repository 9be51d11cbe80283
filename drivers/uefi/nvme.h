/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* NVMe commands that the firmware's driver does not send (NVM Express Base Specification 1.4). */

enum { NVME_IDENTIFY_BYTES = 4096 };

/*
 * Identify Controller (5.15.2.2), for the controller of the disk with this path. `answer` has
 * NVME_IDENTIFY_BYTES from io_alloc(). False: there is no NVMe controller, or the command failed.
 */
bool nvme_identify(const EFI_DEVICE_PATH_PROTOCOL *path, uint8_t *answer);

/*
 * Returns whether every active namespace (5.15.2.3) of a controller has a handle already. Then it
 * need not be connected again, which would make the firmware's driver probe every possible
 * namespace. False also if that is unknown, or if it is no NVMe controller.
 */
bool nvme_is_complete(EFI_HANDLE controller);

/*
 * Returns how many active namespaces the controller of the disk with this path has that no handle
 * stands for. 0 also if that is unknown.
 */
size_t nvme_hidden(const EFI_DEVICE_PATH_PROTOCOL *path);

enum { NVME_HEALTH_BYTES = 512 };

/*
 * Get Log Page, SMART / Health Information (5.14.1.2), of the whole drive. `answer` has
 * NVME_HEALTH_BYTES from io_alloc(). False: there is no NVMe controller, or the command failed.
 */
bool nvme_health(const EFI_DEVICE_PATH_PROTOCOL *path, uint8_t *answer);

/* How to zero blocks of a disk without transferring zeros: Write Zeroes (6.15). */
struct nvme_zeroing {
	void *protocol; /* of the controller; NULL: the disk does not have the command */
	uint32_t namespace_id;
	bool deallocates; /* the drive also releases the blocks, and they still read as zeros */
};

enum { NVME_ZERO_BLOCKS_MAX = 1 << 16 };

/* Asks a disk, a whole one, whether it has the command. Writes nothing. */
struct nvme_zeroing nvme_zeroing_of(EFI_HANDLE disk);

/*
 * Zeroes `n` blocks (1 to NVME_ZERO_BLOCKS_MAX) from `lba` on. `protocol` is not NULL. Statuses:
 * ST_IO (the drive reports an error), those of the firmware.
 */
[[nodiscard]] enum status nvme_zero(const struct nvme_zeroing *, uint64_t lba, uint32_t n);
