/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A new FAT32 file system (Microsoft FAT specification 1.03). The layout: reserved sectors with the
 * boot sector, FSInfo and the copies of both; two FATs; clusters, of which the first is the root
 * directory. Everything in front of the clusters and the root directory are zeros but for a few
 * sectors, so that zeros come first, then those, and the boot sector last.
 */
#include "disk/fat_format.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/blk.h"

enum {
	RESERVED_MIN = 32,
	FSINFO = 1,
	BACKUP = 6, /* of the boot sector; that of FSInfo follows */
	ENTRY_BYTES = 4,
	CLUSTER_BYTES_MAX = 32 << 10,
	CLUSTERS_MIN = 65525 + 4096, /* fewer than 65525 would be FAT16; others count differently */
	ALIGN_BYTES = 1 << 20,
	ROOT_CLUSTER = 2,
	LABEL_BYTES = 11,
	ATTRIBUTE_LABEL = 8,
};

/* In sectors, but for cluster_bytes. */
struct layout {
	uint32_t sector_bytes, cluster_bytes;
	uint32_t total, reserved, fat, per_cluster, n_clusters;
};

static struct layout lay_out(uint64_t n_bytes, uint32_t sector_bytes)
{
	struct layout l = { .sector_bytes = sector_bytes, .cluster_bytes = CLUSTER_BYTES_MAX };
	uint32_t entries = sector_bytes / ENTRY_BYTES, align = ALIGN_BYTES / sector_bytes, used;

	l.total = (uint32_t)min_u64(n_bytes / sector_bytes, UINT32_MAX);
	while (l.cluster_bytes > sector_bytes && n_bytes / l.cluster_bytes < CLUSTERS_MIN)
		l.cluster_bytes /= 2;
	l.per_cluster = l.cluster_bytes / sector_bytes;
	/* enough for all sectors as clusters; the first two entries stand for none */
	l.fat = (uint32_t)div_up(l.total / l.per_cluster + 2, entries);
	used = RESERVED_MIN + 2 * l.fat;
	l.reserved = RESERVED_MIN + (uint32_t)(round_up(used, align) - used);
	l.n_clusters = (l.total - l.reserved - 2 * l.fat) / l.per_cluster;
	return l;
}

static void put_text(uint8_t *to, const char *text)
{
	memcpy(to, text, text_length(text));
}

static void put_label(uint8_t *to, const char *label)
{
	size_t n = text_length(label);

	memset(to, ' ', LABEL_BYTES);
	memcpy(to, label, n < LABEL_BYTES ? n : LABEL_BYTES);
}

static void make_boot_sector(const struct layout *l, const struct fat_format *format, uint8_t *s)
{
	static const uint8_t jump[] = { 0xeb, 0x58, 0x90 }, loop[] = { 0xeb, 0xfe };

	memcpy(s, jump, sizeof jump);
	put_text(s + 3, "EFI-IMG ");
	bytes_to_le(s + 11, 2, l->sector_bytes);
	s[13] = (uint8_t)l->per_cluster;
	bytes_to_le(s + 14, 2, l->reserved);
	s[16] = 2;                  /* FATs */
	s[21] = 0xf8;               /* a hard disk */
	bytes_to_le(s + 24, 2, 63); /* sectors of a track and heads, which nobody uses */
	bytes_to_le(s + 26, 2, 255);
	bytes_to_le(s + 28, 4, min_u64(format->first_sector, UINT32_MAX));
	bytes_to_le(s + 32, 4, l->total);
	bytes_to_le(s + 36, 4, l->fat);
	bytes_to_le(s + 44, 4, ROOT_CLUSTER);
	bytes_to_le(s + 48, 2, FSINFO);
	bytes_to_le(s + 50, 2, BACKUP);
	s[64] = 0x80; /* the first hard disk */
	s[66] = 0x29; /* serial number, label and type follow */
	bytes_to_le(s + 67, 4, format->serial);
	put_label(s + 71, format->label);
	put_text(s + 82, "FAT32   ");
	memcpy(s + 90, loop, sizeof loop); /* nothing is started from it */
	bytes_to_le(s + 510, 2, 0xaa55);
}

static void make_fsinfo(const struct layout *l, uint8_t *s)
{
	put_text(s, "RRaA");
	put_text(s + 484, "rrAa");
	bytes_to_le(s + 488, 4, l->n_clusters - 1); /* free: all but the root directory */
	bytes_to_le(s + 492, 4, ROOT_CLUSTER + 1);
	bytes_to_le(s + 508, 4, 0xaa550000);
}

static void make_fat(uint8_t *s)
{
	bytes_to_le(s, 4, 0x0ffffff8);     /* the medium */
	bytes_to_le(s + 4, 4, 0x0fffffff); /* clean, no errors */
	bytes_to_le(s + 8, 4, 0x0fffffff); /* the root directory has one cluster */
}

static void make_root(const struct fat_format *format, uint8_t *s)
{
	put_label(s, format->label);
	s[11] = ATTRIBUTE_LABEL;
}

/* Writes all sectors that are not zeros, but for the boot sector, which `sector` has at the end. */
static enum status write_sectors(struct blk *volume, const struct layout *l,
				 const struct fat_format *format, uint8_t *sector)
{
	enum { BOOT, INFO, FAT, ROOT };
	const struct {
		int kind;
		uint32_t at;
	} sectors[] = {
		{ FAT, l->reserved },
		{ FAT, l->reserved + l->fat },
		{ ROOT, l->reserved + 2 * l->fat },
		{ INFO, FSINFO },
		{ INFO, BACKUP + FSINFO },
		{ BOOT, BACKUP },
	};
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < sizeof sectors / sizeof sectors[0]; i++) {
		memset(sector, 0, l->sector_bytes);
		if (sectors[i].kind == FAT)
			make_fat(sector);
		else if (sectors[i].kind == ROOT)
			make_root(format, sector);
		else if (sectors[i].kind == INFO)
			make_fsinfo(l, sector);
		else
			make_boot_sector(l, format, sector);
		st = blk_write(volume, (uint64_t)sectors[i].at * l->sector_bytes, sector,
			       l->sector_bytes);
	}
	return st;
}

enum status fat_format(struct blk *volume, const struct fat_format *format, struct error *err)
{
	struct layout l = lay_out(volume->size, format->sector_bytes);
	uint64_t begin = (uint64_t)(l.reserved + 2 * l.fat) * l.sector_bytes;
	uint8_t *sector = io_alloc(l.sector_bytes);
	enum status st = sector != NULL ? ST_OK : ST_NO_MEMORY;

	if (st == ST_OK)
		st = blk_write_zeros(volume, 0, begin + l.cluster_bytes);
	if (st == ST_OK)
		st = write_sectors(volume, &l, format, sector);
	if (st == ST_OK)
		st = blk_flush(volume);
	if (st == ST_OK)
		st = blk_write(volume, 0, sector, l.sector_bytes);
	if (st == ST_OK)
		st = blk_flush(volume);
	io_free(sector, l.sector_bytes);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "making a FAT32 file system: %s", status_text(st));
}
