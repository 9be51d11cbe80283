/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "format/qcow2/qcow2.h"

/* The entries of tables, bit by bit. */

/*
 * Sections "L1 table", "Standard Cluster Descriptor": where in the file; QCOW2_COPIED is bit 63 of
 * both.
 */
#define QCOW2_ENTRY_OFFSET  UINT64_C(0x00fffffffffffe00)
#define QCOW2_L1_RESERVED   UINT64_C(0x7f000000000001ff)
#define QCOW2_L2_RESERVED   UINT64_C(0x3f000000000001fe)
#define QCOW2_L2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_L2_ZERO       UINT64_C(1)

/* Section "Refcount table". */
#define QCOW2_REFTABLE_OFFSET   UINT64_C(0xfffffffffffffe00)
#define QCOW2_REFTABLE_RESERVED UINT64_C(0x1ff)

/* Section "Bitmap table". */
#define QCOW2_BITMAP_TABLE_RESERVED UINT64_C(0xff000000000001fe)
#define QCOW2_BITMAP_TABLE_ONES     UINT64_C(1) /* where there is no offset */

/*
 * Section "Header", incompatible bit 2: in an image with a data file, a cluster of the disk lies at
 * its own offset there, and none is compressed. Whether the L2 entry of the cluster at `guest` says
 * so.
 */
static inline bool qcow2_entry_fits(const struct qcow2_header *header, uint64_t entry,
				    uint64_t guest)
{
	bool extended = (header->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
	uint64_t offset = entry & QCOW2_ENTRY_OFFSET;

	if ((header->incompatible & QCOW2_INCOMPAT_DATA_FILE) == 0)
		return true;
	if ((entry & QCOW2_L2_COMPRESSED) != 0)
		return false;
	if (offset == 0 &&
	    ((entry & QCOW2_COPIED) == 0 || (!extended && (entry & QCOW2_L2_ZERO) != 0)))
		return true; /* nothing of the data file belongs to it */
	return offset == guest;
}

/* Section "Compressed Clusters Descriptor": how many bits the offset has. */
static inline unsigned qcow2_compressed_offset_bits(const struct qcow2_header *header)
{
	return 62 - (header->cluster_bits - 8);
}

/* The same section: above the offset is the count of further sectors. */
static inline void qcow2_compressed_place(const struct qcow2_header *header, uint64_t entry,
					  uint64_t *ret_offset, uint32_t *ret_bytes)
{
	unsigned offset_bits = qcow2_compressed_offset_bits(header);
	uint64_t sectors = (entry & (QCOW2_L2_COMPRESSED - 1)) >> offset_bits;

	*ret_offset = entry & ((UINT64_C(1) << offset_bits) - 1);
	*ret_bytes = (uint32_t)((sectors + 1) * 512 - *ret_offset % 512);
}

/* The highest refcount that an entry of 2^order bits can have. */
static inline uint64_t qcow2_refcount_limit(unsigned order)
{
	return order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
}

/*
 * Section "Host cluster management": entry `index` of a refcount block, 2^order bits wide. Of
 * several in a byte, the first has the lowest bits.
 */
static inline uint64_t qcow2_refcount_at(unsigned order, const uint8_t *block, uint64_t index)
{
	switch (order) {
	case 3:
		return block[index];
	case 4:
		return bytes_from_be(block + 2 * index, 2);
	case 5:
		return bytes_from_be(block + 4 * index, 4);
	case 6:
		return bytes_from_be(block + 8 * index, 8);
	default:
		return (uint64_t)block[index >> (3 - order)] >> ((index << order) & 7) &
		       qcow2_refcount_limit(order);
	}
}

static inline void qcow2_refcount_put(unsigned order, uint8_t *block, uint64_t index,
				      uint64_t value)
{
	uint8_t *byte;
	unsigned shift;

	switch (order) {
	case 3:
		block[index] = (uint8_t)value;
		return;
	case 4:
		bytes_to_be(block + 2 * index, 2, value);
		return;
	case 5:
		bytes_to_be(block + 4 * index, 4, value);
		return;
	case 6:
		bytes_to_be(block + 8 * index, 8, value);
		return;
	default:
		byte = &block[index >> (3 - order)];
		shift = (unsigned)(index << order) & 7;
		*byte = (uint8_t)((*byte & ~(qcow2_refcount_limit(order) << shift)) |
				  value << shift);
	}
}
