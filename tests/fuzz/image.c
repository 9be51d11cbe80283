/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/range.h"
#include "fuzz.h"
#include "volume.h"

enum { SECTOR = 512, HEAD = 32, PIECE_HEAD = 8, KIB64 = 64 << 10 };

static const char magic[16] = "efi-img pieces\n";

struct file {
	uint8_t bytes[FUZZ_IMAGE_BYTES];
	size_t n;
};

static struct file image, extent;

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
static void seal_vhdx_log(struct file *file)
{
	for (size_t at = 0; at + 4096 <= file->n; at += 4096) {
		uint32_t length = get_le(file->bytes + at + 8);

		if (memcmp(file->bytes + at, "loge", 4) == 0 && length >= 64 &&
		    length <= file->n - at)
			seal_vhdx(file->bytes + at, length);
	}
}

static void seal(struct file *file)
{
	uint8_t *bytes = file->bytes;
	size_t n = file->n;

	if (n >= SECTOR && memcmp(bytes, "conectix", 8) == 0)
		seal_vpc(bytes, 64, SECTOR);
	if (n >= 3 * SECTOR && memcmp(bytes + SECTOR, "cxsparse", 8) == 0)
		seal_vpc(bytes + SECTOR, 36, 1024);
	if (n >= SECTOR && memcmp(bytes + n - SECTOR, "conectix", 8) == 0)
		seal_vpc(bytes + n - SECTOR, 64, SECTOR);
	if (n < 5 * KIB64 || memcmp(bytes, "vhdxfile", 8) != 0)
		return;
	for (size_t i = 1; i <= 2; i++)
		seal_vhdx(bytes + i * KIB64, 4096);
	for (size_t i = 3; i <= 4; i++)
		seal_vhdx(bytes + i * KIB64, KIB64);
	seal_vhdx_log(file);
}

/* ---- pieces ---- */

static void set_size(struct file *file, size_t n)
{
	if (n > file->n)
		memset(file->bytes + file->n, 0, n - file->n);
	file->n = n;
}

static void put_piece(struct file *file, uint64_t from, const uint8_t *bytes, size_t n)
{
	if (from < file->n)
		memcpy(file->bytes + from, bytes, (size_t)min_u64(n, file->n - from));
}

static void join(const uint8_t *data, size_t n)
{
	image.n = extent.n = 0;
	set_size(&image, (size_t)min_u64(get_le(data + 16), FUZZ_IMAGE_BYTES / SECTOR) * SECTOR);
	for (size_t at = HEAD; n - at >= PIECE_HEAD;) {
		uint32_t sector = get_le(data + at);
		uint64_t from = (uint64_t)(sector & ~FUZZ_EXTENT_PIECE) * SECTOR,
			 length = (uint64_t)get_le(data + at + 4) * SECTOR;
		bool of_extent = (sector & FUZZ_EXTENT_PIECE) != 0;

		at += PIECE_HEAD;
		length = min_u64(length, n - at);
		if (of_extent && from + length > extent.n)
			set_size(&extent, (size_t)min_u64(from + length, FUZZ_IMAGE_BYTES));
		put_piece(of_extent ? &extent : &image, from, data + at, (size_t)length);
		at += (size_t)length;
	}
	seal(&image);
	seal(&extent);
}

struct fuzz_image fuzz_image_of(const uint8_t *data, size_t n, bool with_changes)
{
	struct fuzz_image ret = { .bytes = data, .n = n };

	if (n >= HEAD && memcmp(data, magic, sizeof magic) == 0) {
		const uint8_t *end = memchr(data + 20, 0xff, HEAD - 20);

		ret.changes = data + 20;
		ret.n_changes = end != NULL ? (size_t)(end - ret.changes) : HEAD - 20;
		join(data, n);
		ret.bytes = image.bytes;
		ret.n = image.n;
		ret.extent = extent.bytes;
		ret.n_extent = extent.n;
	} else if (with_changes) {
		ret.n = n / SECTOR * SECTOR;
		ret.changes = data + ret.n;
		ret.n_changes = (size_t)min_u64(n - ret.n, FUZZ_CHANGES_MAX);
	}
	return ret;
}

void fuzz_image_volume(const struct fuzz_image *files)
{
	fuzz_volume("image", files->bytes, files->n);
	if (files->n_extent > 0)
		sim_file_put("extent", files->extent, files->n_extent);
}
