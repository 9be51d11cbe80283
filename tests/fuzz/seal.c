/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/crc32c.h"
#include "base/range.h"

enum {
	SECTOR = 512,
	BLOCK_MAX = 64 << 10,
	SEALS_MAX = 64, /* of blocks, for speed */
};

static uint64_t le(const uint8_t *bytes, size_t at, size_t n)
{
	return bytes_from_le(bytes + at, n);
}

static void put(struct sparse *s, uint64_t at, uint32_t value, size_t n)
{
	uint8_t bytes[4];

	bytes_to_le(bytes, n, value);
	sparse_put(s, at, bytes, n);
}

/*
 * Calls `seal_at` for each multiple of `step` in the parts where what the input has begins with
 * `magic` after `skip` bytes.
 */
static void each(struct sparse *s, uint64_t step, size_t skip, const void *magic, size_t n,
		 void (*seal_at)(struct sparse *, uint64_t at))
{
	struct sparse_part part;
	unsigned seals = 0;

	for (size_t i = 0; sparse_part(s, i, &part); i++)
		for (uint64_t at = round_up(part.at, step);
		     at + skip + n <= part.at + part.n && seals < SEALS_MAX; at += step)
			if (memcmp(part.bytes + (at - part.at) + skip, magic, n) == 0) {
				seal_at(s, at);
				seals++;
			}
}

/* ---- ext ---- */

/* The kernel's crc32c(), which inverts neither at the beginning nor at the end. */
static uint32_t ext_crc(uint32_t seed, const void *bytes, size_t n)
{
	return ~crc32c(~seed, bytes, n);
}

static void seal_group(struct sparse *s, const uint8_t *super, uint32_t seed, uint32_t group)
{
	static uint8_t bits[BLOCK_MAX], desc[1024];
	bool wide = (le(super, 0x60, 4) & 0x80) != 0;
	size_t desc_bytes = wide ? (size_t)min_u64(le(super, 0xfe, 2), sizeof desc) : 32;
	unsigned shift = 10 + (unsigned)le(super, 0x18, 4);
	uint64_t n_bits = le(super, (le(super, 0x64, 4) & 0x200) != 0 ? 0x24 : 0x20, 4);
	uint64_t at = (UINT64_C(1) << shift) * (shift == 10 ? 2 : 1) + (uint64_t)group * desc_bytes;
	uint32_t crc;

	if (desc_bytes < 32)
		return;
	sparse_get(s, at, desc, desc_bytes);
	sparse_get(s, (le(desc, 0, 4) | (desc_bytes >= 64 ? le(desc, 0x20, 4) << 32 : 0)) << shift,
		   bits, (size_t)min_u64(n_bits / 8, sizeof bits));
	crc = ext_crc(seed, bits, (size_t)min_u64(n_bits / 8, sizeof bits));
	bytes_to_le(desc + 0x18, 2, crc & 0xffff);
	if (desc_bytes >= 64)
		bytes_to_le(desc + 0x38, 2, crc >> 16);
	bytes_to_le(desc + 0x1e, 2, 0);
	crc = ext_crc(ext_crc(seed, &(le32){ .b = { (uint8_t)group } }, 4), desc, desc_bytes);
	bytes_to_le(desc + 0x1e, 2, crc & 0xffff);
	sparse_put(s, at, desc, desc_bytes);
}

static void seal_ext(struct sparse *s)
{
	uint8_t super[1024];
	uint32_t seed;
	uint64_t n;

	sparse_get(s, 1024, super, sizeof super);
	if (le(super, 0x38, 2) != 0xef53 || (le(super, 0x64, 4) & 0x400) == 0 ||
	    le(super, 0x18, 4) > 6)
		return;
	put(s, 1024 + 0x3fc, ext_crc(~0u, super, 0x3fc), 4);
	seed = (le(super, 0x60, 4) & 0x2000) != 0 ? (uint32_t)le(super, 0x270, 4)
						  : ext_crc(~0u, super + 0x68, 16);
	n = le(super, 4, 4) / max_u64(le(super, 0x20, 4), 1) + 1;
	for (uint32_t i = 0; i < min_u64(n, SEALS_MAX) && (le(super, 0x60, 4) & 0x10) == 0; i++)
		seal_group(s, super, seed, i);
}

/* ---- XFS ---- */

static void seal_xfs_block(struct sparse *s, uint64_t at, size_t n, size_t field)
{
	static uint8_t bytes[BLOCK_MAX];

	n = (size_t)min_u64(n, sizeof bytes);
	sparse_get(s, at, bytes, n);
	bytes_to_le(bytes + field, 4, 0);
	put(s, at + field, crc32c(0, bytes, n), 4);
}

static uint64_t xfs_bytes(const struct sparse *s, uint64_t at, size_t n)
{
	uint8_t bytes[4];

	sparse_get(s, at, bytes, n);
	return max_u64(bytes_from_be(bytes, n), SECTOR);
}

static void seal_xfs_super(struct sparse *s, uint64_t at)
{
	seal_xfs_block(s, at, (size_t)xfs_bytes(s, 0x66, 2), 0xe0);
}

static void seal_xfs_group(struct sparse *s, uint64_t at)
{
	seal_xfs_block(s, at, (size_t)xfs_bytes(s, 0x66, 2), 0xd8);
}

static void seal_xfs_node(struct sparse *s, uint64_t at)
{
	seal_xfs_block(s, at, (size_t)xfs_bytes(s, 4, 4), 0x34);
}

static void seal_xfs(struct sparse *s)
{
	uint8_t head[0x66];

	sparse_get(s, 0, head, sizeof head);
	if (memcmp(head, "XFSB", 4) != 0 || (head[0x65] & 15) != 5)
		return;
	each(s, SECTOR, 0, "XFSB", 4, seal_xfs_super);
	each(s, SECTOR, 0, "XAGF", 4, seal_xfs_group);
	each(s, SECTOR, 0, "AB3B", 4, seal_xfs_node);
}

/* ---- Btrfs ---- */

enum { BTRFS_SUPER = 64 << 10 };

static void seal_btrfs_node(struct sparse *s, uint64_t at)
{
	static uint8_t node[BLOCK_MAX];
	uint8_t bytes[4];
	size_t n;

	sparse_get(s, BTRFS_SUPER + 0x94, bytes, sizeof bytes);
	n = at == BTRFS_SUPER ? 4096 : (size_t)min_u64(le(bytes, 0, 4), sizeof node);
	if (n < 4096)
		return;
	sparse_get(s, at, node, n);
	put(s, at, crc32c(0, node + 0x20, n - 0x20), 4);
}

static void seal_btrfs(struct sparse *s)
{
	uint8_t super[0x40 + 8], id[16];

	sparse_get(s, BTRFS_SUPER, super, sizeof super);
	if (memcmp(super + 0x40, "_BHRfS_M", 8) != 0)
		return;
	memcpy(id, super + 0x20, sizeof id);
	each(s, 4096, 0x20, id, sizeof id, seal_btrfs_node);
}

/* ---- LVM2 ---- */

static uint32_t lvm_crc(const uint8_t *bytes, size_t n)
{
	return ~crc32(~UINT32_C(0xf597a6cf), bytes, n);
}

static void seal_lvm_label(struct sparse *s, uint64_t at)
{
	uint8_t sector[SECTOR];

	sparse_get(s, at, sector, sizeof sector);
	put(s, at + 16, lvm_crc(sector + 20, SECTOR - 20), 4);
}

/* The header of an area of metadata, and the text that it names, which continues after it. */
static void seal_lvm_area(struct sparse *s, uint64_t at)
{
	static uint8_t text[BLOCK_MAX];
	uint8_t header[SECTOR];
	uint64_t length, offset, n;
	size_t first;

	sparse_get(s, at, header, sizeof header);
	length = le(header, 32, 8);
	offset = le(header, 40, 8);
	n = min_u64(le(header, 48, 8), sizeof text);
	if (offset < length) {
		first = (size_t)min_u64(n, length - offset);
		sparse_get(s, at + offset, text, first);
		sparse_get(s, at + SECTOR, text + first, (size_t)n - first);
		bytes_to_le(header + 56, 4, lvm_crc(text, (size_t)n));
	}
	bytes_to_le(header, 4, lvm_crc(header + 4, SECTOR - 4));
	sparse_put(s, at, header, sizeof header);
}

void seal(struct sparse *s)
{
	seal_ext(s);
	seal_xfs(s);
	seal_btrfs(s);
	each(s, SECTOR, 0, "LABELONE", 8, seal_lvm_label);
	each(s, SECTOR, 4, " LVM2 x[5A%r0N*>", 16, seal_lvm_area);
}
