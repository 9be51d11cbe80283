/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An image of which a change has failed: it can be read, flushed and closed, and nothing else. That
 * each failure of each operation leaves a sound image is enumerated in test_failures.c; here is
 * what the open image answers.
 */
#include "contents.h"
#include "format/chain.h"
#include "run.h"
#include "verdict.h"

enum { DISK = 64 << 10, CLUSTER = 4096 };

static struct storage storage;
static struct chain chain;
static struct image *image;

/* A disk that a snapshot shares, with an automatic bitmap. */
static void open_shared(void)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };
	struct error why;

	sim_volume(&roomy);
	put_raw("disk", 1, DISK, 0);
	MUST("convert", "-O", "qcow2", "-o", "cluster_size=4k", "disk", "a");
	MUST("bitmap", "--add", "-g", "4k", "a", "on");
	MUST("snapshot", "-c", "s", "a");
	if (storage_begin(&storage, NULL, &why) != ST_OK ||
	    chain_open_writable(&storage, "a", image_format_find("qcow2"), 0, &chain, &why) !=
		    ST_OK)
		fail_msg("%s", why.text);
	image = chain.link[0].image;
}

static void close_sound(void)
{
	struct contents now;
	uint64_t size;
	const uint8_t *bytes;
	char why[256];

	chain_close(&chain);
	storage_end(&storage);
	bytes = sim_file("a", &size);
	if (!verdict_qcow2(bytes, size, VERDICT_SOUND, why))
		fail_msg("%s", why);
	now = contents_read();
	contents_free(&now);
}

/* The n-th call to the volume while a part of a shared cluster is written. */
static bool fail_write(unsigned n)
{
	enum status st;

	sim_volume_fail(n, ST_NO_SPACE);
	st = blk_write(&image->blk, 5 * CLUSTER + 512, "word", 4);
	assert_int_equal(st, sim_volume_failed() ? ST_NO_SPACE : ST_OK);
	return sim_volume_failed();
}

static void changes_are_refused_after_a_failed_write(void **state)
{
	unsigned n = 1, n_flushed = 0;

	(void)state;
	for (bool failed = true; failed; n++) {
		uint8_t byte, before[CLUSTER];
		struct error why;

		open_shared();
		assert_ok(blk_read(&image->blk, 5 * CLUSTER, before, sizeof before));
		failed = fail_write(n);
		sim_volume_fail(0, ST_OK);
		assert_int_equal(blk_write(&image->blk, 0, "w", 1), failed ? ST_NO_SPACE : ST_OK);
		assert_int_equal(blk_write_zeros(&image->blk, 8 * CLUSTER, CLUSTER),
				 failed ? ST_NO_SPACE : ST_OK);
		assert_int_equal(blk_resize(&image->blk, 2 * DISK, PREALLOC_OFF),
				 failed ? ST_NO_SPACE : ST_OK);
		assert_int_equal(image->format->snapshots.create(image, "t", &why),
				 failed ? ST_NO_SPACE : ST_OK);
		if (failed)
			assert_non_null(strstr(why.text, "a change before this one has failed"));
		assert_int_equal(image->format->bitmaps.clear(image, 0, &why),
				 failed ? ST_NO_SPACE : ST_OK);
		assert_int_equal(image->format->change.make_empty(image),
				 failed ? ST_NO_SPACE : ST_OK);
		assert_ok(blk_read(&image->blk, 5 * CLUSTER, &byte, 1));
		if (failed)
			assert_int_equal(byte, before[0]);
		/* not if it was a flush that failed */
		n_flushed += image_flush(image, &why) == ST_OK;
		close_sound();
	}
	assert_true(n > 4 && n_flushed == n - 2);
}

/* A drive that has lost what it was to flush says so once. */
static void a_flush_that_failed_fails_again(void **state)
{
	unsigned n_failed = 0;

	(void)state;
	for (unsigned n = 1;; n++) {
		struct error why;
		bool failed;

		open_shared();
		assert_ok(blk_write(&image->blk, 5 * CLUSTER + 512, "word", 4));
		sim_volume_fail(n, ST_IO);
		failed = image_flush(image, &why) != ST_OK;
		assert_int_equal(failed, sim_volume_failed());
		sim_volume_fail(0, ST_OK);
		if (!failed) {
			close_sound();
			break;
		}
		n_failed += image_flush(image, &why) != ST_OK;
		close_sound();
	}
	assert_true(n_failed >= 3); /* what the other calls wrote is written again */
}

/* What a bitmap lacks after a failure, nobody knows. */
static void bitmaps_stay_in_use(void **state)
{
	struct error why;

	(void)state;
	open_shared();
	assert_ok(blk_write(&image->blk, 0, "word", 4));
	assert_true(fail_write(1));
	sim_volume_fail(0, ST_OK);
	assert_ok(image_flush(image, &why));
	close_sound();
	MUST("info", "a");
	assert_non_null(strstr(out.text, "in-use"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_refused_after_a_failed_write),
		cmocka_unit_test(a_flush_that_failed_fails_again),
		cmocka_unit_test(bitmaps_stay_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
