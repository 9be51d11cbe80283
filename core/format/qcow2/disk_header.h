/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "format/qcow2/qcow2.h"

/* The header as it is on the medium: for header.c, which reads it, and header_write.c. */

/* Section "Header". Version 2 has the first 72 bytes. */
struct disk_header {
	be32 magic, version;
	be64 backing_offset;
	be32 backing_bytes;
	be32 cluster_bits;
	be64 size;
	be32 crypt_method;
	be32 l1_entries;
	be64 l1_offset;
	be64 reftable_offset;
	be32 reftable_clusters;
	be32 n_snapshots;
	be64 snapshots_offset;
	be64 incompatible, compatible, autoclear;
	be32 refcount_order;
	be32 header_bytes;
	uint8_t compression_type;
	uint8_t padding[7];
};

enum { V2_HEADER_BYTES = 72, V3_HEADER_BYTES_MIN = 104 };

_Static_assert(sizeof(struct disk_header) == 112, "");
_Static_assert(offsetof(struct disk_header, backing_offset) == 8, "");
_Static_assert(offsetof(struct disk_header, cluster_bits) == 20, "");
_Static_assert(offsetof(struct disk_header, size) == 24, "");
_Static_assert(offsetof(struct disk_header, l1_entries) == 36, "");
_Static_assert(offsetof(struct disk_header, reftable_offset) == 48, "");
_Static_assert(offsetof(struct disk_header, n_snapshots) == 60, "");
_Static_assert(offsetof(struct disk_header, incompatible) == V2_HEADER_BYTES, "");
_Static_assert(offsetof(struct disk_header, refcount_order) == 96, "");
_Static_assert(offsetof(struct disk_header, compression_type) == V3_HEADER_BYTES_MIN, "");

/* Section "Header extensions". */
struct disk_extension {
	be32 type, bytes; /* of the data that follows, which is padded to a multiple of 8 */
};

enum {
	EXTENSION_END = 0,
	EXTENSION_DATA_FILE = 0x44415441,
	EXTENSION_CRYPTO = 0x0537be77,
	EXTENSION_BITMAPS = 0x23852875,
	EXTENSION_FEATURES = 0x6803f857,
};
#define EXTENSION_BACKING_FORMAT 0xe2792acau

struct disk_feature {
	uint8_t type; /* 0 incompatible, 1 compatible, 2 autoclear */
	uint8_t bit;
	char name[46];
};
_Static_assert(sizeof(struct disk_feature) == 48, "");

struct disk_bitmaps {
	be32 n, reserved;
	be64 directory_bytes, directory_offset;
};
_Static_assert(sizeof(struct disk_bitmaps) == QCOW2_BITMAPS_EXTENSION_BYTES, "");

struct disk_crypto {
	be64 offset, bytes;
};
_Static_assert(sizeof(struct disk_crypto) == 16, "");
