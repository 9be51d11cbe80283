/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recognises volumes by signatures at fixed offsets, and reads labels that are near the start.
 *
 * Boot sectors come first, since a FAT or NTFS boot sector also looks like an MBR, and FAT has no
 * signature of its own (fat.c). The rest is one table. Only the first 68 KiB are read, which is
 * enough for all of them. A label kept elsewhere, as in NTFS, is left to the firmware.
 */
#include "disk/volume.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"
#include "disk/fat.h"

enum {
	HEAD_BYTES = 0x11000, /* all that is read: the superblock of Btrfs ends here */
	LABEL_BYTES_MAX = 256,
};

/* A file system by bytes at a fixed offset, and where its label is. */
struct signature {
	const char *type;
	uint32_t offset;
	const char *bytes;
	uint32_t label_offset, label_bytes; /* 0: no label within HEAD_BYTES */
};

static const struct signature boot_sectors[] = {
	{ "BitLocker", 3, "-FVE-FS-", 0, 0 },
	{ "NTFS", 3, "NTFS    ", 0, 0 },
	{ "exFAT", 3, "EXFAT   ", 0, 0 },
};

static const struct signature others[] = {
	{ "LUKS", 0, "LUKS\xba\xbe", 0, 0 },
	{ "XFS", 0, "XFSB", 108, 12 },
	{ "LVM", 512, "LABELONE", 0, 0 },
	{ "Linux swap", 4086, "SWAPSPACE2", 1052, 16 },
	{ "Btrfs", 0x10040, "_BHRfS_M", 0x1012b, 256 },
	{ "ext", 1080, "\x53\xef", 1144, 16 },
	{ "HFS+", 1024, "H+", 0, 0 },
	{ "APFS", 32, "NXSB", 0, 0 },
	{ "qcow2 image", 0, "QFI\xfb", 0, 0 },
	{ "ISO 9660", 0x8001, "CD001", 0x8028, 32 },
};

static bool matches(const struct signature *signature, const uint8_t *head)
{
	return memcmp(head + signature->offset, signature->bytes, text_length(signature->bytes)) ==
	       0;
}

/* Copies a label up to a NUL, without blanks at its end; bytes that are not UTF-8 are replaced. */
static void take_label(const char *from, size_t n, char to[static VOLUME_LABEL])
{
	uint16_t units[LABEL_BYTES_MAX + 1]; /* with a NUL */
	size_t length = 0;

	CHECK(n <= LABEL_BYTES_MAX);
	while (length < n && from[length] != '\0')
		length++;
	while (length > 0 && from[length - 1] == ' ')
		length--;
	utf16_from_utf8(units, from, length);
	utf8_from_utf16(to, units, utf16_length_of_utf8(from, length));
}

_Bool volume_is_boot_sector(const uint8_t sector[static 512])
{
	struct fat_boot_sector fat;

	for (size_t i = 0; i < sizeof boot_sectors / sizeof *boot_sectors; i++)
		if (matches(&boot_sectors[i], sector))
			return true;
	return fat_recognise(sector, &fat);
}

static void recognise(const uint8_t *head, struct volume *ret)
{
	struct fat_boot_sector fat;

	for (size_t i = 0; i < sizeof boot_sectors / sizeof *boot_sectors; i++) {
		if (matches(&boot_sectors[i], head)) {
			ret->type = boot_sectors[i].type;
			return;
		}
	}
	if (fat_recognise(head, &fat)) {
		ret->type = fat.type;
		take_label(fat.label, text_length(fat.label), ret->label);
		return;
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (matches(&others[i], head)) {
			ret->type = others[i].type;
			take_label((const char *)head + others[i].label_offset,
				   others[i].label_bytes, ret->label);
			return;
		}
	}
}

enum status volume_recognise(struct blk *blk, uint64_t start, uint64_t size, struct volume *ret)
{
	size_t n = (size_t)min_u64(size, HEAD_BYTES);
	uint8_t *head;
	enum status st;

	*ret = (struct volume){ .type = "" };
	head = io_alloc(HEAD_BYTES);
	if (head == NULL)
		return ST_NO_MEMORY;
	memset(head + n, 0, HEAD_BYTES - n);
	st = blk_read(blk, start, head, n);
	if (st == ST_OK)
		recognise(head, ret);
	io_free(head, HEAD_BYTES);
	return st;
}
