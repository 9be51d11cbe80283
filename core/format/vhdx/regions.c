/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The region tables ([MS-VHDX] 2.2.3): where the BAT and the metadata are. There are two copies;
 * the first one that is whole counts. Every region has to be after the header section and must
 * overlap neither another one nor the log; the two that are needed must be in the file.
 */
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/vhdx/image.h"

const struct guid vhdx_region_bat = { { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64,
					0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 } };
const struct guid vhdx_region_metadata = { { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8,
					     0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e } };

const struct vhdx_part *vhdx_part_over(const struct vhdx_image *v, uint64_t offset, uint64_t bytes)
{
	for (size_t i = 0; i < v->n_parts; i++)
		if (offset < v->part[i].offset + v->part[i].bytes &&
		    v->part[i].offset < offset + bytes)
			return &v->part[i];
	return NULL;
}

enum status vhdx_part_add(struct vhdx_image *v, const char *name, uint64_t offset, uint64_t bytes,
			  struct error *err)
{
	const struct vhdx_part *other;

	if (!range_ok(offset, bytes, VHDX_FILE_MAX))
		return fail(err, ST_CORRUPT, "its %s, 0x%jx bytes at 0x%jx, is past all limits",
			    name, bytes, offset);
	other = vhdx_part_over(v, offset, bytes);
	if (other != NULL)
		return fail(err, ST_CORRUPT,
			    "its %s, 0x%jx bytes at 0x%jx, overlaps its %s, 0x%jx bytes at 0x%jx",
			    name, bytes, offset, other->name, other->bytes, other->offset);
	v->part[v->n_parts++] = (struct vhdx_part){ name, offset, bytes };
	return ST_OK;
}

/* Whether these bytes are a region table; if not, `why` says why. */
static bool is_table(const uint8_t *raw, struct error *why)
{
	static const uint8_t zeros[4];
	struct vhdx_disk_regions disk;
	uint32_t is;

	memcpy(&disk, raw, sizeof disk);
	is = crc32c(crc32c(crc32c(0, raw, 4), zeros, 4), raw + 8, VHDX_TABLE_BYTES - 8);
	if (memcmp(disk.signature, "regi", 4) != 0)
		error_set(why, "has no signature");
	else if (le32_get(disk.checksum) != is)
		error_set(why, "has the checksum 0x%08x, but its bytes have 0x%08x",
			  le32_get(disk.checksum), is);
	else if (le32_get(disk.n_entries) > VHDX_ENTRIES_MAX)
		error_set(why, "has %u entries, and there can be %d", le32_get(disk.n_entries),
			  VHDX_ENTRIES_MAX);
	else
		return true;
	return false;
}

/* The parts that regions must not overlap, and room for them. */
static enum status add_parts(struct vhdx_image *v, struct error *err)
{
	enum status st;

	v->part = mem_alloc((VHDX_ENTRIES_MAX + 2) * sizeof *v->part);
	if (v->part == NULL)
		return fail_no_memory(err);
	st = vhdx_part_add(v, "header section", 0, VHDX_MIB, err);
	if (st == ST_OK && v->header.log_bytes > 0)
		st = vhdx_part_add(v, "log", v->header.log_offset, v->header.log_bytes, err);
	return st;
}

static enum status take_known(struct vhdx_image *v, struct vhdx_part *ret, struct error *err)
{
	const struct vhdx_part *part = &v->part[v->n_parts - 1];

	if (ret->bytes != 0)
		return fail(err, ST_CORRUPT,
			    "its region table has two regions %s, at 0x%jx and at 0x%jx",
			    part->name, ret->offset, part->offset);
	if (!range_ok(part->offset, part->bytes, v->file->size))
		return fail(err, ST_CORRUPT,
			    "its region %s, 0x%jx bytes at 0x%jx, is past the end of the file "
			    "(size 0x%jx): the file was cut short",
			    part->name, part->bytes, part->offset, v->file->size);
	*ret = *part;
	return ST_OK;
}

static enum status take_region(struct vhdx_image *v, size_t i, const struct vhdx_disk_region *disk,
			       struct error *err)
{
	bool bat = guid_equal(&disk->id, &vhdx_region_bat);
	bool metadata = guid_equal(&disk->id, &vhdx_region_metadata);
	uint64_t offset = le64_get(disk->offset), bytes = le32_get(disk->bytes);
	char id[GUID_TEXT];
	enum status st;

	guid_print(&disk->id, id);
	if (!bat && !metadata && (le32_get(disk->required) & 1) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "its region table, entry %zu: the region {%s} is required, and unknown",
			    i, id);
	if (offset % VHDX_MIB != 0 || bytes % VHDX_MIB != 0 || bytes == 0)
		return fail(err, ST_CORRUPT,
			    "its region table, entry %zu: 0x%jx bytes at 0x%jx are not whole MiB",
			    i, bytes, offset);
	st = vhdx_part_add(v,
			   bat        ? "block allocation table (BAT)"
			   : metadata ? "metadata region"
				      : "unknown region",
			   offset, bytes, err);
	if (st == ST_OK && bat)
		st = take_known(v, &v->bat, err);
	if (st == ST_OK && metadata)
		st = take_known(v, &v->metadata, err);
	return st;
}

static enum status take_table(struct vhdx_image *v, const uint8_t *raw, struct error *err)
{
	uint32_t n = (uint32_t)bytes_from_le(raw + 8, 4);
	enum status st = add_parts(v, err);

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		struct vhdx_disk_region disk;

		memcpy(&disk, raw + sizeof(struct vhdx_disk_regions) + i * sizeof disk,
		       sizeof disk);
		st = take_region(v, i, &disk, err);
	}
	if (st != ST_OK)
		return st;
	if (v->bat.bytes == 0 || v->metadata.bytes == 0)
		return fail(err, ST_CORRUPT, "its region table does not say where the %s is",
			    v->bat.bytes == 0 ? "block allocation table (BAT)" : "metadata");
	return ST_OK;
}

enum status vhdx_regions_read(struct vhdx_image *v, struct error *err)
{
	static const uint64_t at[2] = { VHDX_REGIONS_AT_1, VHDX_REGIONS_AT_2 };
	uint8_t *raw = mem_alloc(2 * (size_t)VHDX_TABLE_BYTES);
	struct error why[2];
	enum status st = ST_OK;

	if (raw == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; st == ST_OK && i < 2; i++) {
		uint8_t *table = raw + i * VHDX_TABLE_BYTES;

		st = blk_read_padded(v->file, at[i], table, VHDX_TABLE_BYTES);
		if (st == ST_OK)
			v->bad_regions[i] = !is_table(table, &why[i]);
		else
			error_set(err, "reading its region tables: %s", status_text(st));
	}
	if (st == ST_OK && v->bad_regions[0] && v->bad_regions[1])
		st = fail(err, ST_CORRUPT,
			  "neither of its region tables is valid: that at 0x%x %s, that at 0x%x %s",
			  VHDX_REGIONS_AT_1, why[0].text, VHDX_REGIONS_AT_2, why[1].text);
	if (st == ST_OK) {
		v->regions_differ = !v->bad_regions[0] && !v->bad_regions[1] &&
				    memcmp(raw, raw + VHDX_TABLE_BYTES, VHDX_TABLE_BYTES) != 0;
		st = take_table(v, raw + (v->bad_regions[0] ? VHDX_TABLE_BYTES : 0), err);
	}
	mem_free(raw);
	return st;
}
