/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FAT_LABEL = 12 };

struct fat_boot_sector {
	const char *type; /* "FAT12", "FAT16", "FAT32"; static */
	/* bytes of an OEM code page, without trailing blanks; "" without one */
	char label[FAT_LABEL];
};

/*
 * Whether the first 512 bytes of a volume are the boot sector of a FAT file system (Microsoft's FAT
 * specification 1.03).
 */
bool fat_recognise(const uint8_t sector[static 512], struct fat_boot_sector *ret);
