/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/range.h"

enum { SECTOR = 512, HEAD = 32, PIECE_HEAD = 8, KIB64 = 64 << 10 };

static const char magic[16] = "efi-img pieces\n";
static uint8_t image[FUZZ_IMAGE_BYTES];

static uint32_t get_le(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static void put(uint8_t *at, uint32_t value, bool big)
{
	for (unsigned i = 0; i < 4; i++)
		at[big ? 3 - i : i] = (uint8_t)(value >> 8 * i);
}

/* ---- checksums ---- */

static void seal_vpc(uint8_t *at, size_t field, size_t n)
{
	uint32_t sum = 0;

	put(at + field, 0, true);
	for (size_t i = 0; i < n; i++)
		sum += at[i];
	put(at + field, ~sum, true);
}

static void seal_vhdx(uint8_t *at, size_t n)
{
	put(at + 4, 0, false);
	put(at + 4, crc32c(0, at, n), false);
}

/* Each entry of the log, which begins at a multiple of 4 KiB and says how long it is. */
static void seal_vhdx_log(size_t n)
{
	for (size_t at = 0; at + 4096 <= n; at += 4096) {
		uint32_t length = get_le(image + at + 8);

		if (memcmp(image + at, "loge", 4) == 0 && length >= 64 && length <= n - at)
			seal_vhdx(image + at, length);
	}
}

static void seal(size_t n)
{
	if (n >= SECTOR && memcmp(image, "conectix", 8) == 0)
		seal_vpc(image, 64, SECTOR);
	if (n >= 3 * SECTOR && memcmp(image + SECTOR, "cxsparse", 8) == 0)
		seal_vpc(image + SECTOR, 36, 1024);
	if (n >= SECTOR && memcmp(image + n - SECTOR, "conectix", 8) == 0)
		seal_vpc(image + n - SECTOR, 64, SECTOR);
	if (n < 5 * KIB64 || memcmp(image, "vhdxfile", 8) != 0)
		return;
	for (size_t i = 1; i <= 2; i++)
		seal_vhdx(image + i * KIB64, 4096);
	for (size_t i = 3; i <= 4; i++)
		seal_vhdx(image + i * KIB64, KIB64);
	seal_vhdx_log(n);
}

/* ---- pieces ---- */

static size_t join(const uint8_t *data, size_t n)
{
	size_t size = (size_t)min_u64(get_le(data + 16), FUZZ_IMAGE_BYTES / SECTOR) * SECTOR;

	memset(image, 0, size);
	for (size_t at = HEAD; n - at >= PIECE_HEAD;) {
		uint64_t from = (uint64_t)get_le(data + at) * SECTOR,
			 length = (uint64_t)get_le(data + at + 4) * SECTOR;

		at += PIECE_HEAD;
		length = min_u64(length, n - at);
		if (from < size)
			memcpy(image + from, data + at, (size_t)min_u64(length, size - from));
		at += (size_t)length;
	}
	seal(size);
	return size;
}

struct fuzz_image fuzz_image_of(const uint8_t *data, size_t n, bool with_changes)
{
	struct fuzz_image ret = { .bytes = data, .n = n };

	if (n >= HEAD && memcmp(data, magic, sizeof magic) == 0) {
		const uint8_t *end = memchr(data + 20, 0xff, HEAD - 20);

		ret.changes = data + 20;
		ret.n_changes = end != NULL ? (size_t)(end - ret.changes) : HEAD - 20;
		ret.n = join(data, n);
		ret.bytes = image;
	} else if (with_changes) {
		ret.n = n / SECTOR * SECTOR;
		ret.changes = data + ret.n;
		ret.n_changes = (size_t)min_u64(n - ret.n, FUZZ_CHANGES_MAX);
	}
	return ret;
}
