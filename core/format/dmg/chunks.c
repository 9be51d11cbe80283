/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tables of chunks of a dmg image: what they may say, and in which order they are kept.
 *
 * Everything is checked when the image is opened, so that reading needs no check: each chunk lies
 * in the file, and the chunks of all tables, sorted, follow each other from the first sector of the
 * disk to the last. A table that is missing leaves a gap, and a disk that would read as zeros there
 * is refused instead.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/dmg/dmg.h"

enum { TABLE_VERSION = 1, CHUNKS_AT = 204, CHUNK_ENTRY_BYTES = 40 };

struct table_header {
	uint8_t magic[4]; /* "mish" */
	be32 version;
	be64 sector, n_sectors;
	be64 data_offset;
	be32 buffers, id;
	uint8_t reserved[24];
	struct dmg_checksum checksum;
	be32 n_chunks;
};
_Static_assert(sizeof(struct table_header) == CHUNKS_AT, "");
_Static_assert(offsetof(struct table_header, checksum) == 64, "");

struct chunk_entry {
	be32 type, comment;
	be64 sector, n_sectors; /* from the table's first sector on */
	be64 offset, n_bytes;
};
_Static_assert(sizeof(struct chunk_entry) == CHUNK_ENTRY_BYTES, "");

bool dmg_is_zero(const struct dmg_chunk *chunk)
{
	return chunk->type == DMG_ZERO || chunk->type == DMG_IGNORE;
}

bool dmg_is_packed(const struct dmg_chunk *chunk)
{
	return chunk->type == DMG_ZLIB || chunk->type == DMG_BZIP2;
}

bool dmg_is_known(const struct dmg_chunk *chunk)
{
	return dmg_is_zero(chunk) || chunk->type == DMG_RAW || dmg_is_packed(chunk);
}

const char *dmg_type_text(uint32_t type)
{
	switch (type) {
	case DMG_ADC:
		return "ADC";
	case DMG_LZFSE:
		return "LZFSE";
	case DMG_LZMA:
		return "LZMA";
	default:
		return NULL;
	}
}

/* Makes room for one more of an array that doubles: `n` of `bytes` each. */
static bool grow(void **array, size_t n, size_t bytes)
{
	void *more;

	if (n != 0 && !is_power_of_two(n))
		return true;
	more = mem_alloc(2 * (n + 1) * bytes);
	if (more == NULL)
		return false;
	if (n > 0)
		memcpy(more, *array, n * bytes);
	mem_free(*array);
	*array = more;
	return true;
}

/* Whether the bytes of a chunk can be what is stored for it. */
static enum status check_chunk(const struct dmg *dmg, const struct dmg_chunk *chunk, uint32_t index,
			       struct error *err)
{
	uint64_t file_bytes = dmg_file(dmg)->size, bytes = chunk->n_sectors * DMG_SECTOR;

	if (dmg_is_zero(chunk))
		return ST_OK;
	if (!range_ok(chunk->offset, chunk->n_bytes, file_bytes))
		return fail(err, ST_CORRUPT,
			    "chunk %u of table %u (offset %ju, %ju bytes) ends past the end of the "
			    "file (size %ju)",
			    index, chunk->table, chunk->offset, chunk->n_bytes, file_bytes);
	if (chunk->type == DMG_RAW && chunk->n_bytes != bytes)
		return fail(err, ST_CORRUPT, "chunk %u of table %u has %ju bytes for %ju sectors",
			    index, chunk->table, chunk->n_bytes, chunk->n_sectors);
	if (dmg_is_packed(chunk) &&
	    (bytes > CHUNK_BYTES_MAX || chunk->n_bytes == 0 || chunk->n_bytes > 2 * bytes))
		return fail(err, ST_CORRUPT,
			    "chunk %u of table %u has %ju compressed bytes for %ju sectors, which "
			    "cannot be",
			    index, chunk->table, chunk->n_bytes, chunk->n_sectors);
	return ST_OK;
}

/* Takes one entry of a table whose chunks' offsets count from `base`. */
static enum status add_chunk(struct dmg *dmg, const struct dmg_table *table,
			     const struct chunk_entry *entry, uint32_t index, uint64_t base,
			     struct error *err)
{
	struct dmg_chunk chunk = { .type = be32_get(entry->type),
				   .table = (uint32_t)dmg->n_tables,
				   .n_sectors = be64_get(entry->n_sectors),
				   .n_bytes = be64_get(entry->n_bytes) };
	uint64_t sector = be64_get(entry->sector), disk = dmg->image.size / DMG_SECTOR;
	void *array = dmg->chunk;
	enum status st;

	if (chunk.n_sectors == 0)
		return ST_OK;
	if (!add_ok(table->sector, sector, &chunk.sector) ||
	    !range_ok(chunk.sector, chunk.n_sectors, disk))
		return fail(err, ST_CORRUPT,
			    "chunk %u of table %u (sector %ju of the table's, %ju sectors) ends "
			    "past the end of the disk (%ju sectors)",
			    index, chunk.table, sector, chunk.n_sectors, disk);
	if (!add_ok(base, be64_get(entry->offset), &chunk.offset))
		chunk.offset = UINT64_MAX;
	st = check_chunk(dmg, &chunk, index, err);
	if (st != ST_OK)
		return st;
	if (!grow(&array, dmg->n_chunks, sizeof chunk))
		return fail_no_memory(err);
	dmg->chunk = array;
	dmg->chunk[dmg->n_chunks++] = chunk;
	if (!dmg_is_known(&chunk))
		dmg->unsupported = chunk.type;
	return ST_OK;
}

static enum status check_header(const struct dmg *dmg, const struct table_header *header, size_t n,
				struct error *err)
{
	size_t number = dmg->n_tables;

	if (n < sizeof *header || memcmp(header->magic, "mish", 4) != 0)
		return fail(err, ST_CORRUPT, "table %zu of chunks does not begin with \"mish\"",
			    number);
	if (be32_get(header->version) != TABLE_VERSION)
		return fail(err, ST_UNSUPPORTED, "table %zu of chunks has the unknown version %u",
			    number, be32_get(header->version));
	if (be32_get(header->n_chunks) > (n - sizeof *header) / CHUNK_ENTRY_BYTES)
		return fail(err, ST_CORRUPT,
			    "table %zu says that it has %u chunks, and its %zu bytes have no room "
			    "for them",
			    number, be32_get(header->n_chunks), n);
	return ST_OK;
}

enum status dmg_add_table(struct dmg *dmg, const uint8_t *bytes, size_t n, struct error *err)
{
	const struct table_header *header = (const struct table_header *)bytes;
	const struct chunk_entry *entry = (const struct chunk_entry *)(bytes + CHUNKS_AT);
	struct dmg_table table;
	uint64_t base;
	void *array = dmg->table;
	enum status st = check_header(dmg, header, n, err);

	if (st != ST_OK)
		return st;
	table = (struct dmg_table){ .sector = be64_get(header->sector),
				    .n_sectors = be64_get(header->n_sectors),
				    .checksum_type = be32_get(header->checksum.type),
				    .checksum = be32_get(header->checksum.value[0]) };
	if (!add_ok(dmg->data_offset, be64_get(header->data_offset), &base))
		return fail(err, ST_CORRUPT,
			    "table %zu has its data at offset %ju, which cannot be", dmg->n_tables,
			    be64_get(header->data_offset));
	for (uint32_t i = 0; st == ST_OK && i < be32_get(header->n_chunks); i++) {
		uint32_t type = be32_get(entry[i].type);

		if (type == DMG_END)
			break;
		if (type != DMG_COMMENT)
			st = add_chunk(dmg, &table, &entry[i], i, base, err);
	}
	if (st != ST_OK)
		return st;
	if (!grow(&array, dmg->n_tables, sizeof table))
		return fail_no_memory(err);
	dmg->table = array;
	dmg->table[dmg->n_tables++] = table;
	return ST_OK;
}

/* ---- sorting ---- */

static bool is_sorted(const struct dmg *dmg)
{
	for (size_t i = 1; i < dmg->n_chunks; i++)
		if (dmg->chunk[i].sector < dmg->chunk[i - 1].sector)
			return false;
	return true;
}

/* Moves the chunk at `i` down in the heap of the first `n`, whose largest sector is on top. */
static void sift(struct dmg_chunk *chunk, size_t i, size_t n)
{
	for (size_t child = 2 * i + 1; child < n; i = child, child = 2 * i + 1) {
		struct dmg_chunk swapped;

		if (child + 1 < n && chunk[child + 1].sector > chunk[child].sector)
			child++;
		if (chunk[child].sector <= chunk[i].sector)
			return;
		swapped = chunk[i];
		chunk[i] = chunk[child];
		chunk[child] = swapped;
	}
}

static void sort(struct dmg_chunk *chunk, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift(chunk, i, n);
	for (size_t end = n; end-- > 1;) {
		struct dmg_chunk largest = chunk[0];

		chunk[0] = chunk[end];
		chunk[end] = largest;
		sift(chunk, 0, end);
	}
}

enum status dmg_sort_chunks(struct dmg *dmg, struct error *err)
{
	uint64_t next = 0, disk = dmg->image.size / DMG_SECTOR;

	if (!is_sorted(dmg))
		sort(dmg->chunk, dmg->n_chunks);
	for (size_t i = 0; i < dmg->n_chunks; i++) {
		const struct dmg_chunk *chunk = &dmg->chunk[i];

		if (chunk->sector < next)
			return fail(err, ST_CORRUPT,
				    "sector %ju of the disk is in two chunks, one of them in table "
				    "%u",
				    chunk->sector, chunk->table);
		if (chunk->sector > next)
			break;
		next = chunk->sector + chunk->n_sectors;
	}
	return next == disk
		       ? ST_OK
		       : fail(err, ST_CORRUPT,
			      "sector %ju of the disk, which has %ju, is in no chunk", next, disk);
}
