/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Partition tables, made byte by byte from the UEFI specification (5.3) and the layout of the MBR
 * (5.2), independently of core/disk/, so that a common mistake cannot hide.
 */
#include "tables.h"

#include <string.h>

#include "base/crc32.h"

const uint8_t sim_esp[16] = {
	0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
	0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
};
const uint8_t sim_basic_data[16] = {
	0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44,
	0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7,
};
const uint8_t sim_linux[16] = {
	0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
	0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4,
};

enum { ENTRY_BYTES = 128, N_ENTRIES = 128, HEADER_BYTES = 92 };

void sim_put(struct memory_blk *m, uint64_t offset, uint64_t value, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		m->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const struct memory_blk *m, uint64_t offset, size_t n_bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n_bytes; i++)
		value |= (uint64_t)m->bytes[offset + i] << 8 * i;
	return value;
}

void sim_gpt_seal(struct memory_blk *m, uint64_t header_lba)
{
	uint64_t header = header_lba * m->blk.block_bytes;
	uint64_t entries = get(m, header + 72, 8) * m->blk.block_bytes;
	uint64_t n = get(m, header + 80, 4) * get(m, header + 84, 4);
	uint64_t header_bytes = get(m, header + 12, 4);

	if (entries < m->blk.size && n <= m->blk.size - entries)
		sim_put(m, header + 88, crc32(0, m->bytes + entries, n), 4);
	sim_put(m, header + 16, 0, 4);
	if (header_bytes <= m->blk.block_bytes)
		sim_put(m, header + 16, crc32(0, m->bytes + header, header_bytes), 4);
}

static void put_header(struct memory_blk *m, uint64_t lba, uint64_t other_lba, uint64_t entries_lba,
		       uint64_t n_array)
{
	uint64_t at = lba * m->blk.block_bytes, n_lbas = m->blk.size / m->blk.block_bytes;

	memcpy(m->bytes + at, "EFI PART", 8);
	sim_put(m, at + 8, 0x10000, 4);
	sim_put(m, at + 12, HEADER_BYTES, 4);
	sim_put(m, at + 24, lba, 8);
	sim_put(m, at + 32, other_lba, 8);
	sim_put(m, at + 40, 2 + n_array, 8);
	sim_put(m, at + 48, n_lbas - 2 - n_array, 8);
	memset(m->bytes + at + 56, 0xd1, 16);
	sim_put(m, at + 72, entries_lba, 8);
	sim_put(m, at + 80, N_ENTRIES, 4);
	sim_put(m, at + 84, ENTRY_BYTES, 4);
	sim_gpt_seal(m, lba);
}

void sim_gpt(struct memory_blk *m, const struct sim_part *parts, size_t n)
{
	uint64_t block_bytes = m->blk.block_bytes, n_lbas = m->blk.size / block_bytes;
	uint64_t n_array = N_ENTRIES * ENTRY_BYTES / block_bytes;

	sim_mbr_record(m, 0, 0, 0xee, 1, (uint32_t)(n_lbas - 1));
	for (size_t i = 0; i < n; i++) {
		uint64_t at = 2 * block_bytes + i * ENTRY_BYTES;

		memcpy(m->bytes + at, parts[i].type, 16);
		memset(m->bytes + at + 16, (int)i + 1, 16);
		sim_put(m, at + 32, parts[i].first_lba, 8);
		sim_put(m, at + 40, parts[i].last_lba, 8);
		for (size_t k = 0; parts[i].label != NULL && k < strlen(parts[i].label); k++)
			sim_put(m, at + 56 + 2 * k, (uint8_t)parts[i].label[k], 2);
	}
	memcpy(m->bytes + (n_lbas - 1 - n_array) * block_bytes, m->bytes + 2 * block_bytes,
	       n_array * block_bytes);
	put_header(m, 1, n_lbas - 1, 2, n_array);
	put_header(m, n_lbas - 1, 1, n_lbas - 1 - n_array, n_array);
}

void sim_mbr_record(struct memory_blk *m, uint64_t table_lba, unsigned index, uint8_t type,
		    uint32_t first_lba, uint32_t n_lbas)
{
	uint64_t table = table_lba * m->blk.block_bytes, at = table + 446 + 16 * index;

	sim_put(m, at + 4, type, 1);
	sim_put(m, at + 8, first_lba, 4);
	sim_put(m, at + 12, n_lbas, 4);
	sim_put(m, table + 510, 0xaa55, 2);
}
