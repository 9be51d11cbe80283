/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and checks the headers of extents with grains, whatever kind they are.
 *
 * An offset that a header has is in sectors and untrusted: each is checked against the length of
 * the file before it is used, so that the directory, the one allocation whose size an image
 * determines, is never longer than the file itself. A stream (streamOptimized) is written in one
 * pass and cannot know where its directory will be: its header says "at the end", and the footer, a
 * second header in the last but one sector of the file, has the place.
 */
#include "format/vmdk/header.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"

enum {
	COMPRESSION_NONE = 0,
	COMPRESSION_DEFLATE = 1,
	COWD_TABLE_ENTRIES = 4096,
	SE_ENTRY_BYTES = 8,
	SE_TABLE_ENTRIES = 4096,
};

#define SE_MAGIC   UINT64_C(0xcafebabe)
#define SE_VERSION UINT64_C(0x200000001)

static const uint8_t newlines[4] = { '\n', ' ', '\r', '\n' };

bool vmdk_is_sparse(const uint8_t head[static 4])
{
	return memcmp(head, "KDMV", 4) == 0;
}

bool vmdk_is_cowd(const uint8_t head[static 4])
{
	return memcmp(head, "COWD", 4) == 0;
}

bool vmdk_is_se_sparse(const uint8_t head[static 8])
{
	return bytes_from_le(head, 8) == SE_MAGIC;
}

/* A place in sectors, to bytes of a file of `limit` bytes that has `len` bytes there. */
static enum status take_place(uint64_t sector, uint64_t len, uint64_t limit, const char *what,
			      uint64_t *ret, struct error *err)
{
	if (!mul_ok(sector, VMDK_SECTOR, ret) || !range_ok(*ret, len, limit))
		return fail(err, ST_CORRUPT,
			    "the %s of %ju bytes at sector %ju ends past the end of the file (%ju "
			    "bytes): it is truncated, or damaged",
			    what, len, sector, limit);
	return ST_OK;
}

/* Capacity, grain and tables, which decide everything else. */
static enum status take_geometry(uint64_t capacity_sectors, uint64_t grain_sectors,
				 uint64_t table_entries, uint32_t entry_bytes,
				 struct vmdk_sparse *ret, struct error *err)
{
	if (capacity_sectors > SIZE_LIMIT / VMDK_SECTOR)
		return fail(err, ST_CORRUPT, "its header: a capacity of %ju sectors is impossible",
			    capacity_sectors);
	if (!is_power_of_two(grain_sectors) || grain_sectors > VMDK_GRAIN_SECTORS_MAX)
		return fail(err, ST_CORRUPT,
			    "its header: a grain of %ju sectors is not a power of two up to %d",
			    grain_sectors, VMDK_GRAIN_SECTORS_MAX);
	if (table_entries == 0 || table_entries > VMDK_TABLE_ENTRIES_MAX)
		return fail(err, ST_CORRUPT,
			    "its header: %ju entries in a grain table are not 1 to %d",
			    table_entries, VMDK_TABLE_ENTRIES_MAX);
	ret->capacity = capacity_sectors * VMDK_SECTOR;
	ret->grain_bytes = (uint32_t)grain_sectors * VMDK_SECTOR;
	ret->table_entries = (uint32_t)table_entries;
	ret->table_bytes = ret->table_entries * entry_bytes;
	ret->n_tables = div_up(ret->capacity, (uint64_t)ret->grain_bytes * table_entries);
	if (ret->n_tables > VMDK_DIRECTORY_MAX)
		return fail(err, ST_CORRUPT,
			    "its header: a grain directory of %ju entries is more than there can "
			    "be (%d)",
			    ret->n_tables, VMDK_DIRECTORY_MAX);
	return ST_OK;
}

/* ---- hosted sparse extents ---- */

static enum status check_newlines(const struct vmdk_disk_header *header, struct error *err)
{
	if ((le32_get(header->flags) & VMDK_FLAG_NEWLINE_TEST) == 0 ||
	    memcmp(header->newlines, newlines, sizeof newlines) == 0)
		return ST_OK;
	return fail(err, ST_CORRUPT,
		    "its header: the bytes that tell ends of lines are %02x %02x %02x %02x: it was "
		    "damaged by a transfer as text; transfer it again in binary mode",
		    header->newlines[0], header->newlines[1], header->newlines[2],
		    header->newlines[3]);
}

static enum status check_features(const struct vmdk_disk_header *header, struct error *err)
{
	uint32_t version = le32_get(header->version), flags = le32_get(header->flags),
		 compression = le16_get(header->compression);
	bool compressed = (flags & VMDK_FLAG_COMPRESSED) != 0;

	if (!vmdk_is_sparse(header->magic))
		return fail(err, ST_CORRUPT, "it does not begin as a sparse extent of VMDK does");
	if (version < 1 || version > 3)
		return fail(err, ST_UNSUPPORTED,
			    "its header: version %u is not known (only 1, 2 and 3)", version);
	if ((flags & ~(uint32_t)VMDK_FLAGS) != 0)
		return fail(err, ST_UNSUPPORTED, "its header: the flags 0x%x are not known",
			    flags & ~(uint32_t)VMDK_FLAGS);
	if (compression > COMPRESSION_DEFLATE)
		return fail(err, ST_UNSUPPORTED, "its header: compression %u is not known",
			    compression);
	if (compressed != (compression == COMPRESSION_DEFLATE))
		return fail(err, ST_CORRUPT,
			    "its header: compression is %u, but the flags 0x%x say otherwise",
			    compression, flags);
	return check_newlines(header, err);
}

/* The second header, in the last but one sector. */
static enum status read_footer(struct blk *file, struct vmdk_disk_header *ret, struct error *err)
{
	enum status st;

	if (file->size < UINT64_C(3) * VMDK_SECTOR || file->size % VMDK_SECTOR != 0)
		return fail(err, ST_CORRUPT,
			    "its footer is missing: the file of %ju bytes is truncated",
			    file->size);
	st = blk_read(file, file->size - UINT64_C(2) * VMDK_SECTOR, ret, sizeof *ret);
	if (st != ST_OK)
		return fail(err, st, "reading its footer: %s", status_text(st));
	if (!vmdk_is_sparse(ret->magic))
		return fail(err, ST_CORRUPT,
			    "its footer is missing at offset %ju: the file is truncated, or "
			    "something was appended to it",
			    file->size - UINT64_C(2) * VMDK_SECTOR);
	if (le64_get(ret->gd_sector) == VMDK_GD_AT_END)
		return fail(err, ST_CORRUPT,
			    "its footer does not say where the grain directory is");
	return check_features(ret, err);
}

static enum status take_places(struct blk *file, const struct vmdk_disk_header *header,
			       struct vmdk_sparse *ret, struct error *err)
{
	uint64_t bytes = ret->n_tables * 4, sectors = le64_get(header->descriptor_sectors);
	enum status st = take_place(le64_get(header->gd_sector), bytes, file->size,
				    "grain directory", &ret->directory, err);

	if (st == ST_OK && (ret->flags & VMDK_FLAG_REDUNDANT) != 0 && !ret->directory_at_end)
		st = take_place(le64_get(header->redundant_gd_sector), bytes, file->size,
				"redundant grain directory", &ret->redundant_directory, err);
	if (st == ST_OK)
		st = take_place(le64_get(header->overhead_sectors), 0, file->size,
				"metadata before the first grain", &ret->overhead, err);
	if (st != ST_OK || le64_get(header->descriptor_sector) == 0 || sectors == 0)
		return st;
	if (sectors > VMDK_DESCRIPTOR_BYTES_MAX / VMDK_SECTOR)
		return fail(err, ST_CORRUPT, "its header: a descriptor of %ju sectors is too long",
			    sectors);
	ret->descriptor_bytes = sectors * VMDK_SECTOR;
	return take_place(le64_get(header->descriptor_sector), ret->descriptor_bytes, file->size,
			  "descriptor", &ret->descriptor, err);
}

static enum status read_sparse(struct blk *file, struct vmdk_disk_header *header,
			       struct vmdk_sparse *ret, struct error *err)
{
	enum status st = check_features(header, err);

	if (st != ST_OK)
		return st;
	ret->version = le32_get(header->version);
	ret->flags = le32_get(header->flags);
	ret->compressed = (ret->flags & VMDK_FLAG_COMPRESSED) != 0;
	ret->unclean = header->unclean != 0;
	ret->directory_at_end = le64_get(header->gd_sector) == VMDK_GD_AT_END;
	if (ret->directory_at_end) {
		uint64_t capacity = le64_get(header->capacity_sectors);

		st = read_footer(file, header, err);
		if (st == ST_OK && le64_get(header->capacity_sectors) != capacity)
			st = fail(err, ST_CORRUPT,
				  "its footer: a capacity of %ju sectors, but that of the header "
				  "is %ju",
				  le64_get(header->capacity_sectors), capacity);
	}
	if (st == ST_OK)
		st = take_geometry(le64_get(header->capacity_sectors),
				   le64_get(header->grain_sectors), le32_get(header->table_entries),
				   4, ret, err);
	if (st == ST_OK && ret->compressed && ret->grain_bytes > VMDK_PACKED_GRAIN_MAX)
		st = fail(err, ST_UNSUPPORTED,
			  "its header: compressed grains of %u bytes are larger than efi-img reads "
			  "(%d)",
			  ret->grain_bytes, VMDK_PACKED_GRAIN_MAX);
	return st == ST_OK ? take_places(file, header, ret, err) : st;
}

/* ---- extents of ESX ---- */

static enum status read_cowd(struct blk *file, const uint8_t head[static VMDK_SECTOR],
			     struct vmdk_sparse *ret, struct error *err)
{
	uint64_t version = bytes_from_le(head + 4, 4), flags = bytes_from_le(head + 8, 4);
	enum status st;

	if (version != 1)
		return fail(err, ST_UNSUPPORTED, "its header: version %ju is not known (only 1)",
			    version);
	if (flags != 3)
		return fail(err, ST_UNSUPPORTED, "its header: the flags 0x%jx are not known",
			    flags);
	ret->version = 1;
	st = take_geometry(bytes_from_le(head + 12, 4), bytes_from_le(head + 16, 4),
			   COWD_TABLE_ENTRIES, 4, ret, err);
	if (st != ST_OK)
		return st;
	if (bytes_from_le(head + 24, 4) < ret->n_tables)
		return fail(err, ST_CORRUPT,
			    "its header: a grain directory of %ju entries is too short for %ju "
			    "bytes",
			    bytes_from_le(head + 24, 4), ret->capacity);
	return take_place(bytes_from_le(head + 20, 4), ret->n_tables * 4, file->size,
			  "grain directory", &ret->directory, err);
}

/* The second header of seSparse says whether the journal must be replayed. */
static enum status check_volatile(struct blk *file, uint64_t sector, struct error *err)
{
	uint8_t head[VMDK_SECTOR];
	uint64_t at;
	enum status st = take_place(sector, sizeof head, file->size, "volatile header", &at, err);

	if (st != ST_OK)
		return st;
	st = blk_read(file, at, head, sizeof head);
	if (st != ST_OK)
		return fail(err, st, "reading its volatile header: %s", status_text(st));
	if (bytes_from_le(head, 8) != UINT64_C(0xcafecafe))
		return fail(err, ST_CORRUPT, "its volatile header is none");
	if (bytes_from_le(head + 24, 8) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "its journal must be replayed, which only the program that wrote it "
			    "can do: close the disk cleanly there");
	return ST_OK;
}

static enum status read_se_sparse(struct blk *file, const uint8_t head[static VMDK_SECTOR],
				  struct vmdk_sparse *ret, struct error *err)
{
	uint64_t version = bytes_from_le(head + 8, 8), table_sectors = bytes_from_le(head + 32, 8),
		 flags = bytes_from_le(head + 40, 8), grain_sectors = bytes_from_le(head + 24, 8);
	uint64_t directory_bytes, grains_bytes;
	enum status st;

	if (version != SE_VERSION)
		return fail(err, ST_UNSUPPORTED, "its header: version 0x%jx is not known", version);
	if (flags != 0)
		return fail(err, ST_UNSUPPORTED, "its header: the flags 0x%jx are not known",
			    flags);
	if (grain_sectors != 8 || table_sectors != 64)
		return fail(err, ST_UNSUPPORTED,
			    "its header: grains of %ju sectors and grain tables of %ju are not "
			    "known (only 8 and 64)",
			    grain_sectors, table_sectors);
	ret->version = 1;
	st = take_geometry(bytes_from_le(head + 16, 8), grain_sectors, SE_TABLE_ENTRIES,
			   SE_ENTRY_BYTES, ret, err);
	if (st != ST_OK)
		return st;
	directory_bytes = ret->n_tables * SE_ENTRY_BYTES;
	if (!mul_ok(bytes_from_le(head + 136, 8), VMDK_SECTOR, &grains_bytes) ||
	    grains_bytes < directory_bytes)
		return fail(err, ST_CORRUPT,
			    "its header: a grain directory of %ju sectors is too short for %ju "
			    "bytes",
			    bytes_from_le(head + 136, 8), ret->capacity);
	st = take_place(bytes_from_le(head + 128, 8), directory_bytes, file->size,
			"grain directory", &ret->directory, err);
	if (st == ST_OK)
		st = take_place(bytes_from_le(head + 144, 8), 0, file->size, "grain tables",
				&ret->tables, err);
	if (st == ST_OK)
		st = take_place(bytes_from_le(head + 192, 8), 0, file->size, "grains", &ret->grains,
				err);
	return st == ST_OK ? check_volatile(file, bytes_from_le(head + 80, 8), err) : st;
}

enum status vmdk_header_read(struct blk *file, struct vmdk_sparse *ret, struct error *err)
{
	union {
		struct vmdk_disk_header header;
		uint8_t bytes[VMDK_SECTOR];
	} head;
	enum status st = blk_read_padded(file, 0, &head, sizeof head);

	*ret = (struct vmdk_sparse){ 0 };
	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (vmdk_is_cowd(head.bytes))
		return read_cowd(file, head.bytes, ret, err);
	if (vmdk_is_se_sparse(head.bytes))
		return read_se_sparse(file, head.bytes, ret, err);
	return read_sparse(file, &head.header, ret, err);
}

void vmdk_header_make(const struct vmdk_sparse *sparse, struct vmdk_disk_header *ret)
{
	*ret = (struct vmdk_disk_header){
		.magic = { 'K', 'D', 'M', 'V' },
		.version = le32_of(sparse->version),
		.flags = le32_of(sparse->flags),
		.capacity_sectors = le64_of(sparse->capacity / VMDK_SECTOR),
		.grain_sectors = le64_of(sparse->grain_bytes / VMDK_SECTOR),
		.descriptor_sector = le64_of(sparse->descriptor / VMDK_SECTOR),
		.descriptor_sectors = le64_of(sparse->descriptor_bytes / VMDK_SECTOR),
		.table_entries = le32_of(sparse->table_entries),
		.redundant_gd_sector = le64_of(sparse->redundant_directory / VMDK_SECTOR),
		.gd_sector = le64_of(sparse->directory_at_end ? VMDK_GD_AT_END
							      : sparse->directory / VMDK_SECTOR),
		.overhead_sectors = le64_of(sparse->overhead / VMDK_SECTOR),
		.compression.b[0] = sparse->compressed ? COMPRESSION_DEFLATE : COMPRESSION_NONE,
	};
	memcpy(ret->newlines, newlines, sizeof newlines);
}
