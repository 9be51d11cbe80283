/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "base/crc32c.h"
#include "run.h"

/*
 * VHDX images made by hand, byte by byte, for tests: blocks of 1 MiB, a disk of 3.5 MiB, of which
 * blocks 0 and 2 are stored. What is changed in it is sealed: the checksums are put right.
 */
enum {
	MIB = 1 << 20,
	KIB64 = 64 << 10,
	HEADER_1 = KIB64,
	HEADER_2 = 2 * KIB64,
	REGIONS_1 = 3 * KIB64,
	REGIONS_2 = 4 * KIB64,
	LOG = MIB,
	BAT = 2 * MIB,
	METADATA = 3 * MIB,
	ITEMS = METADATA + KIB64,
	LOCATOR = ITEMS + 4096,
	BLOCK_0 = 4 * MIB,
	BLOCK_2 = 5 * MIB,
	FILE_BYTES = 6 * MIB,
	DISK = 3 * MIB + MIB / 2,
	N_ITEMS = 6,
};

static uint8_t image[FILE_BYTES + 2 * MIB], disk[DISK];
static uint64_t file_bytes;

static inline void poke(uint64_t at, size_t n, uint64_t value)
{
	bytes_to_le(image + at, n, value);
}

/* A GUID from its text. */
static inline void poke_guid(uint64_t at, const char *text)
{
	static const uint8_t order[] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	for (size_t i = 0; i < sizeof order; i++, text += 2) {
		unsigned byte;

		text += *text == '-';
		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		image[at + order[i]] = (uint8_t)byte;
	}
}

static inline void seal(uint64_t at, size_t n)
{
	poke(at + 4, 4, 0);
	poke(at + 4, 4, crc32c(0, image + at, n));
}

static inline void seal_all(void)
{
	seal(HEADER_1, 4096);
	seal(HEADER_2, 4096);
	seal(REGIONS_1, KIB64);
	seal(REGIONS_2, KIB64);
}

static inline void put_header(uint64_t at, uint64_t sequence)
{
	memcpy(image + at, "head", 4);
	poke(at + 8, 8, sequence);
	poke_guid(at + 16, "11111111-1111-1111-1111-111111111111");
	poke_guid(at + 32, "22222222-2222-2222-2222-222222222222");
	poke(at + 66, 2, 1);
	poke(at + 68, 4, MIB);
	poke(at + 72, 8, LOG);
}

static inline void put_regions(uint64_t at)
{
	memcpy(image + at, "regi", 4);
	poke(at + 8, 4, 2);
	poke_guid(at + 16, "2dc27766-f623-4200-9d64-115e9bfd4a08");
	poke(at + 32, 8, BAT);
	poke(at + 40, 4, MIB);
	poke(at + 44, 4, 1);
	poke_guid(at + 48, "8b7ca206-4790-4b9a-b8fe-575f050f886e");
	poke(at + 64, 8, METADATA);
	poke(at + 72, 4, MIB);
	poke(at + 76, 4, 1);
}

static inline void put_item(unsigned i, const char *id, uint32_t offset, uint32_t bytes)
{
	uint64_t at = METADATA + 32 * (i + 1);

	poke_guid(at, id);
	poke(at + 16, 4, offset);
	poke(at + 20, 4, bytes);
	poke(at + 24, 4, 4);
}

static inline void put_metadata(uint32_t sector_bytes)
{
	memcpy(image + METADATA, "metadata", 8);
	poke(METADATA + 10, 2, 5);
	put_item(0, "caa16737-fa36-4d43-b3b6-33f0aa44e76b", KIB64, 8);
	put_item(1, "2fa54224-cd1b-4876-b211-5dbed83bf4b8", KIB64 + 8, 8);
	put_item(2, "beca12ab-b2e6-4523-93ef-c309e000c746", KIB64 + 16, 16);
	put_item(3, "8141bf1d-a96f-4709-ba47-f233a8faab5f", KIB64 + 32, 4);
	put_item(4, "cda348c7-445d-4471-9cc9-e9885251c556", KIB64 + 36, 4);
	poke(ITEMS, 4, MIB);
	poke(ITEMS + 8, 8, DISK);
	poke(ITEMS + 32, 4, sector_bytes);
	poke(ITEMS + 36, 4, 4096);
}

/* The image of before, with what its disk is in `disk`. */
static inline void make(uint32_t sector_bytes)
{
	memset(image, 0, sizeof image);
	memset(disk, 0, sizeof disk);
	file_bytes = FILE_BYTES;
	memcpy(image, "vhdxfile", 8);
	put_header(HEADER_1, 7);
	put_header(HEADER_2, 6);
	put_regions(REGIONS_1);
	put_regions(REGIONS_2);
	put_metadata(sector_bytes);
	poke(BAT, 8, BLOCK_0 | 6);
	poke(BAT + 8, 8, 2);
	poke(BAT + 16, 8, BLOCK_2 | 6);
	for (size_t i = 0; i < MIB; i++) {
		disk[i] = image[BLOCK_0 + i] = (uint8_t)(i / 512 * 3 + i % 7 + 1);
		disk[2 * MIB + i] = image[BLOCK_2 + i] = (uint8_t)(i / 512 * 5 + i % 11 + 1);
	}
	seal_all();
}

static inline void put(const char *name)
{
	sim_file_put(name, image, file_bytes);
}

/* The image of that name has the disk `disk`. */
static inline void assert_disk(const char *name)
{
	const uint8_t *flat;
	uint64_t n;

	MUST("convert", "--force", "-q", "-O", "raw", name, "flat");
	flat = sim_file("flat", &n);
	assert_int_equal(n, DISK);
	assert_memory_equal(flat, disk, DISK);
}

static inline void assert_refused(const char *name, const char *words)
{
	if (RUN("map", name) != EXIT_ERROR || strstr(err.text, words) == NULL)
		fail_msg("wanted \"%s\": %s", words, err.text);
}

/* ---- the parent locator ---- */

static uint32_t locator_bytes;

static inline uint32_t put_text(const char *text)
{
	uint32_t at = locator_bytes;

	for (; *text != '\0'; text++, locator_bytes += 2)
		poke(LOCATOR + locator_bytes, 2, (uint8_t)*text);
	return at;
}

/* It has a parent; the pairs of keys and values end with a NULL. */
static inline void put_locator(const char *const pairs[][2])
{
	unsigned n = 0;

	while (pairs[n][0] != NULL)
		n++;
	poke(ITEMS + 4, 4, 2);
	poke(METADATA + 10, 2, 6);
	poke_guid(LOCATOR, "b04aefb7-d19e-4a81-b789-25b8e9445913");
	poke(LOCATOR + 18, 2, n);
	locator_bytes = 20 + 12 * n;
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = LOCATOR + 20 + 12 * i;

		poke(at, 4, put_text(pairs[i][0]));
		poke(at + 8, 2, 2 * strlen(pairs[i][0]));
		poke(at + 4, 4, put_text(pairs[i][1]));
		poke(at + 10, 2, 2 * strlen(pairs[i][1]));
	}
	put_item(5, "a8d35f2d-b30b-454d-abf7-d3d84834ab0c", KIB64 + 4096, locator_bytes);
}

/* ---- the log ---- */

#define LOG_GUID "33333333-3333-3333-3333-333333333333"

static inline void put_log_guid(void)
{
	poke_guid(HEADER_1 + 48, LOG_GUID);
	seal_all();
}

static inline void wrapped(uint64_t at, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		image[LOG + (at + i) % MIB] = bytes[i];
}

/*
 * An entry at `at` in the log, of the sequence that begins at `tail`: `n` sectors from `offset` of
 * the file on become `byte`; or, if `byte` is 0, one descriptor of zeros says that of them.
 */
static inline uint64_t put_entry(uint64_t at, uint64_t tail, uint64_t sequence, uint64_t offset,
				 unsigned n, uint8_t byte)
{
	static uint8_t entry[64 << 10];
	unsigned n_data = byte != 0 ? n : 0, n_descriptors = byte != 0 ? n : 1;
	size_t bytes = 4096 * (1 + n_data);

	memset(entry, 0, sizeof entry);
	memcpy(entry, "loge", 4);
	bytes_to_le(entry + 8, 4, bytes);
	bytes_to_le(entry + 12, 4, tail);
	bytes_to_le(entry + 16, 8, sequence);
	bytes_to_le(entry + 24, 4, n_descriptors);
	memcpy(entry + 32, image + HEADER_1 + 48, 16);
	bytes_to_le(entry + 48, 8, FILE_BYTES);
	bytes_to_le(entry + 56, 8, FILE_BYTES);
	for (unsigned i = 0; i < n_descriptors; i++) {
		uint8_t *d = entry + 64 + 32 * i;

		memcpy(d, byte != 0 ? "desc" : "zero", 4);
		memset(d + 4, byte, 12);
		if (byte == 0)
			bytes_to_le(d + 8, 8, (uint64_t)n * 4096);
		bytes_to_le(d + 16, 8, offset + (uint64_t)i * 4096);
		bytes_to_le(d + 24, 8, sequence);
	}
	for (unsigned i = 0; i < n_data; i++) {
		uint8_t *data = entry + 4096 * (i + 1);

		memset(data, byte, 4096);
		memcpy(data, "data", 4);
		bytes_to_le(data + 4, 4, sequence >> 32);
		bytes_to_le(data + 4092, 4, sequence);
	}
	bytes_to_le(entry + 4, 4, crc32c(0, entry, bytes));
	wrapped(at, entry, bytes);
	return (at + bytes) % MIB;
}

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 << 20 };

	(void)state;
	sim_volume(&kind);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}
