/* SPDX-License-Identifier: BSD-2-Clause */
/* How often each cluster of the file is referred to, and as what. */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/check.h"
#include "format/qcow2/entry.h"

enum status qcow2_counts_init(struct qcow2_check *c)
{
	uint64_t n = div_up(c->file->size, qcow2_cluster_bytes(&c->q->header)), counts_bytes,
		 uses_bytes, bits_bytes;

	if (n > QCOW2_CHECK_CLUSTERS_MAX)
		return fail(c->err, ST_TOO_LARGE,
			    "its file has %ju clusters of %u bytes; at most %ju can be checked", n,
			    c->q->image.cluster_bytes, QCOW2_CHECK_CLUSTERS_MAX);
	c->n_clusters = n;
	/* one more, see struct qcow2_check */
	counts_bytes = div_up((n + 1) << c->q->header.refcount_order, 8);
	uses_bytes = n / 4 + 1;
	bits_bytes = n / 8 + 1;
	if (counts_bytes <= SIZE_MAX) {
		c->counts = mem_alloc((size_t)counts_bytes);
		c->uses = mem_alloc((size_t)uses_bytes);
		c->used_twice = mem_alloc((size_t)bits_bytes);
	}
	if (c->counts == NULL || c->uses == NULL || c->used_twice == NULL)
		return fail(c->err, ST_NO_MEMORY,
			    "counting the references to its %ju clusters takes %ju bytes: %s", n,
			    counts_bytes + uses_bytes + bits_bytes, status_text(ST_NO_MEMORY));
	return ST_OK;
}

void qcow2_counts_free(struct qcow2_check *c)
{
	mem_free(c->counts);
	mem_free(c->uses);
	mem_free(c->used_twice);
}

/* One more; false: it is as high as a refcount can be. */
static bool add(struct qcow2_check *c, uint64_t cluster)
{
	unsigned order = c->q->header.refcount_order;
	uint64_t count = qcow2_refcount_at(order, c->counts, cluster);

	if (count == qcow2_refcount_limit(order))
		return false;
	qcow2_refcount_put(order, c->counts, cluster, count + 1);
	return true;
}

static enum qcow2_use first_use(const struct qcow2_check *c, uint64_t cluster)
{
	return c->uses[cluster / 4] >> (cluster % 4 * 2) & 3;
}

bool qcow2_counts_overlap(const struct qcow2_check *c, uint64_t cluster)
{
	return (c->used_twice[cluster / 8] >> (cluster % 8) & 1) != 0;
}

bool qcow2_counts_is_only(const struct qcow2_check *c, uint64_t cluster, enum qcow2_use use)
{
	return first_use(c, cluster) == use && !qcow2_counts_overlap(c, cluster);
}

static void mark(struct qcow2_check *c, uint64_t cluster, enum qcow2_use use)
{
	enum qcow2_use before = first_use(c, cluster);

	if (before == QCOW2_USE_NONE) {
		c->uses[cluster / 4] |= (uint8_t)(use << (cluster % 4 * 2));
	} else if (before != use || use == QCOW2_USE_OTHER) {
		c->used_twice[cluster / 8] |= (uint8_t)(1 << (cluster % 8));
		c->overlaps = true;
		/* the header was counted first */
		c->header_taken |= cluster == 0 && use != QCOW2_USE_DATA;
	}
}

void qcow2_count(struct qcow2_check *c, enum qcow2_use use, uint64_t offset, uint64_t bytes)
{
	unsigned cluster_bits = c->q->header.cluster_bits;
	uint64_t last;

	if (bytes == 0)
		return;
	/* The file may end inside its last cluster. */
	if (!range_ok(offset, bytes, c->file->size + qcow2_cluster_bytes(&c->q->header) - 1)) {
		qcow2_check_corrupt(c,
				    "ERROR: counting reference for region exceeding the end of the "
				    "file by one cluster or more: offset 0x%jx size 0x%jx",
				    offset, bytes);
		if (offset < c->growth_end)
			c->in_the_way = true;
		return;
	}
	last = (offset + bytes - 1) >> cluster_bits;
	c->n_clusters = max_u64(c->n_clusters, last + 1);
	for (uint64_t cluster = offset >> cluster_bits; cluster <= last; cluster++) {
		mark(c, cluster, use);
		if (!add(c, cluster))
			qcow2_check_corrupt(c,
					    "ERROR: overflow cluster offset=0x%jx: it has more "
					    "users than a refcount of %u bits can count",
					    cluster << cluster_bits,
					    1u << c->q->header.refcount_order);
	}
}
