/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New images:
 *
 *   0        identifier, headers, region tables
 *   1 MiB    log, all zeros
 *            BAT, whole MiB
 *            metadata, 1 MiB
 *            of a fixed image: all blocks, in the order of the disk
 *
 * Sizes of blocks depend on that of the disk, as in QEMU. A fixed image has all of its blocks from
 * the start, and its BAT says so; QEMU's says that they are zeros, and gives each another place,
 * after the others, when it is written to.
 *
 * Write order: the file gets its length, which makes it zeros; then what is not zeros, from the
 * front to the end. The caller keeps back the first sector, which has the identifier, until the
 * rest is on the medium; so the log is not needed.
 */
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"
#include "base/version.h"
#include "format/new_guid.h"
#include "format/vhdx/image.h"
#include "platform/person.h"

static const char *const subformats[] = { "dynamic", "fixed", NULL };
enum { DYNAMIC, FIXED };

/* In the order in which qemu-img lists them when it says what it formats. */
const struct create_option vhdx_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk, at most 64T" },
	{ .name = "log_size",
	  .type = OPTION_SIZE,
	  .default_text = "1048576",
	  .help = "size of the log: whole MiB, less than 4G" },
	{ .name = "block_size",
	  .type = OPTION_SIZE,
	  .default_text = "0",
	  .help = "size of a block: a power of two, 1M to 256M; 0: by the size of the disk" },
	{ .name = "subformat",
	  .type = OPTION_CHOICE,
	  .choices = subformats,
	  .help = "dynamic (grows with its contents) or fixed (all blocks from the start)" },
	{ .name = "block_state_zero",
	  .type = OPTION_BOOL,
	  .help = "new blocks are zeros (default), not undefined" },
	{ 0 },
};

/* Where everything goes. Sizes of the options are rounded up to MiB, as in QEMU. */
struct layout {
	uint64_t n_blocks, chunk_blocks, n_entries;
	uint64_t bat_at, bat_bytes, metadata_at, blocks_at;
	uint32_t log_bytes, block_bytes;
	bool fixed, zero;
};

enum { PARAMETERS_AT = VHDX_TABLE_BYTES, SECTOR_BYTES = 512, PIECE_BYTES = 1 << 20 };

static uint64_t block_bytes_for(uint64_t disk_bytes)
{
	const uint64_t gib = UINT64_C(1) << 30;

	if (disk_bytes > 32768 * gib)
		return 64 << 20;
	if (disk_bytes > 100 * gib)
		return 32 << 20;
	return disk_bytes > gib ? 16 << 20 : 8 << 20;
}

static enum status take_sizes(const struct create_request *request, struct layout *l,
			      struct error *err)
{
	uint64_t block = create_value(request->options, "block_size")->number;
	uint64_t log = create_value(request->options, "log_size")->number;

	if (request->size > VHDX_SIZE_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is larger than a VHDX image can have (64 TiB)",
			    request->size);
	if (log == 0 || log > UINT32_MAX - VHDX_MIB + 1)
		return fail(err, ST_INVALID,
			    "option log_size: %ju bytes are not between 1 MiB and 4095 MiB", log);
	if (block == 0)
		block = block_bytes_for(request->size);
	block = min_u64(round_up(min_u64(block, VHDX_BLOCK_MAX), VHDX_MIB), VHDX_BLOCK_MAX);
	if (!is_power_of_two(block))
		return fail(err, ST_INVALID, "option block_size: %ju is not a power of two", block);
	log = round_up(log, VHDX_MIB);
	l->log_bytes = (uint32_t)log;
	l->block_bytes = (uint32_t)block;
	return ST_OK;
}

static enum status lay_out(const struct create_request *request, struct layout *ret,
			   struct error *err)
{
	const struct create_value *zero = create_value(request->options, "block_state_zero");
	struct layout l = { .zero = zero->text == NULL || zero->on };
	enum status st = take_sizes(request, &l, err);

	if (st != ST_OK)
		return st;
	l.fixed = create_value(request->options, "subformat")->number == FIXED;
	l.n_blocks = div_up(request->size, l.block_bytes);
	l.chunk_blocks = (uint64_t)VHDX_CHUNK_SECTORS * SECTOR_BYTES / l.block_bytes;
	l.n_entries = vhdx_entries(l.n_blocks, l.chunk_blocks, false);
	l.bat_at = (uint64_t)VHDX_MIB + l.log_bytes;
	l.bat_bytes = max_u64(round_up(l.n_entries * 8, VHDX_MIB), VHDX_MIB);
	l.metadata_at = l.bat_at + l.bat_bytes;
	l.blocks_at = l.metadata_at + VHDX_MIB;
	*ret = l;
	return ST_OK;
}

enum status vhdx_plan(const struct create_request *request, struct create_plan *ret,
		      struct error *err)
{
	struct layout l;
	enum status st = lay_out(request, &l, err);
	uint64_t data;

	if (st != ST_OK)
		return st;
	data = l.fixed ? l.n_blocks * l.block_bytes : 0;
	return create_plan_add(ret, request->file_name, l.blocks_at + data,
			       l.fixed ? PREALLOC_FALLOC : PREALLOC_OFF, err);
}

enum status vhdx_measure(const struct create_request *request, const struct image *source,
			 struct image_measure *ret, struct error *err)
{
	struct layout l;
	enum status st = lay_out(request, &l, err);

	(void)source;
	if (st != ST_OK)
		return st;
	*ret = (struct image_measure){ .full_bytes = l.blocks_at + l.n_blocks * l.block_bytes,
				       .data_bytes = l.n_blocks * l.block_bytes,
				       .block_bytes = l.fixed ? 0 : l.block_bytes };
	return ST_OK;
}

/* ---- writing ---- */

static void put_identifier(uint8_t *ret)
{
	char creator[128];
	uint16_t units[sizeof creator];
	static const uint8_t signature[8] = { 'v', 'h', 'd', 'x', 'f', 'i', 'l', 'e' };
	struct out_buffer out;

	out_buffer_init(&out, creator, sizeof creator);
	out_printf(&out.out, "efi-img %s", program_version);
	memcpy(ret, signature, sizeof signature);
	utf16_from_utf8(units, creator, out.length);
	for (size_t i = 0; units[i] != 0; i++)
		bytes_to_le(ret + VHDX_IDENTIFIER_CREATOR + 2 * i, 2, units[i]);
}

static void put_headers(const struct create_request *request, const struct layout *l, uint8_t *ret)
{
	struct vhdx_header header = { .version = 1,
				      .log_bytes = l->log_bytes,
				      .log_offset = VHDX_MIB };

	new_guid(request->file_name, 0, &header.file_write);
	new_guid(request->file_name, 1, &header.data_write);
	header.sequence = 1;
	vhdx_header_encode(&header, ret + VHDX_HEADER_AT_1);
	header.sequence = 2;
	vhdx_header_encode(&header, ret + VHDX_HEADER_AT_2);
}

static void put_regions(const struct layout *l, uint8_t *table)
{
	const struct vhdx_disk_region region[2] = {
		{ vhdx_region_bat, le64_of(l->bat_at), le32_of((uint32_t)l->bat_bytes),
		  le32_of(1) },
		{ vhdx_region_metadata, le64_of(l->metadata_at), le32_of(VHDX_MIB), le32_of(1) },
	};
	struct vhdx_disk_regions head = { .signature = { 'r', 'e', 'g', 'i' },
					  .n_entries = le32_of(2) };

	memcpy(table, &head, sizeof head);
	memcpy(table + sizeof head, region, sizeof region);
	bytes_to_le(table + 4, 4, crc32c(0, table, VHDX_TABLE_BYTES));
}

static void put_metadata(const struct create_request *request, const struct layout *l, uint8_t *ret)
{
	struct vhdx_disk_metadata head = { .signature = "metadata" };
	uint8_t values[5][16] = { 0 };
	const struct {
		const struct guid *id;
		uint32_t bytes, flags;
	} item[5] = {
		{ &vhdx_item_parameters, 8, VHDX_ITEM_REQUIRED },
		{ &vhdx_item_size, 8, VHDX_ITEM_REQUIRED | VHDX_ITEM_DISK },
		{ &vhdx_item_id, 16, VHDX_ITEM_REQUIRED | VHDX_ITEM_DISK },
		{ &vhdx_item_logical, 4, VHDX_ITEM_REQUIRED | VHDX_ITEM_DISK },
		{ &vhdx_item_physical, 4, VHDX_ITEM_REQUIRED | VHDX_ITEM_DISK },
	};
	uint32_t at = PARAMETERS_AT;
	struct guid id;

	bytes_to_le(values[0], 4, l->block_bytes);
	bytes_to_le(values[0] + 4, 4, l->fixed ? VHDX_LEAVE_ALLOCATED : 0);
	bytes_to_le(values[1], 8, request->size);
	new_guid(request->file_name, 2, &id);
	memcpy(values[2], id.b, sizeof id.b);
	bytes_to_le(values[3], 4, SECTOR_BYTES);
	bytes_to_le(values[4], 4, SECTOR_BYTES);
	bytes_to_le(head.n_entries.b, 2, 5);
	memcpy(ret, &head, sizeof head);
	for (size_t i = 0; i < 5; i++) {
		struct vhdx_disk_item disk = { .id = *item[i].id,
					       .offset = le32_of(at),
					       .bytes = le32_of(item[i].bytes),
					       .flags = le32_of(item[i].flags) };

		memcpy(ret + (i + 1) * sizeof disk, &disk, sizeof disk);
		memcpy(ret + at, values[i], item[i].bytes);
		at += item[i].bytes;
	}
}

/* What an entry of the new BAT is. */
static uint64_t new_entry(const struct layout *l, uint64_t entry)
{
	uint64_t chunk = entry / (l->chunk_blocks + 1), inside = entry % (l->chunk_blocks + 1);

	if (inside == l->chunk_blocks)
		return 0;
	if (l->fixed)
		return (l->blocks_at + (chunk * l->chunk_blocks + inside) * l->block_bytes) |
		       VHDX_PRESENT;
	return l->zero ? VHDX_ZERO : VHDX_NOT_PRESENT;
}

static enum status write_bat(struct blk *file, const struct layout *l, uint8_t *piece)
{
	enum status st = ST_OK;

	for (uint64_t n, first = 0; st == ST_OK && first < l->n_entries; first += n) {
		n = min_u64(l->n_entries - first, PIECE_BYTES / 8);
		for (uint64_t i = 0; i < n; i++)
			bytes_to_le(piece + 8 * i, 8, new_entry(l, first + i));
		st = platform_cancelled()
			     ? ST_CANCELLED
			     : blk_write(file, l->bat_at + 8 * first, piece, (size_t)n * 8);
	}
	return st;
}

/* The identifier, both headers and both region tables: what is not zeros of them. */
static enum status write_headers(const struct create_request *request, struct blk *file,
				 const struct layout *l, uint8_t *piece)
{
	static const uint64_t at[] = { 0, VHDX_HEADER_AT_1, VHDX_HEADER_AT_2, VHDX_REGIONS_AT_1,
				       VHDX_REGIONS_AT_2 };
	enum status st = ST_OK;

	memset(piece, 0, PIECE_BYTES);
	put_identifier(piece);
	put_headers(request, l, piece);
	put_regions(l, piece + VHDX_REGIONS_AT_1);
	put_regions(l, piece + VHDX_REGIONS_AT_2);
	for (size_t i = 0; st == ST_OK && i < sizeof at / sizeof *at; i++)
		st = blk_write(file, at[i], piece + at[i], VHDX_SECTOR);
	return st;
}

static enum status write_metadata(const struct create_request *request, struct blk *file,
				  const struct layout *l, uint8_t *piece)
{
	enum status st;

	memset(piece, 0, PIECE_BYTES);
	put_metadata(request, l, piece);
	st = blk_write(file, l->metadata_at, piece, VHDX_SECTOR);
	if (st == ST_OK)
		st = blk_write(file, l->metadata_at + PARAMETERS_AT, piece + PARAMETERS_AT,
			       VHDX_SECTOR);
	return st;
}

/*
 * Writes all that is not zeros into the file, which is zeros at first. `piece` has room for
 * PIECE_BYTES, which is also what the header section and the metadata take.
 */
static enum status write_all(const struct create_request *request, struct blk *file,
			     const struct layout *l, uint8_t *piece)
{
	uint64_t end = l->blocks_at + (l->fixed ? l->n_blocks * l->block_bytes : 0);
	enum status st = blk_resize(file, end, l->fixed ? PREALLOC_FALLOC : PREALLOC_OFF);

	if (st == ST_OK)
		st = write_headers(request, file, l, piece);
	if (st == ST_OK)
		st = write_bat(file, l, piece);
	return st == ST_OK ? write_metadata(request, file, l, piece) : st;
}

enum status vhdx_write_files(const struct create_request *request, struct blk *const file[],
			     struct error *err)
{
	uint8_t *piece = io_alloc(PIECE_BYTES);
	struct layout l;
	enum status st;

	if (piece == NULL)
		return fail_no_memory(err);
	st = lay_out(request, &l, err);
	if (st == ST_OK) {
		st = write_all(request, file[0], &l, piece);
		if (st != ST_OK)
			error_set(err, "writing the image: %s", status_text(st));
	}
	io_free(piece, PIECE_BYTES);
	return st;
}
