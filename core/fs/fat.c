/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FAT12, FAT16 and FAT32 (Microsoft FAT specification 1.03). A cluster is unused if its entry in
 * the FAT is zero. All FATs must have the same entries, also with mirroring switched off: Windows
 * reads the active FAT then, and Linux the first one.
 *
 * It is clean if the two flags in FAT[1] say so (FAT12 has none), the flag that Windows and Linux
 * keep in the boot sector does, and the count of free clusters in the FSInfo sector is right or
 * absent. An entry that leads out of the FAT is damage.
 *
 * A file system with the layout of FAT32 and too few clusters for it is FAT16 for some drivers: it
 * has no map.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "fs/fat_boot.h"
#include "fs/kinds.h"

enum {
	PIECE_UNITS = 16384, /* entries of FAT32 in BUFFER_BYTES */
	BUFFER_BYTES = 65536,
	FIRST_CLUSTER = 2,
	FAT32_CLUSTERS_MIN = 65525,
	NOT_MIRRORED = 0x80, /* flags of FAT32: the FAT in the low 4 bits is the active one */
	STATE_DIRTY = 1,     /* the boot sector's byte of state */
	FREE_UNKNOWN = -1,
};

/* The fields of fat_boot.c as numbers, and where things are. */
struct fat {
	uint32_t bits; /* of an entry: 12, 16, 32 */
	uint32_t sector_bytes, cluster_bytes;
	uint64_t fat_start, fat_bytes; /* the first FAT */
	uint32_t n_fats;               /* one after the other; 0: impossible */
	uint64_t data_start, size;
	uint64_t n_clusters;
	uint64_t info_at;  /* FSInfo; 0: none */
	uint32_t state_at; /* of the boot sector */
	uint32_t serial_at;
	uint32_t version;
	uint32_t root; /* the first cluster of the root directory; 0: it has none */
};

struct fat_map {
	struct fat fat;
	bool has_free;
	uint64_t n_free; /* by FSInfo */
	uint8_t entries[2][BUFFER_BYTES + 4];
};

static uint32_t get(const uint8_t *head, size_t offset, size_t n)
{
	return (uint32_t)bytes_from_le(head + offset, n);
}

/* Reads the geometry; fat_recognise() holds of `head`. */
static void parse(const uint8_t *head, const char *type, struct fat *ret)
{
	bool fat32 = get(head, 22, 2) == 0;
	uint64_t n_sectors = get(head, 19, 2) != 0 ? get(head, 19, 2) : get(head, 32, 4);
	uint32_t bytes = get(head, 11, 2), flags = fat32 ? get(head, 40, 2) : 0;
	uint64_t root = div_up((uint64_t)get(head, 17, 2) * 32, bytes) * bytes;

	ret->bits = fat32 ? 32 : text_equal(type, "FAT12") ? 12 : 16;
	ret->sector_bytes = bytes;
	ret->cluster_bytes = bytes * head[13];
	ret->fat_bytes = (uint64_t)get(head, fat32 ? 36 : 22, fat32 ? 4 : 2) * bytes;
	ret->fat_start = (uint64_t)get(head, 14, 2) * bytes;
	ret->n_fats = head[16];
	ret->data_start = ret->fat_start + ret->n_fats * ret->fat_bytes + root;
	ret->size = n_sectors * bytes;
	ret->n_clusters = (ret->size - ret->data_start) / ret->cluster_bytes;
	if ((flags & NOT_MIRRORED) != 0 && (flags & 15) >= ret->n_fats)
		ret->n_fats = 0;
	ret->info_at = fat32 ? (uint64_t)get(head, 48, 2) * bytes : 0;
	ret->state_at = fat32 ? 65 : 37;
	ret->serial_at = fat32 ? 67 : 39;
	ret->version = fat32 ? get(head, 42, 2) : 0;
	ret->root = fat32 ? get(head, 44, 4) : 0;
}

static bool fat_is(const struct fs_view *view)
{
	struct fat_boot_sector boot;

	return fat_recognise(view->head, &boot);
}

/* What the first two entries of a FAT and the boot sector say of how it was unmounted. */
static void look_clean(const struct fs_view *view, const struct fat *fat, uint64_t at,
		       struct fs *ret)
{
	uint8_t head[8];
	enum status st = blk_read(view->blk, at, head, sizeof head);
	uint32_t one = fat->bits == 32 ? get(head, 4, 4) : get(head, 2, 2) << 12 | 0xfff;

	if (st != ST_OK) {
		fs_note(ret, "its FAT cannot be read (%s)", status_text(st));
		return;
	}
	if (head[0] != view->head[21])
		fs_note(ret, "its FAT does not begin with the media byte: run chkdsk or fsck.fat");
	if ((view->head[fat->state_at] & STATE_DIRTY) != 0 ||
	    (fat->bits != 12 && (one & 0x08000000) == 0))
		fs_note(ret, "it was not unmounted: unmount it, or run chkdsk or fsck.fat");
	else if (fat->bits != 12 && (one & 0x04000000) == 0)
		fs_note(ret, "it had errors of reading or writing: run chkdsk or fsck.fat");
}

static enum status fat_look(const struct fs_view *view, struct fs *ret)
{
	struct fat_boot_sector boot;
	struct fat fat;
	struct out_buffer out;

	(void)fat_recognise(view->head, &boot); /* it was recognised */
	parse(view->head, boot.type, &fat);
	ret->type = boot.type;
	ret->size = fat.size;
	fs_label_utf8(ret, (const uint8_t *)boot.label, text_length(boot.label));
	out_buffer_init(&out, ret->uuid, sizeof ret->uuid);
	out_printf(&out.out, "%04X-%04X", get(view->head, (size_t)fat.serial_at + 2, 2),
		   get(view->head, (size_t)fat.serial_at, 2));
	if (fat.size > view->blk->size)
		fs_note(ret, "it is larger than the space it is in");
	else if (fat.bits == 32 && fat.n_clusters < FAT32_CLUSTERS_MIN)
		fs_note(ret, "it is a FAT32 with too few clusters, FAT16 for some drivers");
	else if (fat.version != 0 || fat.n_fats == 0)
		fs_note(ret, "its boot sector has values of an unknown version");
	else if ((fat.n_clusters + FIRST_CLUSTER) * fat.bits > fat.fat_bytes * 8 ||
		 fat.n_clusters >= 0x0ffffff0)
		fs_note(ret, "its FAT is too short for its clusters: run chkdsk or fsck.fat");
	for (uint32_t i = 0; ret->note[0] == '\0' && i < fat.n_fats; i++)
		look_clean(view, &fat, fat.fat_start + i * fat.fat_bytes, ret);
	return ST_OK;
}

/* The entry of a cluster; `at` is that of the buffer's first one, of an even cluster. */
static uint32_t entry(const struct fat *fat, const uint8_t *entries, uint32_t i)
{
	switch (fat->bits) {
	case 12:
		return (get(entries, i + i / 2, 2) >> (i % 2 != 0 ? 4 : 0)) & 0xfff;
	case 16:
		return get(entries, (size_t)i * 2, 2);
	default:
		return get(entries, (size_t)i * 4, 4) & 0x0fffffff;
	}
}

/* An entry is free, leads to a cluster, or is one of the last 16 values: reserved, bad, the end. */
static bool is_valid(const struct fat *fat, uint32_t value)
{
	uint32_t reserved = (fat->bits == 32 ? 0x0fffffff : (1u << fat->bits) - 1) & ~15u;

	return value != 1 && (value < fat->n_clusters + FIRST_CLUSTER || value >= reserved);
}

static enum status fat_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			    struct error *why)
{
	struct fat_map *fat_map = map->kind_data;
	const struct fat *fat = &fat_map->fat;
	/* The piece begins with an even cluster, of which FAT12 has 3 bytes for two. */
	uint64_t at = (first + FIRST_CLUSTER) * fat->bits / 8;
	size_t bytes = (size_t)min_u64(div_up((uint64_t)n * fat->bits, 8), fat->fat_bytes - at);

	for (uint32_t k = 0; k < fat->n_fats; k++) {
		enum status st = blk_read(map->blk, fat->fat_start + k * fat->fat_bytes + at,
					  fat_map->entries[k], bytes);

		if (st != ST_OK)
			return st;
	}
	if (fat->n_fats == 2 && memcmp(fat_map->entries[0], fat_map->entries[1], bytes) != 0)
		return fail(why, ST_UNSUPPORTED, "its two FATs differ: run chkdsk or fsck.fat");
	for (uint32_t i = 0; i < n; i++) {
		uint32_t value = entry(fat, fat_map->entries[0], i);

		if (!is_valid(fat, value) || (value == 0 && i + first + FIRST_CLUSTER == fat->root))
			return fail(why, ST_UNSUPPORTED,
				    "its FAT is damaged (cluster %ju): run chkdsk or fsck.fat",
				    first + i + FIRST_CLUSTER);
		if (value != 0)
			fs_bits_set(bits, i, 1);
	}
	return ST_OK;
}

static enum status fat_check(struct fs_map *map, uint64_t n_unused, struct error *why)
{
	const struct fat_map *fat = map->kind_data;

	if (fat->has_free && fat->n_free != n_unused)
		return fail(why, ST_UNSUPPORTED,
			    "it counts %ju free clusters, and has %ju: run chkdsk or fsck.fat",
			    fat->n_free, n_unused);
	return ST_OK;
}

/* FSInfo, a sector of FAT32; what does not look like it has no count. */
static enum status read_info(struct blk *blk, struct fat_map *fat)
{
	uint8_t info[512];
	enum status st;

	if (fat->fat.info_at == 0 || fat->fat.info_at + sizeof info > fat->fat.fat_start)
		return ST_OK;
	st = blk_read(blk, fat->fat.info_at, info, sizeof info);
	if (st != ST_OK)
		return st;
	fat->n_free = get(info, 488, 4);
	fat->has_free = get(info, 0, 4) == 0x41615252 && get(info, 484, 4) == 0x61417272 &&
			fat->n_free != (uint32_t)FREE_UNKNOWN;
	return ST_OK;
}

static enum status fat_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	struct fat_boot_sector boot;
	struct fat_map *fat = mem_alloc(sizeof *fat);

	(void)why;
	if (fat == NULL)
		return ST_NO_MEMORY;
	map->kind_data = fat;
	(void)fat_recognise(view->head, &boot);
	parse(view->head, boot.type, &fat->fat);
	map->start = fat->fat.data_start;
	map->shift = fs_log2(fat->fat.cluster_bytes);
	map->n_units = fat->fat.n_clusters;
	map->piece_units = PIECE_UNITS;
	map->load = fat_load;
	map->check = fat_check;
	return read_info(view->blk, fat);
}

const struct fs_kind fs_kind_fat = {
	.recognise = fat_is,
	.look = fat_look,
	.open = fat_open,
};
