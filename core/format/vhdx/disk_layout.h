/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"

/*
 * What a VHDX file consists of, byte by byte ([MS-VHDX] 2.2 to 2.6). All integers are little-endian
 * but for the GUIDs, which are stored as base/guid.h says; texts are UTF-16LE.
 */
enum {
	VHDX_MIB = 1 << 20,
	VHDX_SECTOR = 4096, /* what the log replaces as one */

	/* the header section, 1 MiB */
	VHDX_IDENTIFIER_CREATOR = 8,
	VHDX_IDENTIFIER_CREATOR_BYTES = 512,
	VHDX_HEADER_AT_1 = 64 << 10,
	VHDX_HEADER_AT_2 = 128 << 10,
	VHDX_HEADER_BYTES = 4096,
	VHDX_REGIONS_AT_1 = 192 << 10,
	VHDX_REGIONS_AT_2 = 256 << 10,
	VHDX_TABLE_BYTES = 64 << 10, /* of a region table, and of the metadata table */
	VHDX_ENTRIES_MAX = 2047,     /* of either */

	VHDX_BLOCK_MAX = 256 << 20,
	VHDX_BITMAP_BYTES = VHDX_MIB,      /* of a sector bitmap block */
	VHDX_CHUNK_SECTORS = 8 * VHDX_MIB, /* logical sectors that it has bits for */
};

#define VHDX_SIGNATURE "vhdxfile"
#define VHDX_SIZE_MAX  ((uint64_t)64 << 40) /* of a disk */

/* 2.2.2 */
struct vhdx_disk_header {
	uint8_t signature[4]; /* "head" */
	le32 checksum;        /* CRC-32C of 4 KiB, with this field as 0 */
	le64 sequence;
	struct guid file_write_guid, data_write_guid;
	struct guid log_guid; /* 0: no entry of the log is to be replayed */
	le16 log_version, version;
	le32 log_bytes;
	le64 log_offset;
};
_Static_assert(sizeof(struct vhdx_disk_header) == 80);

/* 2.2.3.1 */
struct vhdx_disk_regions {
	uint8_t signature[4]; /* "regi" */
	le32 checksum;        /* CRC-32C of 64 KiB, with this field as 0 */
	le32 n_entries;
	le32 reserved;
};
_Static_assert(sizeof(struct vhdx_disk_regions) == 16);

/* 2.2.3.2 */
struct vhdx_disk_region {
	struct guid id;
	le64 offset; /* in the file */
	le32 bytes;
	le32 required;
};
_Static_assert(sizeof(struct vhdx_disk_region) == 32);

/* 2.3.1.1 */
struct vhdx_disk_entry {
	uint8_t signature[4]; /* "loge" */
	le32 checksum;        /* CRC-32C of the entry, with this field as 0 */
	le32 bytes;           /* of the entry, with its descriptors and data sectors */
	le32 tail; /* offset in the log of the first entry of the sequence that ends here */
	le64 sequence;
	le32 n_descriptors;
	le32 reserved;
	struct guid log_guid;
	le64 flushed_bytes; /* the file is at least that long on the medium */
	le64 last_bytes;    /* all that is allocated fits into a file of this length */
};
_Static_assert(sizeof(struct vhdx_disk_entry) == 64);

/* 2.3.1.2, 2.3.1.3 */
struct vhdx_disk_descriptor {
	uint8_t signature[4]; /* "desc" or "zero" */
	uint8_t trailing[4];  /* of "desc": the last bytes of the sector */
	uint8_t leading[8];   /* of "desc": the first ones; of "zero": bytes (u64) to be zeros */
	le64 offset;          /* in the file */
	le64 sequence;
};
_Static_assert(sizeof(struct vhdx_disk_descriptor) == 32);

/* 2.3.1.4 */
struct vhdx_disk_data {
	uint8_t signature[4]; /* "data" */
	le32 sequence_high;
	uint8_t bytes[4084];
	le32 sequence_low;
};
_Static_assert(sizeof(struct vhdx_disk_data) == VHDX_SECTOR);

/* 2.6.1.1 */
struct vhdx_disk_metadata {
	uint8_t signature[8]; /* "metadata" */
	le16 reserved;
	le16 n_entries;
	uint8_t reserved2[20];
};
_Static_assert(sizeof(struct vhdx_disk_metadata) == 32);

/* 2.6.1.2 */
struct vhdx_disk_item {
	struct guid id;
	le32 offset; /* in the region */
	le32 bytes;
	le32 flags;
	le32 reserved;
};
_Static_assert(sizeof(struct vhdx_disk_item) == 32);

enum {
	VHDX_ITEM_USER = 1,
	VHDX_ITEM_DISK = 2,
	VHDX_ITEM_REQUIRED = 4,
	VHDX_ITEM_BYTES_MAX = VHDX_MIB,

	/* of the item "file parameters" */
	VHDX_LEAVE_ALLOCATED = 1,
	VHDX_HAS_PARENT = 2,
};

/* 2.6.2.6 */
struct vhdx_disk_locator {
	struct guid type;
	le16 reserved;
	le16 n_entries;
};
_Static_assert(sizeof(struct vhdx_disk_locator) == 20);

struct vhdx_disk_locator_entry {
	le32 key_offset, value_offset; /* in the item */
	le16 key_bytes, value_bytes;
};
_Static_assert(sizeof(struct vhdx_disk_locator_entry) == 12);

/* 2.5.1: an entry of the BAT has the state, and the place in the file in MiB. */
#define VHDX_BAT_STATE  UINT64_C(7)
#define VHDX_BAT_OFFSET UINT64_C(0xfffffffffff00000)

enum vhdx_state {
	VHDX_NOT_PRESENT,
	VHDX_UNDEFINED,
	VHDX_ZERO,
	VHDX_UNMAPPED,
	VHDX_UNMAPPED_DRAFT = 5, /* of version 0.95 of the specification */
	VHDX_PRESENT = 6,
	VHDX_PARTLY_PRESENT, /* the sector bitmap says which sectors are */
};

extern const struct guid vhdx_region_bat, vhdx_region_metadata;
extern const struct guid vhdx_item_parameters, vhdx_item_size, vhdx_item_id, vhdx_item_logical,
	vhdx_item_physical, vhdx_item_locator;
extern const struct guid vhdx_locator_type;
