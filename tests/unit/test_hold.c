/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/memory.h"
#include "blk/hold.h"
#include "blk/mark.h"
#include "blk/window.h"
#include "memory_blk.h"

enum { KIB = 1 << 10, DISK = 256 * KIB, HELD = 64 * KIB };

static const struct hold_kind zeros = { .bytes = HELD };

static struct memory_blk *disk(void)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = DISK, .block_bytes = 4096, .buffer_align = 8, .writable = true });

	memset(m->bytes, 0x11, DISK);
	return m;
}

static bool all(const uint8_t *bytes, uint8_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static void assert_extent(struct blk *blk, uint64_t offset, uint64_t len, uint64_t expected)
{
	struct extent extent;

	assert_ok(blk_extent(blk, offset, len, &extent));
	assert_int_equal(extent.length, expected);
	assert_true(extent.allocated && extent.data && !extent.zero && extent.has_offset &&
		    extent.offset == offset);
}

/*
 * What was at the beginning is gone at once, and what will be there comes last, however it was
 * written.
 */
static void test_disk(void **state)
{
	struct memory_blk *m = disk();
	uint8_t data[1000], seen[1000];
	struct blk *held;

	(void)state;
	memset(data, 0x22, sizeof data);
	assert_ok(hold_open(&m->blk, &zeros, &held));
	assert_true(all(m->bytes, 0, HELD) && all(m->bytes + HELD, 0x11, DISK - HELD));
	assert_int_equal(m->n_flushes, 1);
	assert_ok(blk_write(held, 5, data, 1000));
	assert_ok(blk_write(held, HELD - 500, data, 1000));
	assert_ok(blk_write_zeros(held, DISK - 4096, 4096));
	assert_ok(blk_flush(held));
	assert_true(all(m->bytes, 0, HELD) && all(m->bytes + HELD, 0x22, 500) &&
		    all(m->bytes + HELD + 500, 0x11, 1000));
	assert_ok(blk_read(held, HELD - 500, seen, 1000));
	assert_memory_equal(seen, data, 1000);
	assert_ok(blk_read(held, 0, seen, 10));
	assert_memory_equal(seen, "\0\0\0\0\0\x22\x22\x22\x22\x22", 10);
	assert_int_equal(blk_write(held, DISK - 1, data, 2), ST_INVALID);
	assert_ok(hold_release(held));
	assert_true(all(m->bytes, 0, 5) && all(m->bytes + 5, 0x22, 1000) &&
		    all(m->bytes + 1005, 0, HELD - 1505));
	assert_ok(blk_write(held, 0, data, 5));
	assert_int_equal(m->bytes[0], 0x22);
	m->bytes[1] = 0x44;
	assert_ok(hold_release(held)); /* again: nothing is written a second time */
	assert_int_equal(m->bytes[1], 0x44);
	blk_close(held);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * What a disk makes zeros itself is kept back like what is written, and the beginning is written
 * even so: it shows whether it can be.
 */
static void test_zeroing_disk(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = DISK, .writable = true, .zero_bytes = 4096 });
	uint8_t data[8192], seen[8192];
	struct blk *held, *window;

	(void)state;
	memset(m->bytes, 0x11, DISK);
	memset(data, 0x22, sizeof data);
	assert_ok(hold_open(&m->blk, &zeros, &held));
	assert_true(m->n_zeros == 0 && all(m->bytes, 0, HELD));
	window = window_open(held, &(struct window_kind){ .start = 4096,
							  .size = DISK - 4096,
							  .limit = DISK - 4096 });
	assert_int_equal(window->zero_bytes, 4096);
	assert_ok(blk_write(held, HELD - 8192, data, 8192));
	assert_ok(blk_write_zeros(window, HELD - 8192, 12 * KIB));
	assert_int_equal(m->n_zeros, 1);
	assert_true(all(m->bytes + HELD, 0, 8 * KIB) &&
		    all(m->bytes + HELD + 8 * KIB, 0x11, DISK - HELD - 8 * KIB));
	assert_ok(blk_read(held, HELD - 8192, seen, 8192));
	assert_true(all(seen, 0x22, 4096) && all(seen + 4096, 0, 4096));
	assert_ok(hold_release(held));
	assert_true(all(m->bytes + HELD - 8192, 0x22, 4096) &&
		    all(m->bytes + HELD - 4096, 0, 4096));
	blk_close(window);
	blk_close(held);
	assert_int_equal(sim_allocations(), 0);
}

/* Of what can grow: what is kept back is data, and ends where the file's begins. */
static void test_extents(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = DISK, .writable = true, .limit = DISK });
	struct blk *held;

	(void)state;
	assert_ok(hold_open(&m->blk, &zeros, &held));
	assert_extent(held, 8192, DISK - 8192, HELD - 8192);
	assert_extent(held, HELD, 4096, 4096);
	assert_ok(hold_release(held));
	assert_extent(held, 8192, DISK - 8192, DISK - 8192);
	blk_close(held);
	assert_int_equal(sim_allocations(), 0);
}

/* A disk that is smaller than what is kept back. */
static void test_small_disk(void **state)
{
	struct memory_blk *m = disk();
	uint8_t data[DISK];
	struct blk *held;

	(void)state;
	memset(data, 0x22, sizeof data);
	assert_ok(hold_open(&m->blk, &(struct hold_kind){ .bytes = 4 * DISK }, &held));
	assert_ok(blk_write(held, 0, data, DISK));
	assert_true(all(m->bytes, 0, DISK));
	assert_ok(hold_release(held));
	assert_true(all(m->bytes, 0x22, DISK));
	blk_close(held);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * Until the release has succeeded, there is nothing but zeros; what fails leaves the caller with
 * the disk.
 */
static void test_failures(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		struct memory_blk *m = disk();
		struct blk *held = &m->blk;

		sim_fail_allocation(n);
		assert_int_equal(hold_open(&m->blk, &zeros, &held), ST_NO_MEMORY);
		sim_fail_allocation(0);
		assert_ptr_equal(held, &m->blk);
		blk_close(&m->blk);
	}
	for (int release = 0; release <= 1; release++) {
		struct memory_blk *m = disk();
		struct blk *held = &m->blk;

		if (release) {
			assert_ok(hold_open(&m->blk, &zeros, &held));
			assert_ok(blk_write(held, 0, "x", 1));
		}
		m->calls_to_failure = 1;
		m->status = ST_MEDIUM_CHANGED;
		assert_int_equal(release ? hold_release(held) : hold_open(&m->blk, &zeros, &held),
				 ST_MEDIUM_CHANGED);
		assert_true(all(m->bytes, release ? 0 : 0x11, HELD));
		blk_close(held);
	}
	assert_int_equal(sim_allocations(), 0);
}

static unsigned flushes_to_failure;

static enum status fail_to_flush(struct blk *blk)
{
	(void)blk;
	return --flushes_to_failure == 0 ? ST_IO : ST_OK;
}

/*
 * Whatever fails, a disk that was not released has no beginning; where not even zeros can be
 * written any more, that is said.
 */
static void test_failures_of_release(void **state)
{
	unsigned unknown = 0;

	(void)state;
	for (int of_flush = 0; of_flush <= 1; of_flush++)
		for (unsigned n = 1;; n++) {
			struct memory_blk *m = disk();
			struct blk_ops ops = *m->blk.ops;
			struct blk *held;
			enum status st;

			assert_ok(hold_open(&m->blk, &zeros, &held));
			assert_ok(blk_write(held, 0, "x", 1));
			ops.flush = fail_to_flush;
			m->blk.ops = &ops;
			flushes_to_failure = of_flush ? n : 0;
			m->calls_to_failure = of_flush ? 0 : n; /* from then on */
			m->status = ST_IO;
			st = hold_release(held);
			assert_true(m->bytes[0] == 0 || st == ST_OK ||
				    hold_first_sector_uncertain(held));
			assert_true(!hold_first_sector_uncertain(held) ||
				    (st != ST_OK && !of_flush));
			unknown += hold_first_sector_uncertain(held);
			blk_close(held);
			if (st == ST_OK)
				break;
			assert_int_equal(st, ST_IO);
		}
	assert_int_equal(unknown, 2); /* writing the first sector, and reading it back */
	assert_int_equal(sim_allocations(), 0);
}

static enum status lose(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	(void)blk, (void)offset, (void)buf, (void)len;
	return ST_OK;
}

/*
 * A driver that hides that a write has failed: what was at the beginning would stay there, before
 * something else.
 */
static void test_lost_writes(void **state)
{
	(void)state;
	for (int release = 0; release <= 1; release++) {
		struct memory_blk *m = disk();
		struct blk_ops losing = *m->blk.ops;
		struct blk *held = &m->blk;

		losing.write = lose;
		if (release) {
			assert_ok(hold_open(&m->blk, &zeros, &held));
			assert_ok(blk_write(held, 0, "x", 1));
		}
		m->blk.ops = &losing;
		assert_int_equal(release ? hold_release(held) : hold_open(&m->blk, &zeros, &held),
				 ST_MISMATCH);
		blk_close(held);
	}
	assert_int_equal(sim_allocations(), 0);
}

static struct memory_blk *file_of(uint64_t size)
{
	return memory_blk_new(&(struct memory_blk_kind){
		.size = size, .block_bytes = 1, .writable = true, .limit = 2 * DISK });
}

static bool marked(const struct memory_blk *m)
{
	uint8_t id[MARK_ID_BYTES];

	return m->blk.size >= MARK_BYTES && mark_parse(m->bytes, MARK_IMAGE, id);
}

/*
 * A new file has its mark from the first moment to the release, however it is written to, made
 * longer, or shorter.
 */
static void test_marked_file(void **state)
{
	struct memory_blk *m = file_of(0);
	uint8_t mark[MARK_BYTES], data[4096], seen[4096];
	struct blk *held;

	(void)state;
	mark_make(MARK_IMAGE, NULL, mark);
	memset(data, 0x22, sizeof data);
	assert_ok(hold_open(&m->blk, &(struct hold_kind){ .bytes = HOLD_IMAGE_BYTES, .mark = mark },
			    &held));
	assert_true(marked(m) && m->n_flushes == 1 && held->size == 0);
	assert_ok(blk_write(held, 0, data, sizeof data));
	assert_true(marked(m) && all(m->bytes + MARK_BYTES, 0x22, sizeof data - MARK_BYTES));
	assert_ok(blk_read(held, 0, seen, sizeof seen));
	assert_memory_equal(seen, data, sizeof data);
	for (uint64_t size = 0; size <= 8192; size += 511) { /* cut, and made longer in every way */
		assert_ok(blk_resize(held, size, PREALLOC_OFF));
		assert_ok(blk_resize(held, 8192, PREALLOC_OFF));
		assert_true(marked(m));
		assert_ok(blk_resize(held, size, PREALLOC_OFF));
		assert_ok(blk_write(held, 8000, data, 10));
		assert_true(marked(m));
		assert_ok(blk_resize(held, size, PREALLOC_OFF));
		assert_ok(blk_write(held, 500, data, 1000));
		assert_true(marked(m));
	}
	assert_ok(blk_read(held, 0, seen, sizeof seen));
	assert_ok(hold_release(held));
	assert_true(!marked(m) && memcmp(m->bytes, seen, sizeof seen) == 0);
	blk_close(held);
	assert_int_equal(sim_allocations(), 0);
}

/* What is shorter than the mark is as long as what was written, when it is complete. */
static void test_short_file(void **state)
{
	uint8_t mark[MARK_BYTES];

	(void)state;
	mark_make(MARK_RECORD, NULL, mark);
	for (uint64_t size = 0; size <= MARK_BYTES; size += 64) {
		struct memory_blk *m = file_of(0);
		uint8_t data[MARK_BYTES], seen[MARK_BYTES];
		struct blk *held;

		memset(data, 0x22, sizeof data);
		assert_ok(hold_open(&m->blk,
				    &(struct hold_kind){ .bytes = HOLD_IMAGE_BYTES, .mark = mark },
				    &held));
		assert_ok(blk_write(held, 0, data, MARK_BYTES));
		assert_ok(blk_resize(held, size / 2, PREALLOC_OFF));
		assert_ok(blk_resize(held, size, PREALLOC_OFF));
		assert_true(held->size == size && m->blk.size == MARK_BYTES &&
			    memcmp(m->bytes, mark, MARK_BYTES) == 0);
		assert_ok(blk_read(held, 0, seen, size));
		assert_true(all(seen, 0x22, size / 2) && all(seen + size / 2, 0, size - size / 2));
		assert_ok(hold_release(held));
		assert_true(m->blk.size == size && all(m->bytes, 0x22, size / 2) &&
			    all(m->bytes + size / 2, 0, size - size / 2));
		blk_close(held);
	}
	assert_int_equal(sim_allocations(), 0);
}

/*
 * A copy that is resumed changes nothing before its first write that is passed on; then the
 * placeholder comes first.
 */
static void test_resumed(void **state)
{
	uint8_t data[1000], seen[1000];

	(void)state;
	memset(data, 0x22, sizeof data);
	for (int how = 0; how < 5; how++) {
		struct memory_blk *m = how < 3 ? disk() : file_of(DISK);
		const struct hold_kind kind = { .bytes = HELD, .resumes = true };
		struct blk *held;

		memset(m->bytes, 0x11, DISK);
		assert_ok(hold_open(&m->blk, &kind, &held));
		assert_ok(blk_write(held, 10, data, sizeof data));
		assert_ok(blk_write_zeros(held, 5000, 4096));
		assert_ok(blk_flush(held));
		assert_ok(blk_read(held, HELD, seen, sizeof seen));
		assert_true(hold_untouched(held) && all(m->bytes, 0x11, DISK));
		switch (how) {
		case 0:
			assert_ok(blk_write(held, HELD - 500, data, sizeof data));
			break;
		case 1:
			assert_ok(blk_write_zeros(held, HELD, 4096));
			break;
		case 2:
			assert_ok(hold_release(held));
			break;
		case 3:
			assert_ok(blk_resize(held, DISK - 1, PREALLOC_OFF));
			break;
		default:
			assert_ok(blk_write(held, DISK - 1, data, 2));
			break;
		}
		assert_true(!hold_untouched(held) && all(m->bytes, 0, 10));
		if (how != 2)
			assert_true(all(m->bytes, 0, HELD));
		blk_close(held);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* Where the placeholder cannot be written, nothing else is. */
static void test_resumed_fails(void **state)
{
	const struct hold_kind kind = { .bytes = HELD, .resumes = true };

	(void)state;
	for (int how = 0; how < 4; how++) {
		struct memory_blk *m = how < 3 ? disk() : file_of(DISK);
		struct blk *held;

		memset(m->bytes, 0x11, DISK);
		assert_ok(hold_open(&m->blk, &kind, &held));
		m->calls_to_failure = 1;
		m->status = ST_IO;
		assert_int_equal(how == 0   ? blk_write(held, HELD, "x", 1)
				 : how == 1 ? blk_write_zeros(held, HELD, 4096)
				 : how == 2 ? hold_release(held)
					    : blk_resize(held, DISK / 2, PREALLOC_OFF),
				 ST_IO);
		assert_true(all(m->bytes, 0x11, DISK) && m->blk.size == DISK &&
			    hold_untouched(held));
		blk_close(held);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_window(void **state)
{
	struct memory_blk *m = disk();
	struct blk *window = window_open(&m->blk, &(struct window_kind){ .start = 8192,
									 .size = 8192,
									 .limit = 8192 });
	uint8_t data[8193];

	(void)state;
	memset(data, 0x33, sizeof data);
	assert_int_equal(blk_write(window, 0, data, 8193), ST_INVALID);
	assert_int_equal(blk_read(window, 8192, data, 1), ST_INVALID);
	assert_ok(blk_write(window, 1, data, 8191));
	assert_ok(blk_flush(window));
	assert_true(all(m->bytes, 0x11, 8193) && all(m->bytes + 8193, 0x33, 8191) &&
		    all(m->bytes + 16384, 0x11, 8192));
	assert_int_equal(blk_resize(window, 9000, PREALLOC_OFF), ST_UNSUPPORTED);
	blk_close(window);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * A place for an image: it grows like a file, gaps are zeros whatever was on the disk, and its end
 * is the end of the volume.
 */
static void test_growing_window(void **state)
{
	struct memory_blk *m = disk();
	struct blk *window = window_open(&m->blk, &(struct window_kind){ .start = 4096,
									 .limit = 16384,
									 .owns = true });
	uint8_t data[100];

	(void)state;
	memset(data, 0x33, sizeof data);
	assert_int_equal(window->size, 0);
	assert_ok(blk_write(window, 1000, data, 100));
	assert_int_equal(window->size, 1100);
	assert_true(all(m->bytes, 0x11, 4096) && all(m->bytes + 4096, 0, 1000) &&
		    all(m->bytes + 5096, 0x33, 100));
	assert_ok(blk_resize(window, 500, PREALLOC_OFF));
	assert_ok(blk_resize(window, 16384, PREALLOC_FULL));
	assert_true(all(m->bytes + 4096 + 500, 0, 16384 - 500) &&
		    all(m->bytes + 4096 + 16384, 0x11, 100));
	assert_int_equal(blk_write(window, 16300, data, 100), ST_NO_SPACE);
	assert_int_equal(blk_resize(window, 16385, PREALLOC_OFF), ST_NO_SPACE);
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(blk_write(window, 0, data, 100), ST_IO);
	blk_close(window);
	assert_int_equal(sim_allocations(), 0);
}

static void test_window_for_reading(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 8192, .block_bytes = 512 });
	struct blk *window = window_open(&m->blk, &(struct window_kind){ .start = 512,
									 .size = 512,
									 .limit = 512,
									 .owns = true });

	(void)state;
	assert_null(window->ops->write);
	assert_int_equal(blk_write(window, 0, "x", 1), ST_READ_ONLY);
	blk_close(window);
	sim_fail_allocation(1);
	assert_null(window_open(NULL, NULL));
	sim_fail_allocation(0);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk),           cmocka_unit_test(test_zeroing_disk),
		cmocka_unit_test(test_extents),        cmocka_unit_test(test_small_disk),
		cmocka_unit_test(test_failures),       cmocka_unit_test(test_failures_of_release),
		cmocka_unit_test(test_lost_writes),    cmocka_unit_test(test_marked_file),
		cmocka_unit_test(test_short_file),     cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_resumed_fails),  cmocka_unit_test(test_window),
		cmocka_unit_test(test_growing_window), cmocka_unit_test(test_window_for_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
