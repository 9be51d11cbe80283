/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recognises what fills a partition: kinds whose tables this program reads, each in a file of its
 * own, and others by signatures at fixed offsets.
 *
 * Boot sectors come first, since a FAT or NTFS boot sector also looks like an MBR, and FAT has no
 * signature of its own (fat_boot.c). Only the first 68 KiB are searched, which is enough for all.
 *
 * A signature may be left from what was there before: formatting writes few blocks, and that of a
 * RAID is not where that of ext4 is. Of two, the first is shown, and there is no map: that of the
 * wrong one would call all files unused.
 */
#include "base/bytes.h"
#include "base/check.h"
#include "base/hex.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"
#include "base/zero.h"
#include "blk/window.h"
#include "fs/fat_boot.h"
#include "fs/kinds.h"

enum { LABEL_BYTES_MAX = 256, ISO_DESCRIPTOR = 0x8000, ISO_BLOCK_BYTES = 2048 };

/* The primary volume descriptor of ISO 9660 (ECMA-119, 8.4), as far as it is read here. */
struct iso_descriptor {
	uint8_t before[80];
	le32 n_blocks; /* of the volume space; after each number, the same in big-endian */
	uint8_t between[44];
	le16 block_bytes;
};

/* What has tables that are read here; the order counts. */
static const struct fs_kind *const kinds[] = {
	&fs_kind_ntfs, &fs_kind_exfat, &fs_kind_fat, &fs_kind_xfs, &fs_kind_btrfs,
	&fs_kind_ext,  &fs_kind_swap,  &fs_kind_lvm, NULL,
};

/* What is only recognised: bytes at a fixed offset, and where its label is. */
struct signature {
	const char *type;
	uint32_t offset;
	const char *bytes;
	uint32_t label_offset, label_bytes; /* 0: no label within FS_HEAD */
};

static const struct signature boot_sectors[] = {
	{ "BitLocker", 3, "-FVE-FS-", 0, 0 },
	/*
	 * BitLocker To Go: a FAT32 of a few files to unlock it with, for Windows before 7. The GUID
	 * of its metadata, and that of a volume of which only the used space is encrypted
	 */
	{ "BitLocker", 424, "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01", 0,
	  0 },
	{ "BitLocker", 424, "\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8", 0,
	  0 },
};

static const struct signature others[] = {
	{ "LUKS", 0, "LUKS\xba\xbe", 0, 0 },
	{ "Linux RAID", 0, "\xfc\x4e\x2b\xa9", 0, 0 }, /* md, version 1.1 */
	{ "Linux RAID", 4096, "\xfc\x4e\x2b\xa9", 0, 0 },
	{ "bcache", 4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca", 0, 0 },
	{ "bcachefs", 4120, "\xc6\x85\x73\xf6\x66\xce\x90\xa9", 0, 0 },
	{ "ZFS", 0x4018, "version", 0, 0 }, /* the first name in a label */
	{ "HFS+", 1024, "H+", 0, 0 },
	{ "APFS", 32, "NXSB", 0, 0 },
	{ "qcow2 image", 0, "QFI\xfb", 0, 0 },
	{ "ISO 9660", 0x8001, "CD001", 0x8028, 32 },
	/* Their makers leave the first blocks as they are, where an older file system may be. */
	{ "UFS", 0x255c, "\x54\x19\x01", 0, 0 },
	{ "UFS", 0x1055c, "\x19\x01\x54\x19", 0, 0 },
	{ "ReiserFS", 0x2034, "ReIsEr", 0, 0 },
	{ "ReiserFS", 0x10034, "ReIsEr", 0, 0 },
	{ "JFS", 0x8000, "JFS1", 0, 0 },
	{ "GFS2", 0x10000, "\x01\x16\x19\x70", 0, 0 },
	{ "OCFS2", 1024, "OCFSV2", 0, 0 },
	{ "OCFS2", 2048, "OCFSV2", 0, 0 },
	{ "OCFS2", 4096, "OCFSV2", 0, 0 },
	{ "OCFS2", 8192, "OCFSV2", 0, 0 },
	{ "F2FS", 1024, "\x10\x20\xf5\xf2", 0, 0 },
	{ "ReFS", 3, "ReFS", 0, 0 },
	{ "squashfs", 0, "hsqs", 0, 0 },
	{ "EROFS", 1024, "\xe2\xe1\xf5\xe0", 0, 0 },
	/* Slices of their own in the partition; the label leaves all but one sector as it is. */
	{ "BSD disklabel", 512, "\x57\x45\x56\x82", 0, 0 },
	{ "Solaris disk label", 524, "\xee\xde\x0d\x60", 0, 0 },
	{ "Oracle ASM", 32, "ORCLDISK", 0, 0 },
	{ "Ceph", 0, "bluestore block device", 0, 0 },
	{ "dm-verity", 0, "verity", 0, 0 },
	{ "dm-integrity", 0, "integrt", 0, 0 },
};

void fs_note(struct fs *fs, const char *format, ...)
{
	struct out_buffer out;
	va_list args;

	if (fs->note[0] != '\0')
		return;
	out_buffer_init(&out, fs->note, sizeof fs->note);
	va_start(args, format);
	out_vprintf(&out.out, format, args);
	va_end(args);
}

void fs_label_utf8(struct fs *fs, const uint8_t *label, size_t n)
{
	uint16_t units[LABEL_BYTES_MAX + 1]; /* with a NUL */
	const char *text = (const char *)label;
	size_t length = 0;

	CHECK(n <= LABEL_BYTES_MAX);
	while (length < n && text[length] != '\0')
		length++;
	while (length > 0 && text[length - 1] == ' ')
		length--;
	utf16_from_utf8(units, text, length);
	utf8_from_utf16(fs->label, units, utf16_length_of_utf8(text, length));
}

void fs_uuid_text(struct fs *fs, const uint8_t uuid[static 16])
{
	static const uint8_t ends[] = { 4, 6, 8, 10, 16 };
	char *text = fs->uuid;
	uint8_t any = 0;

	for (size_t i = 0; i < 16; i++)
		any |= uuid[i];
	if (any == 0)
		return;
	for (size_t part = 0, i = 0; part < sizeof ends; i = ends[part++]) {
		if (part > 0)
			*text++ = '-';
		hex_text(uuid + i, ends[part] - i, text);
		text += 2 * (ends[part] - i);
	}
}

uint32_t fs_log2(uint64_t n)
{
	return (uint32_t)__builtin_ctzll(n);
}

static bool matches(const struct signature *signature, const uint8_t *head)
{
	return memcmp(head + signature->offset, signature->bytes, text_length(signature->bytes)) ==
	       0;
}

bool fs_is_boot_sector(const uint8_t sector[static 512])
{
	struct fat_boot_sector fat;

	for (size_t i = 0; i < sizeof boot_sectors / sizeof *boot_sectors; i++)
		if (matches(&boot_sectors[i], sector))
			return true;
	return memcmp(sector + 3, "NTFS    ", 8) == 0 || memcmp(sector + 3, "EXFAT   ", 8) == 0 ||
	       fat_recognise(sector, &fat);
}

/* Returns the kind, or NULL; sets *ret_n to the number of kinds that match. */
static const struct fs_kind *find_kind(const struct fs_view *view, size_t *ret_n)
{
	const struct fs_kind *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; kinds[i] != NULL; i++) {
		if (!kinds[i]->recognise(view))
			continue;
		if (found == NULL)
			found = kinds[i];
		(*ret_n)++;
	}
	return found;
}

/* Returns how many of a table match; *ret_first is the first of them. */
static size_t count_signatures(const struct signature *table, size_t n, const struct fs_view *view,
			       const struct signature **ret_first)
{
	size_t n_found = 0;

	*ret_first = NULL;
	for (size_t i = 0; i < n; i++)
		if (matches(&table[i], view->head) && n_found++ == 0)
			*ret_first = &table[i];
	return n_found;
}

/* Returns the bytes of an ISO 9660; 0: it has blocks of a length that nobody uses. */
static uint64_t iso_size(const struct fs_view *view)
{
	const struct iso_descriptor *iso = (const struct iso_descriptor *)(view->head +
									   ISO_DESCRIPTOR);

	if (le16_get(iso->block_bytes) != ISO_BLOCK_BYTES)
		return 0;
	return (uint64_t)le32_get(iso->n_blocks) * ISO_BLOCK_BYTES;
}

/* Whether the first sector has a partition table of at least one partition, by UEFI 2.10, 5.2.1. */
static bool has_mbr(const struct fs_view *view)
{
	uint64_t n_sectors = view->blk->size / 512;
	bool any = false;

	for (size_t i = 0; i < 4; i++) {
		const uint8_t *entry = view->head + 446 + i * 16;
		uint64_t first = bytes_from_le(entry + 8, 4), n = bytes_from_le(entry + 12, 4);

		if ((entry[0] & 0x7f) != 0 || (n > 0 && !range_ok(first, n, n_sectors)))
			return false;
		any = any || (entry[4] != 0 && first > 0 && n > 0);
	}
	return any && view->head[510] == 0x55 && view->head[511] == 0xaa;
}

/*
 * A partition or volume may be the disk of a virtual machine, with a table and partitions of its
 * own, and begin like the file system that was there before. Boot sectors have code in place of a
 * table.
 */
static bool has_table(const struct fs_view *view)
{
	return memcmp(view->head + 512, "EFI PART", 8) == 0 ||
	       memcmp(view->head + 4096, "EFI PART", 8) == 0 ||
	       (!fs_is_boot_sector(view->head) && has_mbr(view));
}

static void look_signature(const struct fs_view *view, const struct signature *found,
			   struct fs *ret)
{
	ret->type = found->type;
	fs_label_utf8(ret, view->head + found->label_offset, found->label_bytes);
	if (text_equal(found->type, "ISO 9660"))
		ret->size = iso_size(view);
	if (text_equal(found->type, "dm-verity")) {
		ret->binds = FS_BINDS_DISK;
		fs_note(ret, "it has hashes of all blocks of a file system, also of unused ones");
	}
}

static enum status look(const struct fs_view *view, struct fs *ret, const struct fs_kind **ret_kind)
{
	const struct signature *first, *other;
	size_t n_kinds, n;

	*ret_kind = find_kind(view, &n_kinds);
	n = count_signatures(boot_sectors, sizeof boot_sectors / sizeof *boot_sectors, view,
			     &first);
	n += count_signatures(others, sizeof others / sizeof *others, view, &other) + n_kinds;
	if (first != NULL)
		*ret_kind = NULL;
	else
		first = other;
	if (*ret_kind != NULL) {
		if (n > 1)
			fs_note(ret, "it has signatures of several file systems: remove the old "
				     "ones with wipefs");
		if (has_table(view))
			fs_note(ret, "it has a partition table as well");
		if (view->blk->sequential)
			fs_note(ret, "it can be read only from its beginning to its end");
		return (*ret_kind)->look(view, ret);
	}
	if (first != NULL)
		look_signature(view, first, ret);
	return ST_OK;
}

/* The caller frees view->head by io_free(). */
static enum status view_open(struct blk *blk, struct fs_view *ret)
{
	size_t n = (size_t)min_u64(blk->size, FS_HEAD);
	uint8_t *head = io_alloc(FS_HEAD);
	enum status st;

	*ret = (struct fs_view){ .blk = blk };
	if (head == NULL)
		return ST_NO_MEMORY;
	memset(head + n, 0, FS_HEAD - n);
	st = blk_read(blk, 0, head, n);
	if (st != ST_OK)
		io_free(head, FS_HEAD);
	else
		ret->head = head;
	return st;
}

static void view_close(struct fs_view *view)
{
	io_free((void *)(uintptr_t)view->head, FS_HEAD);
}

enum status fs_look(struct blk *blk, struct fs *ret)
{
	const struct fs_kind *kind;
	struct fs_view view;
	enum status st;

	*ret = (struct fs){ .type = "" };
	st = view_open(blk, &view);
	if (st != ST_OK)
		return st;
	st = look(&view, ret, &kind);
	ret->has_data = ret->type[0] == '\0' && !is_zero(view.head, FS_HEAD);
	view_close(&view);
	if (st != ST_OK)
		*ret = (struct fs){ .type = "" };
	return st;
}

enum status fs_look_at(struct blk *blk, uint64_t start, uint64_t size, struct fs *ret)
{
	struct blk *window = window_open(blk,
					 &(struct window_kind){ .start = start, .size = size });
	enum status st;

	*ret = (struct fs){ .type = "" };
	if (window == NULL)
		return ST_NO_MEMORY;
	st = fs_look(window, ret);
	blk_close(window);
	return st;
}

/* Why there is no map; ST_OK: nothing is known against one. */
static enum status refuse(const struct fs *fs, const struct fs_kind *kind, struct error *why)
{
	if (fs->type[0] == '\0')
		return fail(why, ST_UNSUPPORTED, "what is on it is not known to this program");
	if (text_equal(fs->type, "LUKS") || text_equal(fs->type, "BitLocker"))
		return fail(why, ST_UNSUPPORTED, "%s encrypts it, and hides its free space",
			    fs->type);
	if (fs->note[0] != '\0')
		return fail(why, ST_UNSUPPORTED, "%s", fs->note);
	if (kind == NULL)
		return fail(why, ST_UNSUPPORTED,
			    "the free space of %s is not known to this program", fs->type);
	return ST_OK;
}

/*
 * Versions 0.90 and 1.0 of Linux RAID have their superblock at the end of each member (the kernel's
 * md_p.h), and a file system may begin at the start of the first one. Only of a mirror are its
 * blocks at their places.
 */
static enum status check_raid(struct blk *blk, struct error *why)
{
	enum { READ = 512, VERSION = 4, MIRROR = 1, LEAST = 128 << 10 };
	static const uint8_t magic[] = { 0xfc, 0x4e, 0x2b, 0xa9 },
			     other[] = { 0xa9, 0x2b, 0x4e, 0xfc };
	uint64_t size = max_u64(blk->size, LEAST);
	const struct {
		uint64_t at;
		size_t level;
	} places[] = { { round_down(size, 65536) - 65536, 28 },
		       { round_down(size - 8192, 4096), 72 } };

	if (blk->size < LEAST)
		return ST_OK;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		uint8_t super[READ];
		enum status st = blk_read(blk, places[i].at, super, sizeof super);

		if (st != ST_OK)
			return fs_map_reason(st, why);
		if (memcmp(super, other, sizeof other) == 0 ||
		    (memcmp(super, magic, sizeof magic) == 0 &&
		     bytes_from_le(super + VERSION, 4) == i &&
		     bytes_from_le(super + places[i].level, 4) != MIRROR))
			return fail(why, ST_UNSUPPORTED,
				    "it ends with the superblock of a Linux RAID, whose blocks are "
				    "on several disks by turns");
	}
	return ST_OK;
}

enum status fs_map_open(struct blk *blk, struct fs *ret_fs, struct fs_map **ret_map,
			struct error *why)
{
	const struct fs_kind *kind;
	struct fs_view view;
	enum status st;

	*ret_map = NULL;
	*ret_fs = (struct fs){ .type = "" };
	why->text[0] = '\0';
	st = view_open(blk, &view);
	if (st != ST_OK)
		return fs_map_reason(st, why);
	st = look(&view, ret_fs, &kind);
	if (st == ST_OK)
		st = refuse(ret_fs, kind, why);
	else
		st = fs_map_reason(st, why);
	if (st == ST_OK)
		st = check_raid(blk, why);
	if (st == ST_OK)
		st = fs_map_make(&view, kind, ret_fs, ret_map, why);
	view_close(&view);
	if (st == ST_OK) {
		ret_fs->used = ret_fs->size - min_u64(ret_fs->size, fs_map_unused(*ret_map));
		ret_fs->has_used = true;
	}
	return st;
}
