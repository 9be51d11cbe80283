/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of the virtual disk are: sections "Cluster mapping", "L1 table", "L2 table",
 * "Extended L2 Entries".
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"

enum { SUBCLUSTERS = 32 };

static bool is_extended(const struct qcow2_image *q)
{
	return (q->header.incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
}

/* An L2 entry's unit of mapping: a cluster, or with extended entries a subcluster. */
static uint64_t unit_bytes(const struct qcow2_image *q)
{
	return qcow2_cluster_bytes(&q->header) / (is_extended(q) ? SUBCLUSTERS : 1);
}

/* What one L2 entry, with its subcluster bitmap (0 without), says of unit `sub` of its cluster. */
static enum status decode_unit(const struct qcow2_image *q, uint64_t entry, uint64_t bitmap,
			       unsigned sub, struct qcow2_mapping *ret)
{
	uint64_t offset = entry & QCOW2_ENTRY_OFFSET;
	bool zero, allocated;

	if ((entry & QCOW2_L2_COMPRESSED) != 0) {
		ret->kind = QCOW2_MAP_COMPRESSED;
		qcow2_compressed_place(&q->header, entry, &ret->offset, &ret->compressed_bytes);
		return ST_OK;
	}
	if ((entry & QCOW2_L2_RESERVED) != 0 || offset % qcow2_cluster_bytes(&q->header) != 0)
		return ST_CORRUPT;
	if (is_extended(q)) {
		zero = (bitmap >> (32 + sub) & 1) != 0;
		allocated = (bitmap >> sub & 1) != 0;
		if ((entry & QCOW2_L2_ZERO) != 0 || (zero && allocated) ||
		    (allocated && offset == 0 && !q->has_data_file))
			return ST_CORRUPT;
	} else {
		zero = (entry & QCOW2_L2_ZERO) != 0;
		/*
		 * In a data file, cluster 0 is as good as any: there COPIED tells a mapped one from
		 * none.
		 */
		allocated = offset != 0 || (q->has_data_file && (entry & QCOW2_COPIED) != 0);
		if (zero && q->header.version < 3)
			return ST_CORRUPT;
	}
	ret->kind = zero ? QCOW2_MAP_ZERO : allocated ? QCOW2_MAP_DATA : QCOW2_MAP_HOLE;
	ret->offset = offset + sub * unit_bytes(q);
	ret->has_offset = offset != 0 || (q->has_data_file && (entry & QCOW2_COPIED) != 0);
	return ST_OK;
}

/* `guest` is the offset on the disk of what the table maps. */
static enum status decode_at(const struct qcow2_image *q, const uint8_t *table, uint64_t guest,
			     uint64_t unit, struct qcow2_mapping *ret)
{
	unsigned sub = is_extended(q) ? (unsigned)(unit % SUBCLUSTERS) : 0;
	uint64_t index = is_extended(q) ? unit / SUBCLUSTERS : unit;
	const uint8_t *entry = table + index * qcow2_l2_entry_bytes(&q->header);

	*ret = (struct qcow2_mapping){ 0 };
	if (!qcow2_entry_fits(&q->header, bytes_from_be(entry, 8),
			      guest + (index << q->header.cluster_bits)))
		return ST_CORRUPT;
	return decode_unit(q, bytes_from_be(entry, 8),
			   is_extended(q) ? bytes_from_be(entry + 8, 8) : 0, sub, ret);
}

/* Whether `next`, `distance` bytes after `first`, continues it. */
static bool continues(const struct qcow2_mapping *first, const struct qcow2_mapping *next,
		      uint64_t distance)
{
	if (next->kind != first->kind || next->has_offset != first->has_offset ||
	    first->kind == QCOW2_MAP_COMPRESSED)
		return false;
	return !first->has_offset || next->offset == first->offset + distance;
}

enum status qcow2_map(struct qcow2_image *q, uint64_t offset, uint64_t len,
		      struct qcow2_mapping *ret)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header), unit = unit_bytes(q), first, n_units,
		 n = 1;
	uint64_t l1_index = offset / coverage, l1_entry;
	struct qcow2_mapping mapping = { 0 };
	uint8_t *table;
	enum status st;

	/*
	 * header and snapshot were checked; an index past the end is still the image's fault
	 */
	if (l1_index >= q->header.l1_entries)
		return ST_CORRUPT;
	l1_entry = q->l1[l1_index];
	len = min_u64(len, coverage - offset % coverage);
	if ((l1_entry & QCOW2_ENTRY_OFFSET) == 0) {
		*ret = (struct qcow2_mapping){ .kind = QCOW2_MAP_HOLE, .length = len };
		return ST_OK;
	}
	if ((l1_entry & QCOW2_L1_RESERVED) != 0 ||
	    (l1_entry & QCOW2_ENTRY_OFFSET) % qcow2_cluster_bytes(&q->header) != 0)
		return ST_CORRUPT;
	st = table_cache_get(&q->l2_cache, l1_entry & QCOW2_ENTRY_OFFSET, &table);
	if (st != ST_OK)
		return st;
	first = offset % coverage / unit;
	n_units = div_up(offset % unit + len, unit);
	st = decode_at(q, table, l1_index * coverage, first, &mapping);
	if (mapping.kind == QCOW2_MAP_COMPRESSED)
		/* all of one cluster, whose units are alike */
		n_units = n = qcow2_cluster_bytes(&q->header) / unit -
			      first % (qcow2_cluster_bytes(&q->header) / unit);
	while (st == ST_OK && n < n_units) {
		struct qcow2_mapping next;

		st = decode_at(q, table, l1_index * coverage, first + n, &next);
		if (st == ST_OK && !continues(&mapping, &next, n * unit))
			break;
		n += st == ST_OK;
	}
	if (st != ST_OK)
		return st;
	if (mapping.has_offset)
		mapping.offset += offset % unit;
	mapping.length = min_u64(n * unit - offset % unit, len);
	*ret = mapping;
	return ST_OK;
}
