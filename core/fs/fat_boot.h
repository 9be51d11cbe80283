/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { FAT_LABEL = 12 };

struct fat_boot_sector {
	const char *type; /* "FAT12", "FAT16", "FAT32"; static */
	/* in an OEM code page, without trailing blanks; "" without one */
	char label[FAT_LABEL];
};

/*
 * Recognises a FAT file system by the first 512 bytes of a volume (Microsoft FAT specification
 * 1.03). False: it is none; *ret is unchanged.
 */
bool fat_recognise(const uint8_t sector[static 512], struct fat_boot_sector *ret);
