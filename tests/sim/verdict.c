/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Judges a qcow2 image without the code of core/format/: reads header, tables, snapshots and
 * bitmaps by itself, counts the references to each cluster, and compares them with the refcounts.
 */
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>

#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)

struct verdict {
	const uint8_t *bytes;
	uint64_t size, cluster_bytes, n_clusters, reftable;
	unsigned cluster_bits, order;
	bool extended, data_file;
	uint32_t *count; /* references to each cluster */
	bool sound;
	char *why;
};

static uint64_t get(const struct verdict *v, uint64_t offset, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | (offset + i < v->size ? v->bytes[offset + i] : 0);
	return value;
}

static void complain(struct verdict *v, const char *what, uint64_t where, uint64_t number)
{
	if (v->sound)
		snprintf(v->why, 256, "%s: 0x%zx, %zu", what, (size_t)where, (size_t)number);
	v->sound = false;
}

static uint64_t refcount(const struct verdict *v, uint64_t cluster)
{
	uint64_t per_block = v->cluster_bytes * 8 >> v->order;
	bool in_table = cluster / per_block < get(v, 56, 4) * v->cluster_bytes / 8;
	uint64_t block = in_table ? get(v, v->reftable + cluster / per_block * 8, 8) : 0,
		 index = cluster % per_block;

	if (block == 0)
		return 0;
	if (v->order >= 3)
		return get(v, block + (index << (v->order - 3)), (size_t)1 << (v->order - 3));
	return get(v, block + (index >> (3 - v->order)), 1) >> ((index << v->order) & 7) &
	       ((1u << (1u << v->order)) - 1);
}

static void refer(struct verdict *v, uint64_t offset, uint64_t bytes)
{
	for (uint64_t i = offset / v->cluster_bytes;
	     bytes > 0 && i <= (offset + bytes - 1) / v->cluster_bytes; i++) {
		if (i >= v->n_clusters) {
			complain(v, "a reference far past the end", i, 0);
			return;
		}
		v->count[i]++;
	}
}

static void refer_entry(struct verdict *v, uint64_t entry)
{
	if ((entry >> 62 & 1) != 0) {
		unsigned bits = 62 - (v->cluster_bits - 8);
		uint64_t offset = entry & ((UINT64_C(1) << bits) - 1);

		refer(v, offset,
		      (((entry & ((UINT64_C(1) << 62) - 1)) >> bits) + 1) * 512 - offset % 512);
	} else if ((entry & OFFSET_MASK) != 0 && !v->data_file) {
		refer(v, entry & OFFSET_MASK, v->cluster_bytes);
	}
}

static void refer_l1(struct verdict *v, uint64_t l1, uint64_t n)
{
	refer(v, l1, n * 8);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t table = get(v, l1 + i * 8, 8) & OFFSET_MASK;

		if (table == 0)
			continue;
		refer(v, table, v->cluster_bytes);
		for (uint64_t at = 0; at < v->cluster_bytes; at += v->extended ? 16 : 8)
			refer_entry(v, get(v, table + at, 8));
	}
}

static void refer_snapshots(struct verdict *v)
{
	uint64_t n = get(v, 60, 4), table = get(v, 64, 8), at = table;

	for (uint64_t i = 0; i < n; i++) {
		refer_l1(v, get(v, at, 8), get(v, at + 8, 4));
		at += 40 + get(v, at + 36, 4) + get(v, at + 12, 2) + get(v, at + 14, 2);
		at = (at + 7) / 8 * 8;
	}
	refer(v, table, at - table);
}

/* The bits past the end of a bitmap that is not in use must be zeros. */
static void look_at_tail(struct verdict *v, uint64_t entry)
{
	uint64_t granularity_bits = get(v, entry + 17, 1), per_cluster = v->cluster_bytes * 8;
	uint64_t n_bits = (get(v, 24, 8) + (UINT64_C(1) << granularity_bits) - 1) >>
			  granularity_bits;
	uint64_t cluster = get(v, get(v, entry, 8) + n_bits / per_cluster * 8, 8) & OFFSET_MASK;

	if ((get(v, entry + 12, 4) & 1) != 0 || cluster == 0 || n_bits % per_cluster == 0)
		return;
	for (uint64_t bit = n_bits % per_cluster; bit < per_cluster; bit++)
		if ((get(v, cluster + bit / 8, 1) >> bit % 8 & 1) != 0)
			complain(v, "a bit past the end of a bitmap", cluster, bit);
}

/* The bitmaps, if the header says that they count. */
static void refer_bitmaps(struct verdict *v)
{
	uint64_t extension = get(v, 100, 4), at;

	if ((get(v, 88, 8) & 1) == 0)
		return;
	while (get(v, extension, 4) != 0x23852875 && get(v, extension, 4) != 0)
		extension += 8 + (get(v, extension + 4, 4) + 7) / 8 * 8;
	if (get(v, extension, 4) == 0) {
		complain(v, "bitmaps that count, but are not there", extension, 0);
		return;
	}
	at = get(v, extension + 24, 8);
	refer(v, at, get(v, extension + 16, 8));
	for (uint64_t i = 0; i < get(v, extension + 8, 4); i++) {
		uint64_t table = get(v, at, 8), n = get(v, at + 8, 4);

		refer(v, table, n * 8);
		look_at_tail(v, at);
		for (uint64_t k = 0; k < n; k++)
			if ((get(v, table + k * 8, 8) & OFFSET_MASK) != 0)
				refer(v, get(v, table + k * 8, 8) & OFFSET_MASK, v->cluster_bytes);
		at += (24 + get(v, at + 18, 2) + get(v, at + 20, 4) + 7) / 8 * 8;
	}
}

static void look_at_copied(struct verdict *v, uint64_t entry, bool exact)
{
	bool copied = (entry >> 63) != 0;
	uint64_t cluster = (entry & OFFSET_MASK) / v->cluster_bytes;

	if ((entry & OFFSET_MASK) == 0 || cluster >= v->n_clusters || (v->data_file && !copied))
		return;
	if (copied && v->count[cluster] != 1)
		complain(v, "a cluster that is said to be the disk's own has other users", cluster,
			 v->count[cluster]);
	if (exact && copied != (refcount(v, cluster) == 1))
		complain(v, "COPIED does not fit to the refcount", cluster, refcount(v, cluster));
}

/* Of the disk; only there it has a meaning. */
static void look_at_all_copied(struct verdict *v, bool exact)
{
	uint64_t n = get(v, 36, 4), l1 = get(v, 40, 8);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t entry = get(v, l1 + i * 8, 8);

		look_at_copied(v, entry, exact);
		if ((entry & OFFSET_MASK) == 0 || v->data_file)
			continue;
		for (uint64_t at = 0; at < v->cluster_bytes; at += v->extended ? 16 : 8) {
			uint64_t below = get(v, (entry & OFFSET_MASK) + at, 8);

			if ((below >> 62 & 1) == 0)
				look_at_copied(v, below, exact);
		}
	}
}

static struct verdict look(const uint8_t *bytes, uint64_t size)
{
	struct verdict v = { .bytes = bytes, .size = size, .sound = true };
	bool v3 = get(&v, 4, 4) == 3;
	uint64_t incompatible = v3 ? get(&v, 72, 8) : 0;

	v.cluster_bits = (unsigned)get(&v, 20, 4);
	v.cluster_bytes = UINT64_C(1) << v.cluster_bits;
	v.n_clusters = size / v.cluster_bytes + 64;
	v.order = v3 ? (unsigned)get(&v, 96, 4) : 4;
	v.reftable = get(&v, 48, 8);
	v.extended = (incompatible & 16) != 0;
	v.data_file = (incompatible & 4) != 0;
	return v;
}

bool verdict_lowered(const uint8_t *before, uint64_t before_size, const uint8_t *now, uint64_t size)
{
	const struct verdict old = look(before, before_size), new = look(now, size);

	for (uint64_t i = 0; i < before_size >> old.cluster_bits; i++)
		if (refcount(&new, i) < refcount(&old, i))
			return true;
	return false;
}

bool verdict_qcow2(const uint8_t *bytes, uint64_t size, enum verdict_on on, char *why)
{
	struct verdict v = look(bytes, size);
	uint64_t reftable_bytes = get(&v, 56, 4) * v.cluster_bytes;

	v.why = why;
	v.count = calloc(v.n_clusters, sizeof *v.count);
	refer(&v, 0, v.cluster_bytes);
	refer(&v, v.reftable, reftable_bytes);
	for (uint64_t i = 0; i < reftable_bytes / 8; i++)
		if (get(&v, v.reftable + i * 8, 8) != 0)
			refer(&v, get(&v, v.reftable + i * 8, 8), v.cluster_bytes);
	refer_l1(&v, get(&v, 40, 8), get(&v, 36, 4));
	refer_snapshots(&v);
	if (get(&v, 4, 4) == 3)
		refer_bitmaps(&v);
	for (uint64_t i = 0; i < v.n_clusters; i++) {
		if (v.count[i] > refcount(&v, i))
			complain(&v, "a cluster has more users than its refcount", i,
				 refcount(&v, i));
		if (v.count[i] < refcount(&v, i) &&
		    (on == VERDICT_NOTHING_LOST ||
		     (on == VERDICT_CLEAN && i < (size + v.cluster_bytes - 1) / v.cluster_bytes)))
			complain(&v, "a cluster is lost", i, refcount(&v, i));
	}
	look_at_all_copied(&v, on != VERDICT_SOUND);
	free(v.count);
	return v.sound;
}
