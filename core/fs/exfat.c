/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exFAT (Microsoft's exFAT specification). A bitmap has a bit for each cluster; an entry of the
 * root directory tells where it begins, and the FAT where it continues.
 *
 * It is clean if the flags of the boot sector say so, which also has a checksum. The use in percent
 * is not looked at: Linux does not keep it. Instead, the clusters of the bitmap and of the root
 * directory must be in use in it. With two FATs and two bitmaps (TexFAT) there is no map.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/utf.h"
#include "fs/kinds.h"

enum {
	FIRST_CLUSTER = 2,
	CHECKED_SECTORS = 11, /* of the boot region; the checksum is in the one after them */
	SECTOR_BYTES_MAX = 4096,
	CLUSTER_SHIFT_MAX = 25,
	ENTRY_BYTES = 32,
	DIRECTORY_BYTES_MAX = 256 << 10, /* of the root, in which the entries are looked for */
	PART_BYTES = 512,                /* of it that is read at once */
	/* entries of the directory */
	ENTRY_END = 0,
	ENTRY_BITMAP = 0x81,
	ENTRY_LABEL = 0x83,
	LABEL_UNITS_MAX = 11,
	/* flags of the volume */
	FLAG_DIRTY = 2,
	FLAG_MEDIA_FAILURE = 4,
	FLAG_CLEAR_TO_ZERO = 8, /* which asks for nothing */
};

struct exfat {
	struct blk *blk;
	uint32_t sector_shift, cluster_shift;
	uint64_t n_sectors, fat_at, fat_bytes, heap_at; /* bytes but for the first */
	uint32_t n_clusters, root;
	uint32_t bitmap; /* its first cluster; 0: not found */
	uint64_t bitmap_bytes;
	/* a place in the chain of the bitmap */
	uint64_t index;
	uint32_t cluster;
};

static uint32_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return (uint32_t)bytes_from_le(bytes + offset, n);
}

static bool exfat_recognise(const struct fs_view *view)
{
	return memcmp(view->head + 3, "EXFAT   ", 8) == 0;
}

/* Takes the fields of the boot sector. False: some of them are impossible. */
static bool parse(const struct fs_view *view, struct exfat *exfat)
{
	const uint8_t *head = view->head;
	uint32_t sector_shift = head[0x6c], more = head[0x6d];
	uint64_t fat = get(head, 0x50, 4), fat_length = get(head, 0x54, 4);
	uint64_t heap = get(head, 0x58, 4), n_clusters = get(head, 0x5c, 4);

	if (sector_shift < 9 || sector_shift > 12 || more > CLUSTER_SHIFT_MAX - sector_shift)
		return false;
	exfat->blk = view->blk;
	exfat->sector_shift = sector_shift;
	exfat->cluster_shift = sector_shift + more;
	exfat->n_sectors = bytes_from_le(head + 0x48, 8);
	exfat->fat_at = fat << sector_shift;
	exfat->fat_bytes = fat_length << sector_shift;
	exfat->heap_at = heap << sector_shift;
	exfat->n_clusters = (uint32_t)n_clusters;
	exfat->root = get(head, 0x60, 4);
	return exfat->n_sectors >> 48 == 0 && fat >= 24 && fat + fat_length <= heap &&
	       range_ok(heap, n_clusters << more, exfat->n_sectors) && n_clusters > 0 &&
	       n_clusters < 0xfffffff5 && (n_clusters + FIRST_CLUSTER) * 4 <= exfat->fat_bytes;
}

static bool is_cluster(const struct exfat *exfat, uint32_t cluster)
{
	return cluster >= FIRST_CLUSTER && cluster - FIRST_CLUSTER < exfat->n_clusters;
}

static uint64_t cluster_at(const struct exfat *exfat, uint32_t cluster)
{
	return exfat->heap_at + ((uint64_t)(cluster - FIRST_CLUSTER) << exfat->cluster_shift);
}

/* Sets *cluster to the next one of its chain. ST_CORRUPT: there is none. */
static enum status follow(const struct exfat *exfat, uint32_t *cluster)
{
	uint8_t entry[4];
	enum status st = blk_read(exfat->blk, exfat->fat_at + (uint64_t)*cluster * 4, entry, 4);

	if (st != ST_OK)
		return st;
	*cluster = get(entry, 0, 4);
	return is_cluster(exfat, *cluster) ? ST_OK : ST_CORRUPT;
}

/* ---- The root directory ---- */

static void take_entry(struct exfat *exfat, const uint8_t *entry, struct fs *ret)
{
	uint16_t units[LABEL_UNITS_MAX];

	if (entry[0] == ENTRY_LABEL && ret != NULL && entry[1] <= LABEL_UNITS_MAX) {
		for (size_t i = 0; i < entry[1]; i++)
			units[i] = (uint16_t)get(entry, 2 + 2 * i, 2);
		utf8_from_utf16(ret->label, units, entry[1]);
	} else if (entry[0] == ENTRY_BITMAP && (entry[1] & 1) == 0) {
		exfat->bitmap = get(entry, 0x14, 4);
		exfat->bitmap_bytes = bytes_from_le(entry + 0x18, 8);
	}
}

/* Looks for the bitmap, and for the label unless `ret` is NULL. */
static enum status read_root(struct exfat *exfat, struct fs *ret)
{
	uint64_t cluster_bytes = UINT64_C(1) << exfat->cluster_shift;
	uint32_t cluster = exfat->root;
	uint8_t part[PART_BYTES];

	if (!is_cluster(exfat, cluster))
		return ST_CORRUPT;
	for (uint64_t at = 0; at < DIRECTORY_BYTES_MAX; at += PART_BYTES) {
		enum status st = ST_OK;

		if (at > 0 && at % cluster_bytes == 0)
			st = follow(exfat, &cluster);
		if (st == ST_CORRUPT) /* the end of its chain */
			break;
		if (st == ST_OK)
			st = blk_read(exfat->blk, cluster_at(exfat, cluster) + at % cluster_bytes,
				      part, PART_BYTES);
		if (st != ST_OK)
			return st;
		for (size_t i = 0; i < PART_BYTES; i += ENTRY_BYTES) {
			if (part[i] == ENTRY_END)
				return ST_OK;
			take_entry(exfat, part + i, ret);
		}
	}
	return ST_OK;
}

/* ---- Is it clean? ---- */

/* Whether the checksum of the boot region is right; flags and use in percent are left out of it. */
static enum status check_boot(const struct exfat *exfat, bool *ret)
{
	size_t n = (size_t)1 << exfat->sector_shift;
	uint8_t *sector = io_alloc(SECTOR_BYTES_MAX);
	uint32_t sum = 0;
	enum status st = sector == NULL ? ST_NO_MEMORY : ST_OK;

	*ret = true;
	for (uint32_t i = 0; st == ST_OK && i <= CHECKED_SECTORS; i++) {
		st = blk_read(exfat->blk, (uint64_t)i * n, sector, n);
		for (size_t k = 0; st == ST_OK && i < CHECKED_SECTORS && k < n; k++)
			if (i > 0 || (k != 106 && k != 107 && k != 112))
				sum = (sum >> 1 | (sum & 1) * 0x80000000) + sector[k];
		for (size_t k = 0; st == ST_OK && i == CHECKED_SECTORS && k < n; k += 4)
			*ret = *ret && get(sector, k, 4) == sum;
	}
	io_free(sector, SECTOR_BYTES_MAX);
	return st;
}

static void look_clean(const uint8_t *head, struct fs *ret)
{
	uint32_t flags = get(head, 0x6a, 2);

	if (head[0x69] != 1 || head[0x6e] != 1 ||
	    (flags & ~(uint32_t)(FLAG_DIRTY | FLAG_MEDIA_FAILURE | FLAG_CLEAR_TO_ZERO)) != 0)
		fs_note(ret, "it has a version or two FATs that this program does not know");
	if ((flags & FLAG_DIRTY) != 0)
		fs_note(ret, "it was not unmounted: unmount it, or run chkdsk or fsck.exfat");
	if ((flags & FLAG_MEDIA_FAILURE) != 0)
		fs_note(ret, "it had errors of reading or writing: run chkdsk or fsck.exfat");
}

static enum status look_tables(struct exfat *exfat, struct fs *ret)
{
	bool sound;
	enum status st = check_boot(exfat, &sound);

	if (st == ST_OK && !sound)
		fs_note(ret, "the checksum of its boot sector is wrong: run fsck.exfat");
	if (st == ST_OK)
		st = read_root(exfat, ret);
	if (st == ST_OK && (!is_cluster(exfat, exfat->bitmap) ||
			    exfat->bitmap_bytes < div_up(exfat->n_clusters, 8)))
		st = ST_CORRUPT;
	return st;
}

static enum status exfat_look(const struct fs_view *view, struct fs *ret)
{
	struct exfat exfat = { 0 };
	struct out_buffer out;
	enum status st = ST_CORRUPT;

	ret->type = "exFAT";
	out_buffer_init(&out, ret->uuid, sizeof ret->uuid);
	out_printf(&out.out, "%04X-%04X", get(view->head, 0x66, 2), get(view->head, 0x64, 2));
	if (parse(view, &exfat)) {
		ret->size = exfat.n_sectors << exfat.sector_shift;
		if (ret->size > view->blk->size)
			fs_note(ret, "it is larger than the space it is in");
		look_clean(view->head, ret);
		st = view->blk->sequential ? ST_OK : look_tables(&exfat, ret);
	}
	if (st == ST_CORRUPT)
		fs_note(ret, "its tables are damaged: run chkdsk or fsck.exfat");
	else if (st != ST_OK && st != ST_NO_MEMORY)
		fs_note(ret, "its tables cannot be read (%s)", status_text(st));
	return st == ST_NO_MEMORY ? st : ST_OK;
}

/* ---- The bitmap ---- */

/* Moves to that cluster of the bitmap's chain. */
static enum status seek(struct exfat *exfat, uint64_t index)
{
	enum status st = ST_OK;

	if (exfat->cluster == 0 || index < exfat->index) {
		exfat->cluster = exfat->bitmap;
		exfat->index = 0;
	}
	while (st == ST_OK && exfat->index < index) {
		st = follow(exfat, &exfat->cluster);
		exfat->index++;
	}
	if (st != ST_OK)
		exfat->cluster = 0;
	return st;
}

static bool is_set(const uint8_t *bits, uint64_t first, uint32_t n, uint32_t cluster)
{
	uint64_t i = cluster - FIRST_CLUSTER;

	return i < first || i - first >= n || (bits[(i - first) / 8] >> (i - first) % 8 & 1) != 0;
}

static enum status exfat_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			      struct error *why)
{
	struct exfat *exfat = map->kind_data;
	uint64_t cluster_bytes = UINT64_C(1) << exfat->cluster_shift;
	uint64_t at = first / 8, end = at + div_up(n, 8);

	while (at < end) {
		uint64_t within = at % cluster_bytes,
			 part = min_u64(end - at, cluster_bytes - within);
		enum status st = seek(exfat, at >> exfat->cluster_shift);

		if (st == ST_OK)
			st = blk_read(map->blk, cluster_at(exfat, exfat->cluster) + within,
				      bits + (at - first / 8), (size_t)part);
		if (st != ST_OK)
			return st;
		at += part;
	}
	if (!is_set(bits, first, n, exfat->root) || !is_set(bits, first, n, exfat->bitmap))
		return fail(why, ST_UNSUPPORTED,
			    "its bitmap calls its own tables unused: run chkdsk or fsck.exfat");
	return ST_OK;
}

static enum status exfat_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	struct exfat *exfat = mem_alloc(sizeof *exfat);

	(void)why;
	if (exfat == NULL)
		return ST_NO_MEMORY;
	map->kind_data = exfat;
	(void)parse(view, exfat); /* it was valid for exfat_look() */
	map->start = exfat->heap_at;
	map->shift = exfat->cluster_shift;
	map->n_units = exfat->n_clusters;
	map->load = exfat_load;
	return read_root(exfat, NULL);
}

const struct fs_kind fs_kind_exfat = {
	.recognise = exfat_recognise,
	.look = exfat_look,
	.open = exfat_open,
};
