/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clusters where they come to an end: of the refcount table, of what a file can have, of the cache,
 * of what users one can have; and what a check keeps of each.
 */
#include "unit.h"

#include "base/memory.h"
#include "format/qcow2/check.h"
#include "format/qcow2/image.h"
#include "memory_blk.h"

enum { FILE_BYTES = 2 << 20, REFTABLE_MAX = QCOW2_REFTABLE_BYTES_MAX / 8 };

static struct memory_blk *open_image(struct qcow2_image *q, unsigned cluster_bits, unsigned order,
				     uint64_t n_reftable, uint64_t next)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = FILE_BYTES, .writable = true });

	*q = (struct qcow2_image){ 0 };
	q->header.version = 3;
	q->header.cluster_bits = cluster_bits;
	q->header.refcount_order = order;
	q->image.cluster_bytes = 1u << cluster_bits;
	q->file = q->image.data = &m->blk;
	q->reftable = mem_alloc(n_reftable * sizeof *q->reftable);
	q->n_reftable = n_reftable;
	q->next_cluster = next;
	assert_ok(table_cache_init(&q->refcount_cache, &m->blk, q->image.cluster_bytes));
	return m;
}

static void close_image(struct qcow2_image *q)
{
	table_cache_free(&q->refcount_cache);
	mem_free(q->reftable);
	blk_close(q->file);
	assert_int_equal(sim_allocations(), 0);
}

/* Each block is one cluster more, before what it is for. */
static void test_ends(void **state)
{
	static const uint64_t last = (UINT64_C(1) << 56) >> 21;
	const struct {
		unsigned cluster_bits, order;
		uint64_t n_reftable, next, n;
		enum status st;
		uint64_t n_grown;
	} rows[] = {
		{ 9, 6, 64, 64, 1, ST_OK, 64 },
		{ 9, 6, 64, 64 * 64, 1, ST_OK, 128 },
		{ 9, 6, 64, 64 * 200, 1, ST_OK, 256 }, /* far behind the end: in whole clusters */
		{ 9, 6, 600000, 64 * 600000, 1, ST_OK,
		  REFTABLE_MAX }, /* twice as long would be too long */
		{ 9, 6, 64, UINT64_C(64) * (REFTABLE_MAX - 1), 62, ST_OK, REFTABLE_MAX },
		{ 9, 6, 64, UINT64_C(64) * (REFTABLE_MAX - 1), 64, ST_TOO_LARGE, REFTABLE_MAX },
		{ 9, 6, 64, UINT64_C(64) * REFTABLE_MAX, 1, ST_TOO_LARGE, 64 },
		{ 21, 0, 1 << 18, last - 2, 1, ST_OK, 1 << 18 },
		{ 21, 0, 1 << 18, last - 2, 2, ST_TOO_LARGE, 1 << 18 },
		{ 21, 0, 1 << 18, last, 1, ST_TOO_LARGE, 1 << 18 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct qcow2_image q;
		uint64_t offset;

		open_image(&q, rows[i].cluster_bits, rows[i].order, rows[i].n_reftable,
			   rows[i].next);
		assert_row(qcow2_alloc(&q, rows[i].n, &offset) == rows[i].st, i);
		assert_row(rows[i].st != ST_OK || offset == (rows[i].next + 1)
								    << rows[i].cluster_bits,
			   i);
		assert_row(q.n_reftable == rows[i].n_grown, i);
		close_image(&q);
	}
}

/* All clusters behind the end claim to be in use: the search ends, and nothing is changed. */
static void test_search(void **state)
{
	enum { CLUSTER = 1 << 16 };
	struct qcow2_image q;
	struct memory_blk *m = open_image(&q, 16, 0, CLUSTER / 8, 2);
	uint64_t offset;

	(void)state;
	memset(m->bytes + CLUSTER, 0xff, CLUSTER);
	for (uint64_t i = 0; i < q.n_reftable; i++)
		q.reftable[i] = CLUSTER;
	assert_int_equal(qcow2_alloc(&q, 1, &offset), ST_CORRUPT);
	assert_true(q.next_cluster <= QCOW2_SEARCH_MAX + 4);
	assert_int_equal(q.refcount_cache.n_changed, 0);
	close_image(&q);
}

/* More blocks than the cache has room for: those that are new go out in between. */
static void test_full_cache(void **state)
{
	enum { N = 64 * 1100 };

	(void)state;
	for (int fails = 0; fails <= 1; fails++) {
		struct qcow2_image q;
		struct memory_blk *m = open_image(&q, 9, 6, 64, 2);
		uint64_t offset, refcount;

		m->status = ST_IO;
		m->calls_to_failure = fails ? 1 : 0;
		assert_int_equal(qcow2_alloc(&q, N, &offset), fails ? ST_IO : ST_OK);
		m->calls_to_failure = 0;
		assert_true(m->n_writes > 0);
		for (uint64_t i = 2; !fails && i < q.next_cluster + 2; i++) {
			assert_ok(qcow2_refcount_get(&q, i, &refcount));
			assert_row(refcount == (i < q.next_cluster), i);
		}
		close_image(&q);
	}
}

static void test_users(void **state)
{
	struct qcow2_image q;
	struct memory_blk *m = open_image(&q, 10, 1, 128, 2);
	uint64_t offset, cluster, refcount;

	(void)state;
	assert_ok(qcow2_alloc(&q, 1, &offset));
	cluster = offset / 1024;
	assert_int_equal(qcow2_ref_more(&q, cluster, 3), ST_TOO_LARGE); /* two bits */
	assert_ok(qcow2_ref_more(&q, cluster, 2));
	assert_int_equal(qcow2_ref(&q, cluster), ST_TOO_LARGE);
	assert_int_equal(qcow2_ref(&q, cluster + 1), ST_CORRUPT);
	assert_int_equal(qcow2_release_one(&q, cluster + 1), ST_CORRUPT);
	for (uint64_t left = 3; left-- > 0;) {
		assert_ok(qcow2_release_one(&q, cluster));
		assert_ok(qcow2_refcount_get(&q, cluster, &refcount));
		assert_int_equal(refcount, left);
	}
	assert_int_equal(qcow2_release_one(&q, cluster), ST_CORRUPT);
	/* blocks that cannot be, and one that cannot be read */
	q.reftable[1] = 512;
	assert_int_equal(qcow2_ref(&q, 4096), ST_CORRUPT);
	assert_int_equal(qcow2_release_one(&q, 4096), ST_CORRUPT);
	q.reftable[2] = 1024;
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(qcow2_ref(&q, 8192), ST_IO);
	assert_int_equal(qcow2_release_one(&q, 8192), ST_IO);
	close_image(&q);
}

/* Each use by itself, and after each other; a check has three bits besides the refcount. */
static void test_uses(void **state)
{
	/* three pieces, each of which a C library makes a little longer */
	enum { N = FILE_BYTES / 512, ORDER = 4, SLACK = 64 };
	struct qcow2_image q;
	struct memory_blk *m = open_image(&q, 9, ORDER, 1, 1);
	struct error err;
	struct qcow2_check c = { .q = &q, .file = &m->blk, .err = &err };
	size_t before;

	(void)state;
	sim_peak_restart();
	before = sim_peak_bytes();
	assert_ok(qcow2_counts_init(&c));
	assert_true(sim_peak_bytes() - before <= N * ((1 << ORDER) + 3) / 8 + SLACK);
	qcow2_count(&c, QCOW2_USE_OTHER, 0, 512);
	qcow2_count(&c, QCOW2_USE_DATA, 0, 512);
	assert_true(qcow2_counts_overlap(&c, 0) && !c.header_taken);
	for (enum qcow2_use a = QCOW2_USE_DATA; a <= QCOW2_USE_OTHER; a++)
		for (enum qcow2_use b = QCOW2_USE_DATA; b <= QCOW2_USE_OTHER; b++) {
			uint64_t cluster = 4 * a + b;
			bool twice = a != b || a == QCOW2_USE_OTHER;

			assert_true(qcow2_counts_is_only(&c, cluster, QCOW2_USE_NONE));
			qcow2_count(&c, a, cluster * 512, 512);
			assert_true(qcow2_counts_is_only(&c, cluster, a));
			assert_false(qcow2_counts_overlap(&c, cluster));
			qcow2_count(&c, b, cluster * 512, 512);
			assert_int_equal(qcow2_counts_overlap(&c, cluster), twice);
			assert_int_equal(qcow2_counts_is_only(&c, cluster, a), !twice);
			assert_int_equal(qcow2_counts_get(&c, cluster), 2);
		}
	assert_false(c.header_taken);
	qcow2_count(&c, QCOW2_USE_L2, 0, 512);
	assert_true(c.header_taken);
	qcow2_counts_free(&c);
	close_image(&q);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),       cmocka_unit_test(test_search),
		cmocka_unit_test(test_full_cache), cmocka_unit_test(test_users),
		cmocka_unit_test(test_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
