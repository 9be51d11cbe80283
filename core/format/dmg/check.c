/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checking a dmg image: its tables were checked when it was opened; here its checksums are
 * compared, for which all of the image is read. CRC-32 is the kind that hdiutil writes by default;
 * others are not compared.
 *
 * The checksum of a table is that of the contents of its chunks, in the order of the disk; chunks
 * of zeros count as zeros, and free space not at all. (Found with images of hdiutil; dmg2img does
 * the same.) That of the trailer is the checksum of the tables' checksums, each of 4 bytes.
 */
#include "base/crc32.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/dmg/dmg.h"
#include "format/problems.h"
#include "platform/person.h"

enum { PIECE_BYTES = 1 << 20 };

struct check {
	struct dmg *dmg;
	struct problems problems;
	struct check_result result;
	uint8_t *piece; /* PIECE_BYTES */
};

static void compare(struct check *c, const char *what, uint64_t index, uint32_t expected,
		    uint32_t actual)
{
	if (expected == actual)
		return;
	c->result.corruptions++;
	problems_add(&c->problems, "corrupt", "%s %ju: the CRC-32 is 0x%08x, and should be 0x%08x",
		     what, index, actual, expected);
}

/* Adds `n` bytes of a chunk, or of the file if `index` is SIZE_MAX, to a checksum. */
static enum status add_bytes(struct check *c, size_t index, uint64_t offset, uint64_t n,
			     uint32_t *crc)
{
	enum status st = ST_OK;

	for (size_t some; st == ST_OK && n > 0; offset += some, n -= some) {
		some = (size_t)min_u64(n, PIECE_BYTES);
		if (platform_cancelled())
			return ST_CANCELLED;
		st = index == SIZE_MAX ? blk_read(dmg_file(c->dmg), offset, c->piece, some)
				       : dmg_read_chunk(c->dmg, index, offset, c->piece, some);
		if (st == ST_OK)
			*crc = crc32(*crc, c->piece, some);
	}
	return st;
}

/* Reads the chunk at `index`, and adds it to the checksum of its table. */
static enum status add_chunk(struct check *c, size_t index, uint32_t *crc, bool *ret_known)
{
	const struct dmg_chunk *chunk = &c->dmg->chunk[index];
	uint64_t bytes = chunk->n_sectors * DMG_SECTOR;
	enum status st;

	if (chunk->type == DMG_IGNORE)
		return ST_OK;
	if (chunk->type == DMG_ZERO) {
		*crc = crc32_zeros(*crc, bytes);
		return ST_OK;
	}
	st = dmg_is_known(chunk) ? add_bytes(c, index, 0, bytes, crc) : ST_UNSUPPORTED;
	if (st == ST_OK || st == ST_CANCELLED || st == ST_NO_MEMORY)
		return st;
	*ret_known = false;
	c->result.corruptions += st == ST_CORRUPT;
	c->result.check_errors += st != ST_CORRUPT;
	if (st == ST_CORRUPT)
		problems_add(&c->problems, "corrupt",
			     "the chunk at sector %ju (offset 0x%jx) cannot be decompressed",
			     chunk->sector, chunk->offset);
	else
		problems_add(&c->problems, "not checked", "the chunk at sector %ju: %s",
			     chunk->sector,
			     st != ST_UNSUPPORTED                 ? status_text(st)
			     : dmg_type_text(chunk->type) != NULL ? dmg_type_text(chunk->type)
								  : "an unknown type");
	return ST_OK;
}

/* Compares the checksums of all tables. The chunks of one need not follow each other. */
static enum status check_tables(struct check *c)
{
	const struct dmg *dmg = c->dmg;
	uint32_t *crc = mem_alloc(dmg->n_tables * sizeof *crc);
	bool *known = mem_alloc(dmg->n_tables * sizeof *known);
	enum status st = crc != NULL && known != NULL ? ST_OK : ST_NO_MEMORY;

	for (size_t i = 0; st == ST_OK && i < dmg->n_tables; i++)
		known[i] = dmg->table[i].checksum_type == DMG_CRC32;
	for (size_t i = 0; st == ST_OK && i < dmg->n_chunks; i++)
		st = add_chunk(c, i, &crc[dmg->chunk[i].table], &known[dmg->chunk[i].table]);
	for (size_t i = 0; st == ST_OK && i < dmg->n_tables; i++)
		if (known[i])
			compare(c, "table", i, dmg->table[i].checksum, crc[i]);
	mem_free(crc);
	mem_free(known);
	return st;
}

static void check_trailer(struct check *c)
{
	const struct dmg *dmg = c->dmg;
	uint32_t crc = 0;

	for (size_t i = 0; i < dmg->n_tables; i++) {
		be32 bytes = be32_of(dmg->table[i].checksum);

		if (dmg->table[i].checksum_type != DMG_CRC32)
			return;
		crc = crc32(crc, &bytes, sizeof bytes);
	}
	if (dmg->checksum_type == DMG_CRC32)
		compare(c, "the checksums of all tables, up to", dmg->n_tables, dmg->checksum, crc);
}

static enum status check_data(struct check *c)
{
	const struct dmg *dmg = c->dmg;
	uint32_t crc = 0;
	enum status st;

	if (dmg->data_checksum_type != DMG_CRC32)
		return ST_OK;
	st = add_bytes(c, SIZE_MAX, dmg->data_offset, dmg->data_bytes, &crc);
	if (st == ST_OK) {
		compare(c, "the data fork at", dmg->data_offset, dmg->data_checksum, crc);
	} else if (st != ST_CANCELLED && st != ST_NO_MEMORY) {
		c->result.check_errors++;
		problems_add(&c->problems, "not checked", "the data fork: %s", status_text(st));
		st = ST_OK;
	}
	return st;
}

enum status dmg_check(struct image *image, struct out *problems, struct check_result *ret,
		      struct error *err)
{
	struct check c = { .dmg = (struct dmg *)image,
			   .problems = { .out = problems },
			   .piece = mem_alloc(PIECE_BYTES) };
	enum status st = c.piece != NULL ? dmg_open_codecs(c.dmg) : ST_NO_MEMORY;

	if (st == ST_OK)
		st = check_data(&c);
	if (st == ST_OK)
		st = check_tables(&c);
	if (st == ST_OK)
		check_trailer(&c);
	mem_free(c.piece);
	*ret = c.result;
	return st == ST_OK ? ST_OK : fail(err, st, "%s", status_text(st));
}
