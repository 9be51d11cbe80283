/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Commands to NVMe drives, beside those that the firmware's own driver sends (NVM Express Base
 * Specification 1.4).
 */

enum { NVME_IDENTIFY_BYTES = 4096 };

/*
 * Identify Controller (5.15.2.2) of the controller that a disk is behind, `path` being the disk's;
 * `answer` has NVME_IDENTIFY_BYTES, by io_alloc(). False: it is behind none, or there is no answer.
 */
bool nvme_identify(const EFI_DEVICE_PATH_PROTOCOL *path, uint8_t *answer);

/*
 * Whether all active namespaces (5.15.2.3) of a controller have a handle already: connecting it
 * once more only has the firmware's driver ask for each that there could be. False too if that
 * cannot be told, or it is no such controller.
 */
bool nvme_is_complete(EFI_HANDLE controller);

/*
 * The command that makes blocks zeros (Write Zeroes, 6.15): nothing is transferred, whatever their
 * number.
 */
struct nvme_zeroing {
	void *protocol; /* the controller's; NULL: it is not to be had */
	uint32_t namespace_id;
	bool deallocates; /* the blocks are given back as well, and still read as zeros */
};

enum { NVME_ZERO_BLOCKS_MAX = 1 << 16 };

/* Whether a disk, a whole one, has it: `protocol` says so. Nothing is written. */
struct nvme_zeroing nvme_zeroing_of(EFI_HANDLE disk);

/*
 * `n` blocks, 1 to NVME_ZERO_BLOCKS_MAX, from `lba` on. Errors: what the drive or its controller
 * says, ST_IO above all.
 */
[[nodiscard]] enum status nvme_zero(const struct nvme_zeroing *, uint64_t lba, uint32_t n);
