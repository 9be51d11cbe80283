/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* File systems made byte by byte, by their specifications and independently of core/fs/. */

#include <stdint.h>
#include <string.h>

#include "memory_blk.h"

/* Little-endian, `n` bytes. */
static inline void sample_put(struct memory_blk *m, uint64_t offset, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

struct sample_fat {
	unsigned bits, cluster_sectors;
	/* Used is each third cluster, n_used of them; where they are not enough, the first ones. */
	uint32_t n_clusters, n_used;
	/* set by sample_fat_new(): bytes */
	uint32_t fat_start, fat_bytes, data_start;
};

static inline void sample_fat_entry(struct memory_blk *m, const struct sample_fat *fat,
				    uint32_t cluster, uint32_t value)
{
	for (uint32_t k = 0; k < 2; k++) {
		uint32_t at = fat->fat_start + k * fat->fat_bytes;

		if (fat->bits == 12) {
			uint32_t pair = at + cluster / 2 * 3, shift = cluster % 2 * 12, old = 0;

			memcpy(&old, m->bytes + pair, 3);
			old = (old & ~(0xfffu << shift)) | (value & 0xfff) << shift;
			sample_put(m, pair, old, 3);
		} else {
			sample_put(m, at + cluster * fat->bits / 8, value, fat->bits / 8);
		}
	}
}

static inline struct memory_blk *sample_fat_new(struct sample_fat *fat)
{
	uint32_t n_reserved = fat->bits == 32 ? 32 : 1, n_root = fat->bits == 32 ? 0 : 512;
	uint32_t sectors = (((fat->n_clusters + 2) * fat->bits + 7) / 8 + 511) / 512;
	uint32_t data = n_reserved + 2 * sectors + n_root / 16;
	uint32_t total = data + fat->n_clusters * fat->cluster_sectors;
	uint32_t step = fat->n_used < fat->n_clusters / 3 ? 3 : 1;
	/* a tail that is part of no cluster */
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = (uint64_t)total * 512 + 2048 });

	sample_put(m, 0, 0x903ceb, 3);
	sample_put(m, 11, 512, 2);
	sample_put(m, 13, fat->cluster_sectors, 1);
	sample_put(m, 14, n_reserved, 2);
	sample_put(m, 16, 2, 1);
	sample_put(m, 17, n_root, 2);
	sample_put(m, 21, 0xf8, 1);
	sample_put(m, fat->bits == 32 ? 36 : 22, sectors, fat->bits == 32 ? 4 : 2);
	sample_put(m, total < 65536 && fat->bits != 32 ? 19 : 32, total,
		   total < 65536 && fat->bits != 32 ? 2 : 4);
	sample_put(m, 510, 0xaa55, 2);
	if (fat->bits == 32) {
		sample_put(m, 44, 2, 4);
		sample_put(m, 48, 1, 2);
		sample_put(m, 512, 0x41615252, 4);
		sample_put(m, 512 + 484, 0x61417272, 4);
		sample_put(m, 512 + 488, fat->n_clusters - fat->n_used, 4);
	}
	fat->fat_start = n_reserved * 512;
	fat->fat_bytes = sectors * 512;
	fat->data_start = data * 512;
	sample_fat_entry(m, fat, 0, 0x0ffffff8);
	sample_fat_entry(m, fat, 1, 0x0fffffff);
	for (uint32_t i = 0; i < fat->n_used; i++)
		sample_fat_entry(m, fat, 2 + i * step, 0x0fffffff);
	return m;
}
