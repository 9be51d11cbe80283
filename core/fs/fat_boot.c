/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FAT file systems by their boot sector (Microsoft FAT specification 1.03).
 *
 * The type is not written in the sector: it follows from the number of clusters ("FAT Type
 * Determination"). A boot sector and an MBR have the same signature, so that the fields of the BIOS
 * parameter block are checked as well; code in their place does not pass.
 */
#include "fs/fat_boot.h"

#include <stddef.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"

/* "Boot Sector and BPB Structure" */
struct fat_extended {
	uint8_t drive, reserved;
	uint8_t signature; /* EXTENDED_SIGNATURE: the three fields after it are valid */
	le32 volume_id;
	char label[11];
	char type[8];
};

struct fat_sector {
	uint8_t jump[3];
	char oem_name[8];
	le16 sector_bytes;
	uint8_t cluster_sectors;
	le16 n_reserved_sectors;
	uint8_t n_fats;
	le16 n_root_entries;
	le16 n_sectors_16;
	uint8_t media;
	le16 fat_sectors_16;
	le16 track_sectors, n_heads;
	le32 n_hidden_sectors;
	le32 n_sectors_32;
	union {
		struct fat_extended fat16;
		struct {
			le32 fat_sectors;
			le16 flags, version;
			le32 root_cluster;
			le16 info_sector, backup_sector;
			uint8_t reserved[12];
			struct fat_extended extended;
		} fat32;
	};
	uint8_t code[420];
	uint8_t end[2];
};

_Static_assert(offsetof(struct fat_sector, fat16) == 36, "BPB");
_Static_assert(offsetof(struct fat_sector, fat16.label) == 43, "BPB of FAT12 and FAT16");
_Static_assert(offsetof(struct fat_sector, fat32.extended.label) == 71, "BPB of FAT32");
_Static_assert(sizeof(struct fat_sector) == 512, "boot sector");

enum {
	EXTENDED_SIGNATURE = 0x29,
	DIRECTORY_ENTRY_BYTES = 32,
	FAT12_CLUSTERS = 4085,  /* fewer clusters than this: FAT12 */
	FAT16_CLUSTERS = 65525, /* fewer than this: FAT16 */
};

static bool is_boot_sector(const struct fat_sector *s)
{
	bool jumps = (s->jump[0] == 0xeb && s->jump[2] == 0x90) || s->jump[0] == 0xe9;

	return jumps && s->end[0] == 0x55 && s->end[1] == 0xaa;
}

static bool is_sensible(const struct fat_sector *s)
{
	uint32_t sector_bytes = le16_get(s->sector_bytes);

	return is_power_of_two(sector_bytes) && sector_bytes >= 512 && sector_bytes <= 4096 &&
	       is_power_of_two(s->cluster_sectors) && le16_get(s->n_reserved_sectors) > 0 &&
	       (s->n_fats == 1 || s->n_fats == 2) && (s->media == 0xf0 || s->media >= 0xf8);
}

/*
 * The type by the number of clusters; a sector without a 16-bit FAT size has the layout of FAT32.
 * NULL: not FAT.
 */
static const char *type_of(const struct fat_sector *s)
{
	uint64_t sector_bytes = le16_get(s->sector_bytes);
	uint64_t root_sectors = div_up((uint64_t)le16_get(s->n_root_entries) *
					       DIRECTORY_ENTRY_BYTES,
				       sector_bytes);
	uint64_t n_sectors = le16_get(s->n_sectors_16) != 0 ? le16_get(s->n_sectors_16)
							    : le32_get(s->n_sectors_32);
	bool is_fat32 = le16_get(s->fat_sectors_16) == 0;
	uint64_t fat_sectors = is_fat32 ? le32_get(s->fat32.fat_sectors)
					: le16_get(s->fat_sectors_16);
	uint64_t overhead = le16_get(s->n_reserved_sectors) + s->n_fats * fat_sectors +
			    root_sectors;
	uint64_t n_clusters;

	if (fat_sectors == 0 || overhead >= n_sectors)
		return NULL;
	if (is_fat32)
		return "FAT32";
	n_clusters = (n_sectors - overhead) / s->cluster_sectors;
	if (n_clusters >= FAT16_CLUSTERS)
		return NULL;
	return n_clusters < FAT12_CLUSTERS ? "FAT12" : "FAT16";
}

static void take_label(const struct fat_extended *extended, char to[static FAT_LABEL])
{
	static const char no_name[] = "NO NAME    ";
	size_t n = sizeof extended->label;

	to[0] = '\0';
	if (extended->signature != EXTENDED_SIGNATURE || memcmp(extended->label, no_name, n) == 0)
		return;
	while (n > 0 && (extended->label[n - 1] == ' ' || extended->label[n - 1] == '\0'))
		n--;
	memcpy(to, extended->label, n);
	to[n] = '\0';
}

bool fat_recognise(const uint8_t sector[static 512], struct fat_boot_sector *ret)
{
	const struct fat_sector *s = (const struct fat_sector *)sector;
	const char *type = is_boot_sector(s) && is_sensible(s) ? type_of(s) : NULL;

	if (type == NULL)
		return false;
	ret->type = type;
	take_label(le16_get(s->fat_sectors_16) == 0 ? &s->fat32.extended : &s->fat16, ret->label);
	return true;
}
