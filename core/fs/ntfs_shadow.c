/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether an NTFS has shadow copies: restore points, "previous versions" (libvshadow's description
 * of the format; there is no public specification).
 *
 * A shadow copy is made of blocks that are copied when they are overwritten, and of all others as
 * they are on the volume. If a file is deleted, nothing is overwritten: its clusters are free in
 * $Bitmap, and the shadow copy still reads them. So a volume with shadow copies has no free
 * clusters that may be left out.
 *
 * The boot file has the place of a catalog, a chain of blocks with entries of 128 bytes. Entries of
 * the types 0 and 1 are empty; any other one belongs to a shadow copy. If shadow copies are stored
 * on another volume, the catalog is there, and it is not known whether it is empty.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/ntfs.h"

enum {
	HEADER_AT = 0x1e00, /* from the start of the volume */
	HEADER_BYTES = 512,
	BLOCK_BYTES = 16384,
	BLOCKS_MAX = 64, /* a volume has at most 512 shadow copies, of 2 entries each */
	ENTRY_BYTES = 128,
	VOLUME_AT = 64, /* in the header: which volume this is, and where its copies are stored */
	STORAGE_AT = 80,
	ID_BYTES = 16,
	RECORD_HEADER = 1,
	RECORD_CATALOG = 2,
	TYPE_UNUSED = 1,
};

static const uint8_t identifier[16] = { 0x6b, 0x87, 0x08, 0x38, 0x76, 0xc1, 0x48, 0x4e,
					0xb7, 0xae, 0x04, 0x04, 0x6e, 0x6c, 0xc7, 0x52 };

static uint64_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return bytes_from_le(bytes + offset, n);
}

/* Whether a block of the catalog is one, and all of its entries are empty. */
static bool is_empty(const uint8_t *block, uint64_t at)
{
	if (memcmp(block, identifier, sizeof identifier) != 0 ||
	    get(block, 20, 4) != RECORD_CATALOG || get(block, 32, 8) != at)
		return false;
	for (size_t i = ENTRY_BYTES; i < BLOCK_BYTES; i += ENTRY_BYTES)
		if (get(block, i, 8) > TYPE_UNUSED)
			return false;
	return true;
}

enum status ntfs_look_shadows(struct blk *blk, bool *ret)
{
	uint8_t *block = io_alloc(BLOCK_BYTES);
	uint64_t at = 0;
	enum status st = block == NULL ? ST_NO_MEMORY : ST_OK;

	*ret = false;
	if (st == ST_OK)
		st = blk_read_padded(blk, HEADER_AT, block, HEADER_BYTES);
	if (st == ST_OK && memcmp(block, identifier, sizeof identifier) == 0) {
		*ret = get(block, 20, 4) != RECORD_HEADER ||
		       memcmp(block + VOLUME_AT, block + STORAGE_AT, ID_BYTES) != 0;
		at = get(block, 48, 8);
	}
	for (unsigned n = 0; st == ST_OK && !*ret && at != 0; n++) {
		*ret = n == BLOCKS_MAX || !range_ok(at, BLOCK_BYTES, blk->size);
		if (*ret)
			break;
		st = blk_read(blk, at, block, BLOCK_BYTES);
		*ret = st == ST_OK && !is_empty(block, at);
		at = get(block, 40, 8);
	}
	io_free(block, BLOCK_BYTES);
	return st;
}
