/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"
#include "blk/blk.h"

/*
 * The headers of extents with grains, as they are on the medium and as numbers that were checked.
 * VMware, "Virtual Disk Format 5.0", sections "Hosted Sparse Extents" and "ESX Server Sparse
 * Extents"; seSparse has no public specification.
 */

enum {
	VMDK_SECTOR = 512,
	VMDK_TABLE_ENTRIES = 512,      /* of a grain table that this program makes */
	VMDK_TABLE_ENTRIES_MAX = 4096, /* those of COWD and seSparse */
	VMDK_GRAIN_SECTORS = 128,      /* of images that this program makes */
	VMDK_GRAIN_SECTORS_MAX = 1 << 21,
	VMDK_PACKED_GRAIN_MAX = 2 << 20, /* bytes of a grain that is compressed */
	VMDK_DESCRIPTOR_SECTORS = 20,    /* of one inside of an extent */
	VMDK_DESCRIPTOR_BYTES_MAX = (1 << 20) - VMDK_SECTOR,
	VMDK_DIRECTORY_MAX = 32 << 20, /* entries, as in QEMU */
};

enum {
	VMDK_FLAG_NEWLINE_TEST = 1 << 0,
	VMDK_FLAG_REDUNDANT = 1 << 1,
	VMDK_FLAG_ZEROED = 1 << 2, /* a grain table entry 1 means zeros */
	VMDK_FLAG_COMPRESSED = 1 << 16,
	VMDK_FLAG_MARKERS = 1 << 17,
	VMDK_FLAGS = VMDK_FLAG_NEWLINE_TEST | VMDK_FLAG_REDUNDANT | VMDK_FLAG_ZEROED |
		     VMDK_FLAG_COMPRESSED | VMDK_FLAG_MARKERS,
};

/* in gd_sector: the directory is at the end, and the footer has the place */
#define VMDK_GD_AT_END UINT64_MAX

struct vmdk_disk_header {
	uint8_t magic[4]; /* "KDMV" */
	le32 version;
	le32 flags;
	le64 capacity_sectors;
	le64 grain_sectors;
	le64 descriptor_sector, descriptor_sectors;
	le32 table_entries;
	le64 redundant_gd_sector, gd_sector;
	le64 overhead_sectors;
	uint8_t unclean;
	uint8_t newlines[4]; /* LF, blank, CR, LF */
	le16 compression;
	uint8_t padding[433];
};

_Static_assert(sizeof(struct vmdk_disk_header) == VMDK_SECTOR, "");
_Static_assert(offsetof(struct vmdk_disk_header, capacity_sectors) == 12, "");
_Static_assert(offsetof(struct vmdk_disk_header, descriptor_sector) == 28, "");
_Static_assert(offsetof(struct vmdk_disk_header, table_entries) == 44, "");
_Static_assert(offsetof(struct vmdk_disk_header, redundant_gd_sector) == 48, "");
_Static_assert(offsetof(struct vmdk_disk_header, overhead_sectors) == 64, "");
_Static_assert(offsetof(struct vmdk_disk_header, unclean) == 72, "");
_Static_assert(offsetof(struct vmdk_disk_header, newlines) == 73, "");
_Static_assert(offsetof(struct vmdk_disk_header, compression) == 77, "");

enum { VMDK_UNCLEAN_AT = offsetof(struct vmdk_disk_header, unclean) };

/* Before a compressed grain, and before the parts of a stream that are no grains. */
struct vmdk_marker {
	le64 value;   /* of a grain: its first sector on the disk; otherwise: sectors that follow */
	le32 n_bytes; /* of the compressed data; 0: no grain, and `type` says what */
	le32 type;
};

_Static_assert(offsetof(struct vmdk_marker, n_bytes) == 8, "");
_Static_assert(offsetof(struct vmdk_marker, type) == 12, "");

enum { VMDK_GRAIN_MARKER_BYTES = 12, VMDK_BARE_MARKER_BYTES = 4 };
enum { VMDK_MARKER_END, VMDK_MARKER_TABLE, VMDK_MARKER_DIRECTORY, VMDK_MARKER_FOOTER };

/* What the header of an extent with grains says, of any kind. */
struct vmdk_sparse {
	uint32_t version, flags;
	uint64_t capacity; /* bytes of the disk */
	uint32_t grain_bytes;
	uint32_t table_entries; /* of each grain table */
	uint32_t table_bytes;
	uint64_t n_tables;
	/* bytes: where the directory is, and its copy (0: there is none) */
	uint64_t directory, redundant_directory;
	uint64_t overhead;                     /* bytes of the file before the first grain */
	uint64_t descriptor, descriptor_bytes; /* 0: there is none */
	bool compressed, unclean, directory_at_end;
	uint64_t tables, grains; /* seSparse: where the tables and the grains begin */
};

/* Whether a file begins as an extent of the kind does. */
bool vmdk_is_sparse(const uint8_t head[static 4]);
bool vmdk_is_cowd(const uint8_t head[static 4]);
bool vmdk_is_se_sparse(const uint8_t head[static 8]);

/*
 * Reads and checks the header of an extent with grains of any kind. ST_UNSUPPORTED: it has features
 * that are not known; ST_CORRUPT; the errors of reading. Words do not name the file.
 */
enum status vmdk_header_read(struct blk *file, struct vmdk_sparse *ret, struct error *);

/* The header of an image that this program makes. */
void vmdk_header_make(const struct vmdk_sparse *, struct vmdk_disk_header *ret);
