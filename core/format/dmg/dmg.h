/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "format/chunk_cache.h"
#include "format/image.h"

/* What the files of this folder share; dmg.c has the layout. */

enum {
	DMG_SECTOR = 512,
	DMG_DESCRIPTION_MAX =
		16 << 20, /* bytes of the property list or resource fork, as in QEMU */
	DMG_CRC32 = 2,    /* the kind of a checksum */
};

enum dmg_type {
	DMG_ZERO = 0,
	DMG_RAW = 1,
	DMG_IGNORE = 2, /* free space: zeros */
	DMG_COMMENT = 0x7ffffffe,
};

/* Types above 2^31 do not fit into an enum. */
#define DMG_ADC   UINT32_C(0x80000004)
#define DMG_ZLIB  UINT32_C(0x80000005)
#define DMG_BZIP2 UINT32_C(0x80000006)
#define DMG_LZFSE UINT32_C(0x80000007)
#define DMG_LZMA  UINT32_C(0x80000008)
#define DMG_END   UINT32_C(0xffffffff)

/* A checksum as the trailer and the tables of chunks have it. */
struct dmg_checksum {
	be32 type;
	be32 bits;
	be32 value[32]; /* of CRC-32: the first */
};
_Static_assert(sizeof(struct dmg_checksum) == 136, "");

/* A run of sectors of the disk. */
struct dmg_chunk {
	uint64_t sector, n_sectors; /* n_sectors > 0 */
	uint64_t offset, n_bytes;   /* in the file */
	uint32_t type;
	uint32_t table; /* index of the table that it is from */
};

/* A table of chunks: of one partition, or of the space between two. */
struct dmg_table {
	uint64_t sector, n_sectors;
	uint32_t checksum_type, checksum; /* of the contents of its chunks */
};

struct dmg {
	struct image image;
	uint64_t data_offset, data_bytes; /* the data fork: all that is stored for chunks */
	uint32_t data_checksum_type, data_checksum;
	uint32_t checksum_type, checksum; /* of the checksums of all tables */
	struct dmg_chunk *chunk;          /* in ascending order; no gap, no overlap */
	size_t n_chunks;
	struct dmg_table *table; /* in the order of the file */
	size_t n_tables;
	uint32_t unsupported;       /* the type of a chunk that cannot be read; 0: none */
	struct codec *zlib, *bzip2; /* NULL: none is needed, or not yet */
	struct chunk_cache cache;
	size_t recent; /* the chunk that was read last */
};

static inline struct blk *dmg_file(const struct dmg *dmg)
{
	return dmg->image.file[0].blk;
}

/*
 * Reads all tables of chunks: of the property list or of the resource fork at [offset, offset +
 * bytes) of the file. Fills chunk and table.
 */
enum status dmg_read_list(struct dmg *, uint64_t offset, uint64_t bytes, struct error *);
enum status dmg_read_resources(struct dmg *, uint64_t offset, uint64_t bytes, struct error *);

/* Takes one table ("mish") of `n` bytes. */
enum status dmg_add_table(struct dmg *, const uint8_t *bytes, size_t n, struct error *);

/* Sorts the chunks. ST_CORRUPT: they are not all of the disk, each sector once. */
enum status dmg_sort_chunks(struct dmg *, struct error *);

/* Opens the codecs that the chunks need. ST_NO_MEMORY. */
enum status dmg_open_codecs(struct dmg *);

/* Whether a chunk can be read: its type is known. */
bool dmg_is_known(const struct dmg_chunk *);
bool dmg_is_zero(const struct dmg_chunk *);
bool dmg_is_packed(const struct dmg_chunk *);

/* "LZFSE", for messages; NULL: an unknown type. */
const char *dmg_type_text(uint32_t type);

/* Reads `n` > 0 bytes at `skip` of a chunk that is known. */
enum status dmg_read_chunk(struct dmg *, size_t index, uint64_t skip, void *buf, size_t n);

/* check_ops' check. */
enum status dmg_check(struct image *, struct out *problems, struct check_result *ret,
		      struct error *);
