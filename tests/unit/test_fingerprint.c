/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fingerprint is the same for the same disk, however it is divided, and says where another one
 * differs.
 */
#include "unit.h"

#include "engine/fingerprint.h"

enum { DISK_BYTES = 9 << 20 };

static uint8_t disk[DISK_BYTES];

static void fill(struct fingerprint *print, const uint8_t *bytes, size_t n, size_t step,
		 bool backwards)
{
	struct error err;
	size_t pieces = (n + step - 1) / step;

	assert_ok(fingerprint_open(print, n, &err));
	for (size_t i = 0; i < pieces; i++) {
		size_t at = (backwards ? pieces - 1 - i : i) * step;
		size_t end = n - at < step ? n : at + step, middle = at + (end - at) / 1536 * 512;
		uint64_t part[FINGERPRINT_PARTS] = { 0 };

		fingerprint_part(print, at, at, bytes + at, middle - at, part);
		fingerprint_part(print, at, middle, bytes + middle, end - middle, part);
		fingerprint_add(print, at, part);
	}
}

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < DISK_BYTES; i++)
		disk[i] = i / 100000 % 4 == 0 ? 0 : (uint8_t)(i * 2654435761u >> 24);
	return 0;
}

static void however_divided(void **state)
{
	static const size_t steps[] = { 512, 4608, 65536, 1 << 20, 3 << 20, 4 << 20 };
	struct fingerprint whole, divided;
	uint64_t at, n;

	(void)state;
	fill(&whole, disk, DISK_BYTES - 300, 1 << 20, false);
	for (size_t i = 0; i < 2 * N_OF(steps); i++) {
		fill(&divided, disk, DISK_BYTES - 300, steps[i / 2], i % 2 != 0);
		assert_row(fingerprint_same(&whole, &divided, &at, &n), i);
		fingerprint_close(&divided);
	}
	fingerprint_close(&whole);
	assert_int_equal(sim_allocations(), 0);
}

static void differences(void **state)
{
	static const size_t places[] = { 0, 512, 400000, (4 << 20) - 1, 4 << 20, DISK_BYTES - 1 };
	struct fingerprint before, after;
	uint64_t at, n;

	(void)state;
	fill(&before, disk, DISK_BYTES, 1 << 20, false);
	for (size_t i = 0; i < N_OF(places); i++) {
		disk[places[i]] ^= 0x10;
		fill(&after, disk, DISK_BYTES, 1 << 20, false);
		disk[places[i]] ^= 0x10;
		assert_row(!fingerprint_same(&before, &after, &at, &n), i);
		assert_row(at <= places[i] && places[i] < at + n && at + n <= DISK_BYTES, i);
		fingerprint_close(&after);
	}
	fingerprint_close(&before);
}

/* Blocks that change places are another disk. */
static void order(void **state)
{
	struct fingerprint before, after;
	uint8_t block[512];
	uint64_t at, n;

	(void)state;
	fill(&before, disk, DISK_BYTES, 1 << 20, false);
	memcpy(block, disk + (1 << 20), 512);
	memcpy(disk + (1 << 20), disk + (2 << 20), 512);
	memcpy(disk + (2 << 20), block, 512);
	fill(&after, disk, DISK_BYTES, 1 << 20, false);
	assert_false(fingerprint_same(&before, &after, &at, &n));
	fingerprint_close(&before);
	fingerprint_close(&after);
}

static void little_memory(void **state)
{
	struct fingerprint print;
	struct error err;

	(void)state;
	sim_peak_restart();
	assert_ok(fingerprint_open(&print, UINT64_C(1) << 62, &err));
	assert_true(sim_peak_bytes() <= (1 << 20) + 4096);
	fingerprint_close(&print);
	sim_fail_allocation(1);
	assert_int_equal(fingerprint_open(&print, 1 << 20, &err), ST_NO_MEMORY);
	fingerprint_close(&print);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(however_divided, set_up),
		cmocka_unit_test_setup(differences, set_up),
		cmocka_unit_test_setup(order, set_up),
		cmocka_unit_test(little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
