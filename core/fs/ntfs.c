/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NTFS (ntfs-3g's layout.h and logfile.h; there is no public specification). All is in files: their
 * records are in $MFT, of which the first ones are fixed. $Bitmap has a bit for each cluster.
 *
 * It is clean if $Volume has no flag of what is still to be done, and if the restart pages of
 * $LogFile say so: version 1.1 and no client in use. If they are empty, all bytes 0xFF, as Linux
 * leaves them, the records of all files have to agree with $Bitmap (ntfs_files.c).
 * Windows 8 and later write version 2.0 while they keep metadata in memory: when they hibernate,
 * with "fast startup" at each shutdown, and until a disk is ejected. Then the tables on disk are
 * old.
 *
 * The boot sector counts one sector less than there are; a copy of it is in the last one, and up to
 * a cluster before it has no bit. All that is after the last cluster is used.
 *
 * $Bitmap has no checksum and no counts. So the clusters of $MFT, $LogFile and $Bitmap itself, and
 * those of $Boot and $MFTMirr, must be in use in it. Shadow copies use free clusters
 * (ntfs_shadow.c).
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/utf.h"
#include "fs/kinds.h"
#include "fs/ntfs.h"

enum {
	STRIDE = 512, /* the last 2 bytes of each are in the update sequence array */
	CLUSTER_BYTES_MAX = 2 << 20,
	NO_CLIENT = 0xffff,
	VOLUME_IS_CLEAN = 2,
	LABEL_UNITS_MAX = 128,
	BOOT_BYTES = 8192, /* of $Boot */
	/* attributes */
	ATTRIBUTE_LIST = 0x20,
	VOLUME_NAME = 0x60,
	VOLUME_INFORMATION = 0x70,
	DATA = 0x80,
	END = -1,
	/* $Volume's flags that do not matter: mounted by NT 4, object ids to be repaired */
	VOLUME_FLAGS_HARMLESS = 0x28,
};

static const uint32_t record_number[NTFS_FILES] = { 0, 2, 6 };
enum { VOLUME_RECORD = 3 };

static uint64_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return bytes_from_le(bytes + offset, n);
}

static bool ntfs_recognise(const struct fs_view *view)
{
	return memcmp(view->head + 3, "NTFS    ", 8) == 0;
}

/* Takes the fields of the boot sector. False: some of them are impossible. */
static bool parse(const uint8_t *head, struct ntfs *ntfs)
{
	uint64_t sectors = head[13], cluster_bytes;
	int8_t per_record = (int8_t)head[64];

	ntfs->sector_bytes = get(head, 11, 2);
	ntfs->n_sectors = get(head, 40, 8);
	ntfs->mft_cluster = get(head, 48, 8);
	ntfs->mirror_cluster = get(head, 56, 8);
	if (sectors > 128)
		sectors = UINT64_C(1) << (256 - sectors) % 32;
	cluster_bytes = ntfs->sector_bytes * sectors;
	if (!is_power_of_two(cluster_bytes) || ntfs->sector_bytes < 256 ||
	    cluster_bytes > CLUSTER_BYTES_MAX || ntfs->n_sectors >> 48 != 0)
		return false;
	ntfs->cluster_shift = fs_log2(cluster_bytes);
	ntfs->n_clusters = ntfs->n_sectors / sectors;
	if (per_record > 0)
		ntfs->record_bytes = (uint32_t)min_u64((uint64_t)per_record * cluster_bytes,
						       UINT64_C(2) * NTFS_RECORD_MAX);
	else
		ntfs->record_bytes = per_record > -31 ? 1u << -per_record : 0;
	return is_power_of_two(ntfs->record_bytes) && ntfs->record_bytes >= STRIDE &&
	       ntfs->record_bytes <= NTFS_RECORD_MAX && ntfs->mft_cluster < ntfs->n_clusters &&
	       ntfs->mirror_cluster < ntfs->n_clusters;
}

bool ntfs_fix_up(uint8_t *bytes, uint32_t n)
{
	uint64_t array = get(bytes, 4, 2), count = get(bytes, 6, 2);

	if (count != n / STRIDE + 1 || array % 2 != 0 || array + 2 * count > STRIDE - 2)
		return false;
	for (uint32_t i = 1; i < count; i++) {
		uint8_t *end = bytes + (size_t)i * STRIDE - 2;

		if (memcmp(end, bytes + array, 2) != 0)
			return false;
		memcpy(end, bytes + array + (size_t)2 * i, 2);
	}
	return true;
}

uint64_t ntfs_first_attribute(const uint8_t *record)
{
	return get(record, 0x14, 2);
}

const uint8_t *ntfs_attribute(const uint8_t *record, uint32_t n, uint64_t *at, bool *ret_sound)
{
	uint64_t used = min_u64(get(record, 0x18, 4), n), length;
	const uint8_t *attribute = record + *at;

	*ret_sound = false;
	if (*at % 8 != 0 || !range_ok(*at, 4, used))
		return NULL;
	*ret_sound = get(attribute, 0, 4) == (uint32_t)END;
	if (*ret_sound || !range_ok(*at, 0x18, used))
		return NULL;
	length = get(attribute, 4, 4);
	if (length < 0x18 || !range_ok(*at, length, used) || (attribute[8] != 0 && length < 0x40))
		return NULL;
	*at += length;
	return attribute;
}

/*
 * Returns the first attribute of a type, and without a name, in a record after ntfs_fix_up(), or
 * NULL; END: NULL, and *ret_sound tells whether the record is sound.
 */
static const uint8_t *find(const uint8_t *record, uint32_t n, uint32_t type, bool *ret_sound)
{
	uint64_t at = ntfs_first_attribute(record);
	const uint8_t *found = NULL, *attribute;

	do {
		attribute = ntfs_attribute(record, n, &at, ret_sound);
		if (attribute != NULL && found == NULL && get(attribute, 0, 4) == type &&
		    attribute[9] == 0)
			found = attribute;
	} while (attribute != NULL);
	return *ret_sound ? found : NULL;
}

/* Returns the value of a resident attribute, or NULL if it is not one of `least` bytes or more. */
static const uint8_t *value(const uint8_t *attribute, uint64_t least, uint64_t *ret_n)
{
	if (attribute == NULL || attribute[8] != 0)
		return NULL;
	*ret_n = get(attribute, 0x10, 4);
	if (*ret_n < least || !range_ok(get(attribute, 0x14, 2), *ret_n, get(attribute, 4, 4)))
		return NULL;
	return attribute + get(attribute, 0x14, 2);
}

/* ---- Runs of clusters ---- */

struct ntfs_run ntfs_first_run(const uint8_t *attribute)
{
	uint64_t length = get(attribute, 4, 4), at = min_u64(get(attribute, 0x20, 2), length);

	return (struct ntfs_run){ .next = attribute + at, .end = attribute + length };
}

enum ntfs_step ntfs_next_run(const struct ntfs *ntfs, struct ntfs_run *run)
{
	size_t n_length, n_delta;
	uint64_t delta;

	if (run->next >= run->end)
		return NTFS_DAMAGED;
	if (*run->next == 0)
		return NTFS_END;
	n_length = *run->next & 15u;
	n_delta = *run->next >> 4;
	if (n_length == 0 || n_length > 8 || n_delta > 8 ||
	    (size_t)(run->end - run->next) < 1 + n_length + n_delta)
		return NTFS_DAMAGED;
	run->vcn += run->n;
	run->n = get(run->next, 1, n_length);
	delta = n_delta == 0 ? 0 : get(run->next, 1 + n_length, n_delta);
	if (n_delta > 0 && n_delta < 8 && (delta >> (8 * n_delta - 1)) != 0)
		delta -= UINT64_C(1) << 8 * n_delta; /* it is signed */
	run->lcn += delta;
	run->next += 1 + n_length + n_delta;
	if (run->n == 0 || run->n >> 62 != 0)
		return NTFS_DAMAGED;
	if (n_delta == 0)
		return NTFS_SPARSE;
	return range_ok(run->lcn, run->n, ntfs->n_clusters) ? NTFS_DATA : NTFS_DAMAGED;
}

enum status ntfs_read_data(const struct ntfs *ntfs, struct blk *blk, const uint8_t *attribute,
			   uint64_t offset, uint8_t *buf, size_t len)
{
	struct ntfs_run run = ntfs_first_run(attribute);

	while (len > 0) {
		uint64_t start, size, n;
		enum status st;

		/* A file without holes is not larger than the volume. */
		if (ntfs_next_run(ntfs, &run) != NTFS_DATA ||
		    !range_ok(run.vcn, run.n, ntfs->n_clusters))
			return ST_CORRUPT;
		start = run.vcn << ntfs->cluster_shift;
		size = run.n << ntfs->cluster_shift;
		if (offset >= start + size)
			continue;
		n = min_u64(len, start + size - offset);
		st = blk_read(blk, (run.lcn << ntfs->cluster_shift) + (offset - start), buf,
			      (size_t)n);
		if (st != ST_OK)
			return st;
		offset += n;
		buf += n;
		len -= (size_t)n;
	}
	return ST_OK;
}

/* ---- Records ---- */

/* Statuses: ST_CORRUPT, it is not a record in use; those of reading. */
static enum status read_record(const struct ntfs *ntfs, struct blk *blk, uint32_t number,
			       uint8_t *ret)
{
	uint64_t at = (uint64_t)number * ntfs->record_bytes;
	bool sound;
	enum status st;

	if (number == 0)
		st = blk_read(blk, ntfs->mft_cluster << ntfs->cluster_shift, ret,
			      ntfs->record_bytes);
	else
		st = ntfs_read_data(ntfs, blk, ntfs->data[NTFS_MFT], at, ret, ntfs->record_bytes);
	if (st != ST_OK)
		return st;
	if (memcmp(ret, "FILE", 4) != 0 || !ntfs_fix_up(ret, ntfs->record_bytes) ||
	    (get(ret, 0x16, 2) & 1) == 0 || get(ret, 0x20, 8) != 0)
		return ST_CORRUPT;
	(void)find(ret, ntfs->record_bytes, (uint32_t)END, &sound);
	return sound ? ST_OK : ST_CORRUPT;
}

/* Reads those that tell where $MFT, $LogFile and $Bitmap are. */
static enum status read_records(struct ntfs *ntfs, struct blk *blk)
{
	enum status st = ST_OK;
	bool sound;

	for (size_t i = 0; st == ST_OK && i < NTFS_FILES; i++) {
		uint8_t *record = ntfs->record[i];

		st = read_record(ntfs, blk, record_number[i], record);
		if (st != ST_OK)
			break;
		ntfs->data[i] = find(record, ntfs->record_bytes, DATA, &sound);
		if (ntfs->data[i] == NULL || ntfs->data[i][8] == 0 ||
		    get(ntfs->data[i], 0x10, 8) != 0)
			st = ST_CORRUPT;
		/* A longer list of $MFT matters only to later records. */
		if (i != NTFS_MFT &&
		    find(record, ntfs->record_bytes, ATTRIBUTE_LIST, &sound) != NULL)
			st = ST_CORRUPT;
	}
	return st;
}

/* ---- Is it clean? ---- */

static void take_label(const uint8_t *attribute, struct fs *ret)
{
	uint16_t units[LABEL_UNITS_MAX];
	uint64_t n;
	const uint8_t *name = value(attribute, 0, &n);

	if (name == NULL || n / 2 > LABEL_UNITS_MAX)
		return;
	for (size_t i = 0; i < n / 2; i++)
		units[i] = (uint16_t)get(name, 2 * i, 2);
	utf8_from_utf16(ret->label, units, (size_t)n / 2);
}

static enum status look_volume(struct ntfs *ntfs, struct blk *blk, struct fs *ret)
{
	const uint8_t *info;
	uint64_t n, version, flags;
	bool sound;
	enum status st = read_record(ntfs, blk, VOLUME_RECORD, ntfs->volume);

	if (st != ST_OK)
		return st;
	take_label(find(ntfs->volume, ntfs->record_bytes, VOLUME_NAME, &sound), ret);
	info = value(find(ntfs->volume, ntfs->record_bytes, VOLUME_INFORMATION, &sound), 12, &n);
	if (info == NULL)
		return ST_CORRUPT;
	version = (uint64_t)info[8] << 8 | info[9];
	flags = get(info, 10, 2);
	if (version != 0x102 && version != 0x300 && version != 0x301)
		fs_note(ret, "it is NTFS %u.%u, which this program does not know", info[8],
			info[9]);
	if ((flags & ~(uint64_t)VOLUME_FLAGS_HARMLESS) != 0)
		fs_note(ret, "it is marked dirty: run chkdsk /f in Windows");
	return ST_OK;
}

static bool is_empty_page(const uint8_t *page)
{
	for (size_t i = 0; i < NTFS_PAGE; i++)
		if (page[i] != 0xff)
			return false;
	return true;
}

/* Whether the journal, whose first pages were read, is empty. */
static bool is_empty(const struct ntfs *ntfs)
{
	return is_empty_page(ntfs->page[0]) && is_empty_page(ntfs->page[1]);
}

static enum status read_journal(struct ntfs *ntfs, struct blk *blk)
{
	return ntfs_read_data(ntfs, blk, ntfs->data[NTFS_LOGFILE], 0, ntfs->page[0],
			      sizeof ntfs->page);
}

/* Returns the restart area of a page of the journal, or NULL. */
static const uint8_t *restart_area(uint8_t *page)
{
	uint64_t at;

	if ((memcmp(page, "RSTR", 4) != 0 && memcmp(page, "CHKD", 4) != 0) ||
	    get(page, 0x10, 4) != NTFS_PAGE || !ntfs_fix_up(page, NTFS_PAGE))
		return NULL;
	at = get(page, 0x18, 2);
	return range_ok(at, 0x30, NTFS_PAGE) ? page + at : NULL;
}

static enum status look_journal(struct ntfs *ntfs, struct blk *blk, struct fs *ret)
{
	const uint8_t *area[2], *newer;
	uint64_t version[2];
	enum status st = read_journal(ntfs, blk);

	if (st != ST_OK)
		return st;
	if (is_empty(ntfs))
		return ST_OK;
	for (int i = 0; i < 2; i++) {
		area[i] = restart_area(ntfs->page[i]);
		if (area[i] == NULL)
			return ST_CORRUPT;
		version[i] = get(ntfs->page[i], 0x1c, 2) << 16 | get(ntfs->page[i], 0x1a, 2);
	}
	if (version[0] == 0x20000 || version[1] == 0x20000) {
		fs_note(ret, "Windows was not shut down: choose Restart there, or run shutdown /s "
			     "/t 0, then capture");
		return ST_OK;
	}
	newer = get(area[1], 0, 8) > get(area[0], 0, 8) ? area[1] : area[0];
	if (version[0] != 0x10001 || version[1] != 0x10001)
		fs_note(ret, "its journal has a version that this program does not know");
	if (get(newer, 0xc, 2) != NO_CLIENT && (get(newer, 0xe, 2) & VOLUME_IS_CLEAN) == 0)
		fs_note(ret, "it was not unmounted: start Windows and shut it down, or run "
			     "chkdsk /f");
	return ST_OK;
}

static enum status look_records(struct ntfs *ntfs, struct blk *blk, struct fs *ret)
{
	bool shadows = false;
	enum status st = read_records(ntfs, blk);

	if (st == ST_OK)
		st = look_volume(ntfs, blk, ret);
	if (st == ST_OK)
		st = look_journal(ntfs, blk, ret);
	if (st == ST_OK)
		st = ntfs_look_shadows(blk, &shadows);
	if (st == ST_OK && shadows)
		fs_note(ret,
			"it has shadow copies (restore points), or a place for them on another "
			"volume, which need its free blocks: run vssadmin delete shadows /all "
			"in Windows, then capture");
	return st;
}

static enum status ntfs_look(const struct fs_view *view, struct fs *ret)
{
	struct ntfs *ntfs = mem_alloc(sizeof *ntfs);
	struct out_buffer out;
	enum status st = ST_CORRUPT;

	if (ntfs == NULL)
		return ST_NO_MEMORY;
	ret->type = "NTFS";
	out_buffer_init(&out, ret->uuid, sizeof ret->uuid);
	out_printf(&out.out, "%08X%08X", (uint32_t)get(view->head, 76, 4),
		   (uint32_t)get(view->head, 72, 4));
	if (parse(view->head, ntfs)) {
		ret->size = ntfs->n_sectors * ntfs->sector_bytes;
		if (ret->size > view->blk->size)
			fs_note(ret, "it is larger than the space it is in");
		st = view->blk->sequential ? ST_OK : look_records(ntfs, view->blk, ret);
	}
	mem_free(ntfs);
	if (st == ST_CORRUPT)
		fs_note(ret, "its tables are damaged: run chkdsk /f in Windows");
	else if (st != ST_OK && st != ST_NO_MEMORY)
		fs_note(ret, "its tables cannot be read (%s)", status_text(st));
	return st == ST_NO_MEMORY ? st : ST_OK;
}

/* ---- The bitmap ---- */

bool ntfs_all_set(const uint8_t *bits, uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++)
		if (i % 8 == 0 && first + n - i >= 8 && bits[i / 8] == 0xff)
			i += 7;
		else if ((bits[i / 8] >> i % 8 & 1) == 0)
			return false;
	return true;
}

/* Whether all of `count` clusters from `lcn` on that are in the piece are in use. */
static bool are_used(uint64_t lcn, uint64_t count, uint64_t first, uint32_t n, const uint8_t *bits)
{
	uint64_t from = max_u64(lcn, first), to = min_u64(lcn + count, first + n);

	return from >= to || ntfs_all_set(bits, from - first, to - from);
}

/* Whether all clusters of a file that are in the piece are in use. */
static bool is_used(const struct ntfs *ntfs, const uint8_t *attribute, uint64_t first, uint32_t n,
		    const uint8_t *bits)
{
	struct ntfs_run run = ntfs_first_run(attribute);

	while (ntfs_next_run(ntfs, &run) == NTFS_DATA) {
		if (!are_used(run.lcn, run.n, first, n, bits))
			return false;
	}
	return true;
}

static enum status ntfs_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			     struct error *why)
{
	struct ntfs *ntfs = map->kind_data;
	uint64_t cluster = UINT64_C(1) << ntfs->cluster_shift;
	enum status st = ntfs_read_data(ntfs, map->blk, ntfs->data[NTFS_BITMAP], first / 8, bits,
					(size_t)div_up(n, 8));
	bool used = are_used(0, div_up(BOOT_BYTES, cluster), first, n, bits) &&
		    are_used(ntfs->mirror_cluster,
			     div_up(UINT64_C(4) * ntfs->record_bytes, cluster), first, n, bits);

	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < NTFS_FILES; i++)
		used = used && is_used(ntfs, ntfs->data[i], first, n, bits);
	if (!used)
		return fail(why, ST_UNSUPPORTED,
			    "its bitmap calls its own tables unused: run chkdsk /f in Windows");
	return ST_OK;
}

static enum status ntfs_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	struct ntfs *ntfs = mem_alloc(sizeof *ntfs);
	uint64_t bytes;
	bool sound;
	enum status st;

	if (ntfs == NULL)
		return ST_NO_MEMORY;
	map->kind_data = ntfs;
	(void)parse(view->head, ntfs); /* it was valid for ntfs_look() */
	st = read_records(ntfs, view->blk);
	if (st != ST_OK)
		return st;
	bytes = div_up(ntfs->n_clusters, 8);
	if (get(ntfs->data[NTFS_BITMAP], 0x30, 8) < bytes ||
	    get(ntfs->data[NTFS_BITMAP], 0x38, 8) < bytes ||
	    get(ntfs->data[NTFS_BITMAP], 0xc, 2) != 0)
		return fail(why, ST_UNSUPPORTED,
			    "its bitmap is too short: run chkdsk /f in Windows");
	map->shift = ntfs->cluster_shift;
	map->n_units = ntfs->n_clusters;
	map->load = ntfs_load;
	st = read_journal(ntfs, view->blk);
	if (st != ST_OK || !is_empty(ntfs))
		return st;
	if (find(ntfs->record[NTFS_MFT], ntfs->record_bytes, ATTRIBUTE_LIST, &sound) != NULL)
		return fail(why, ST_UNSUPPORTED,
			    "its journal is empty, as Linux leaves it, and $MFT is in too many "
			    "pieces to check its bitmap: mount it in Windows once");
	return ntfs_check_files(ntfs, view->blk, why);
}

const struct fs_kind fs_kind_ntfs = {
	.recognise = ntfs_recognise,
	.look = ntfs_look,
	.open = ntfs_open,
};
