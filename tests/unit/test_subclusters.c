/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing parts of a cluster of which QEMU has allocated some subclusters (section "Extended L2
 * Entries"). efi-img itself always writes whole clusters, so the bitmap of the entry is made here.
 * Whatever is written where, the disk reads as if it were an array of bytes: what the write does
 * not touch keeps its bytes, from the cluster or from the backing file.
 */
#include "format/chain.h"
#include "powercut.h"
#include "run.h"
#include "verdict.h"

enum { CLUSTER = 16 << 10, UNIT = CLUSTER / 32, DISK = 3 * CLUSTER };

static struct storage storage;
static uint8_t below[DISK], above[DISK];

static uint64_t get(const uint8_t *at, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | at[i];
	return value;
}

/* The second cluster has only the subclusters of `allocated`; of the others, the backing file
 * shows. */
static void make(const struct sim_files *files, uint32_t allocated)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };
	uint8_t *bytes, *entry;
	uint64_t size;

	sim_files_restore(&roomy, files);
	bytes = (uint8_t *)(uintptr_t)sim_file("a", &size);
	entry = bytes + (get(bytes + get(bytes + 40, 8), 8) & 0x00fffffffffffe00) + 16;
	for (size_t i = 0; i < 4; i++) {
		entry[8 + i] = 0;
		entry[12 + i] = (uint8_t)(allocated >> (24 - 8 * i));
	}
}

static void write_and_compare(uint32_t allocated, size_t skip, size_t n)
{
	static uint8_t expected[DISK], read[DISK], new[CLUSTER];
	struct chain chain;
	struct error why;
	const uint8_t *image;
	uint64_t size;
	char text[256];

	memcpy(expected, above, DISK);
	for (size_t i = 0; i < 32; i++)
		if ((allocated >> i & 1) == 0)
			memcpy(expected + CLUSTER + i * UNIT, below + CLUSTER + i * UNIT, UNIT);
	memset(new, 0xee, n);
	memcpy(expected + CLUSTER + skip, new, n);
	for (unsigned again = 0; again < 2; again++) {
		if (storage_begin(&storage, NULL, &why) != ST_OK ||
		    chain_open_writable(&storage, "a", image_format_find("qcow2"), 0, &chain,
					&why) != ST_OK)
			fail_msg("%s", why.text);
		if (again == 0) {
			assert_ok(blk_write(&chain.link[0].image->blk, CLUSTER + skip, new, n));
			assert_ok(image_flush(chain.link[0].image, &why));
		}
		assert_ok(blk_read(&chain.link[0].image->blk, 0, read, DISK));
		chain_close(&chain);
		storage_end(&storage);
		if (memcmp(read, expected, DISK) != 0)
			fail_msg("subclusters %08x, %zu bytes at %zu: the disk is not as written",
				 allocated, n, skip);
	}
	image = sim_file("a", &size);
	if (!verdict_qcow2(image, size, VERDICT_CLEAN, text))
		fail_msg("subclusters %08x, %zu bytes at %zu: %s", allocated, n, skip, text);
}

static void every_part(void **state)
{
	static const uint32_t bitmaps[] = { 1,          2,          0x7,        0xff0, 0x55555555,
					    0x80000001, 0xfffffffe, 0xffffffff, 0 };
	static const size_t skips[] = { 0, 1, 256, UNIT, UNIT + 256, 3 * UNIT - 1, 31 * UNIT };
	static const size_t lengths[] = { 1,        255,      256,          257,    UNIT,
					  UNIT + 1, 2 * UNIT, 5 * UNIT + 7, CLUSTER };
	struct sim_files files;

	(void)state;
	sim_volume(&(struct sim_volume_kind){ .free_bytes = 16 << 20 });
	memset(below, 'b', DISK);
	for (size_t i = 0; i < DISK; i++)
		above[i] = (uint8_t)(i / UNIT + 1);
	sim_file_put("below", below, DISK);
	sim_file_put("above", above, DISK);
	MUST("create", "-q", "-f", "qcow2", "-b", "below", "-F", "raw", "-o",
	     "cluster_size=16k,extended_l2=on", "a");
	MUST("convert", "-n", "-f", "raw", "-O", "qcow2", "above", "a");
	files = sim_files_keep();
	for (size_t b = 0; b < N_OF(bitmaps); b++)
		for (size_t s = 0; s < N_OF(skips); s++)
			for (size_t l = 0; l < N_OF(lengths); l++)
				if (skips[s] + lengths[l] <= CLUSTER) {
					make(&files, bitmaps[b]);
					write_and_compare(bitmaps[b], skips[s], lengths[l]);
				}
	sim_files_drop(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
