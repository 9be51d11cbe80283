/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/bytes.h"

/*
 * What a VHD consists of, as "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft,
 * 2006-10-11) defines it. All integers are big-endian.
 */
enum {
	VPC_SECTOR = 512,
	VPC_FOOTER_BYTES = 512,
	VPC_OLD_FOOTER_BYTES = 511, /* of Virtual PC before 2004 */
	VPC_HEADER_BYTES = 1024,
	VPC_VERSION = 0x00010000, /* of footer and header */
	VPC_FEATURES = 2,         /* a bit that is always set */
	VPC_N_LOCATORS = 8,
	VPC_MAX_CYLINDERS = 65535,
	VPC_MAX_HEADS = 16,
	VPC_MAX_SECTORS = 255,
};

/* A footer's type. */
enum { VPC_FIXED = 2, VPC_DYNAMIC = 3, VPC_DIFFERENCING = 4 };

#define VPC_COOKIE        "conectix"
#define VPC_HEADER_COOKIE "cxsparse"
#define VPC_NO_OFFSET     UINT64_MAX             /* a fixed disk has no header */
#define VPC_NO_BLOCK      UINT32_C(0xffffffff)   /* an entry of the BAT */
#define VPC_MAX_BYTES     (UINT64_C(2040) << 30) /* of a disk */
#define VPC_TIME_ZERO     INT64_C(946684800)     /* 2000-01-01 in seconds since 1970 */

/* "Hard Disk Footer Format" */
struct vpc_footer {
	char cookie[8];
	be32 features;
	be32 version;
	be64 header_at;
	be32 time; /* seconds since VPC_TIME_ZERO */
	char creator[4];
	be32 creator_version;
	char host[4];
	be64 original_bytes;
	be64 disk_bytes;
	be16 cylinders;
	uint8_t heads, sectors;
	be32 type;
	be32 checksum;
	uint8_t uuid[16];
	uint8_t saved_state;
	uint8_t reserved[427];
};
_Static_assert(sizeof(struct vpc_footer) == VPC_FOOTER_BYTES, "");
_Static_assert(offsetof(struct vpc_footer, header_at) == 16, "");
_Static_assert(offsetof(struct vpc_footer, creator) == 28, "");
_Static_assert(offsetof(struct vpc_footer, original_bytes) == 40, "");
_Static_assert(offsetof(struct vpc_footer, cylinders) == 56, "");
_Static_assert(offsetof(struct vpc_footer, type) == 60, "");
_Static_assert(offsetof(struct vpc_footer, checksum) == 64, "");
_Static_assert(offsetof(struct vpc_footer, uuid) == 68, "");
_Static_assert(offsetof(struct vpc_footer, saved_state) == 84, "");

/* "Parent Locator Entry" */
struct vpc_locator {
	char code[4];
	be32 space;
	be32 bytes;
	be32 reserved;
	be64 offset;
};
_Static_assert(sizeof(struct vpc_locator) == 24, "");

/* "Dynamic Disk Header Format" */
struct vpc_header {
	char cookie[8];
	be64 next;
	be64 bat_at;
	be32 version;
	be32 n_entries;
	be32 block_bytes;
	be32 checksum;
	uint8_t parent_uuid[16];
	be32 parent_time;
	be32 reserved;
	uint8_t parent_name[512]; /* UTF-16 */
	struct vpc_locator locator[VPC_N_LOCATORS];
	uint8_t reserved_end[256];
};
_Static_assert(sizeof(struct vpc_header) == VPC_HEADER_BYTES, "");
_Static_assert(offsetof(struct vpc_header, bat_at) == 16, "");
_Static_assert(offsetof(struct vpc_header, n_entries) == 28, "");
_Static_assert(offsetof(struct vpc_header, checksum) == 36, "");
_Static_assert(offsetof(struct vpc_header, parent_name) == 64, "");
_Static_assert(offsetof(struct vpc_header, locator) == 576, "");
