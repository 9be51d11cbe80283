/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What blk/blk.h says, as tests of one blk, which compare it with an array of bytes after every
 * operation. They need nothing but the core, so that they run in firmware as well; which kinds of
 * blk there are, and what else must hold, is told by the program that they are linked with.
 */
#include "contract.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/size.h"

enum { NEAR = 4 }; /* marks */

uint32_t random_next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static bool allows_file(const struct permit *permit, const struct file_identity *file)
{
	(void)permit;
	(void)file;
	return true;
}

static bool allows_device(const struct permit *permit, uintptr_t id)
{
	(void)permit;
	(void)id;
	return true;
}

const struct permit contract_permit = { allows_file, allows_device };

/* ---- what must hold ---- */

void check(bool holds, const struct subject *s, const char *what, uint64_t offset, uint64_t len)
{
	struct out_buffer text;
	char line[160];

	if (holds)
		return;
	out_buffer_init(&text, line, sizeof line);
	out_printf(&text.out, "%s: %s (offset %ju, length %ju, size %ju)", s->kind->name, what,
		   (uintmax_t)offset, (uintmax_t)len, (uintmax_t)s->size);
	contract_failed(line);
}

static uint32_t granule(const struct subject *s)
{
	return s->kind->is_image ? 512 : 1;
}

static void check_read(const struct subject *s, uint64_t offset, uint64_t len)
{
	size_t shift = (offset + len) % 9;
	uint8_t *buf = mem_alloc(shift + len + 1);

	CHECK(buf != NULL);
	buf[shift + len] = 0x5c;
	check(blk_read(s->blk, offset, buf + shift, len) == ST_OK, s, "it is read", offset, len);
	check(memcmp(buf + shift, s->expected + offset, len) == 0, s, "the bytes", offset, len);
	check(buf[shift + len] == 0x5c, s, "no byte after them is touched", offset, len);
	mem_free(buf);
}

void check_all(const struct subject *s)
{
	check(s->blk->size == s->size, s, "its size", s->blk->size, 0);
	check_read(s, 0, s->size);
}

static void check_extents(const struct subject *s, bool *ret_hole)
{
	struct extent extent;

	*ret_hole = false;
	for (uint64_t at = 0, n; at < s->size; at += extent.length) {
		n = min_u64(s->size - at, 300 * KIB + 1);
		check(blk_extent(s->blk, at, n, &extent) == ST_OK, s, "an extent", at, n);
		check(extent.length > 0 && extent.length <= n, s, "its length", at, n);
		check(extent.allocated == (extent.zero || extent.data), s, "what it is", at, n);
		check(s->kind->is_image || extent.zero != extent.data, s, "data or zeros", at, n);
		check(s->kind->is_image || extent.allocated, s, "it is allocated", at, n);
		check(s->kind->is_image || (extent.has_offset && extent.offset == at), s,
		      "it is stored in its place", at, n);
		check(!extent.compressed || extent.packed_bytes > 0, s, "packed bytes", at, n);
		for (uint64_t i = 0; (extent.zero || !extent.allocated) && i < extent.length; i++)
			check(s->expected[at + i] == 0, s, "it is zeros", at, i);
		*ret_hole = *ret_hole || extent.zero;
	}
}

/* Bytes of all kinds; every other block is zeros. */
const uint8_t *contents(void)
{
	static uint8_t bytes[SIZE];
	uint32_t state = 1;

	for (size_t i = 0; bytes[0] == 0 && i < SIZE; i++)
		if ((SIZE - 1 - i) / BLOCK % 2 == 0)
			bytes[SIZE - 1 - i] = (uint8_t)(random_next(&state) % 255 + 1);
	return bytes;
}

static struct subject begin(const struct kind *kind)
{
	struct subject s = { .kind = kind, .expected = mem_alloc(LIMIT), .size = SIZE };

	CHECK(s.expected != NULL);
	contract_prepare();
	s.blk = kind->open(kind);
	s.writable = s.blk->ops->write != NULL;
	s.grows = s.blk->ops->resize != NULL;
	if (!kind->is_image)
		check(s.writable == kind->writable && s.grows == kind->grows, &s, "what it can", 0,
		      0);
	memcpy(s.expected, contents(), SIZE);
	check(s.blk->size == SIZE, &s, "its size at first", 0, 0);
	return s;
}

static void end(struct subject *s)
{
	blk_close(s->blk);
	mem_free(s->expected);
	contract_finish(s);
}

void contract_run(const struct kind *kind, void (*test)(struct subject *))
{
	struct subject s = begin(kind);

	test(&s);
	end(&s);
}

/* ---- the tests ---- */

static void properties(struct subject *s)
{
	const struct blk *blk = s->blk;

	check(is_power_of_two(blk->block_bytes) && is_power_of_two(blk->buffer_align), s,
	      "powers of two", blk->block_bytes, blk->buffer_align);
	check(blk->size % blk->block_bytes == 0, s, "whole blocks", 0, blk->block_bytes);
	check(blk->transfer_bytes >= 64 * KIB && blk->transfer_bytes % blk->block_bytes == 0 &&
		      blk->transfer_bytes % blk->buffer_align == 0,
	      s, "transfers", 0, blk->transfer_bytes);
	check(blk->zero_bytes == 0 || is_power_of_two(blk->zero_bytes), s, "zeros", 0,
	      blk->zero_bytes);
	check((blk->device != NULL) == s->kind->is_device, s, "whether it is a device", 0, 0);
	check(blk->device == NULL || blk->device->id == s->kind->device_id, s, "which device", 0,
	      0);
	check(blk->sequential == s->kind->one_way, s, "whether it is sequential", 0, 0);
	check(!blk->sequential || !s->writable, s, "sequential is read-only", 0, 0);
	check(blk->ops->read != NULL && blk->ops->close != NULL, s, "it is read and closed", 0, 0);
	check(blk->ops->resize == NULL || s->writable, s, "resized is writable", 0, 0);
}

static void reads(struct subject *s)
{
	static const uint64_t marks[] = {
		0,       1,     511,          512,          513,         4095,     4096, 4097,
		65535,   65536, 65537,        65536 + 512,  SIZE / 2,    PART - 1, PART, PART + 1,
		MIB - 8, MIB,   SIZE - 65536, SIZE - 65535, SIZE - 4096, SIZE - 1, SIZE,
	};
	uint8_t buf[16];

	/* Of those that are far apart, all from the start and all up to the end will do. */
	for (size_t a = 0; a < N_OF(marks); a++)
		for (size_t b = a; b < N_OF(marks); b++)
			if (b - a <= NEAR || a == 0 || b == N_OF(marks) - 1)
				check_read(s, marks[a], marks[b] - marks[a]);
	check(blk_read(s->blk, SIZE, buf, 1) == ST_INVALID, s, "after the end", SIZE, 1);
	check(blk_read(s->blk, SIZE - 1, buf, 2) == ST_INVALID, s, "across the end", SIZE - 1, 2);
	check(blk_read(s->blk, SIZE + 1, buf, 0) == ST_INVALID, s, "nothing after the end",
	      SIZE + 1, 0);
	check(blk_read(s->blk, UINT64_MAX, buf, 2) == ST_INVALID, s, "an overflow", UINT64_MAX, 2);
	memset(buf, 0x5c, sizeof buf);
	check(blk_read_padded(s->blk, SIZE - 1, buf, 3) == ST_OK &&
		      buf[0] == s->expected[SIZE - 1] && buf[1] == 0 && buf[2] == 0 &&
		      buf[3] == 0x5c,
	      s, "padded", SIZE - 1, 3);
}

static void extents(struct subject *s)
{
	uint64_t bytes = UINT64_MAX;
	struct extent extent;
	bool hole;

	check_extents(s, &hole);
	check(hole == s->kind->has_holes || s->kind->is_image, s, "holes", 0, 0);
	check(blk_extent(s->blk, 0, 0, &extent) == ST_INVALID &&
		      blk_extent(s->blk, 0, SIZE + 1, &extent) == ST_INVALID &&
		      blk_extent(s->blk, SIZE, 1, &extent) == ST_INVALID &&
		      blk_extent(s->blk, UINT64_MAX, 2, &extent) == ST_INVALID,
	      s, "no extent outside", 0, 0);
	check(blk_allocated(s->blk, &bytes) == ST_OK, s, "what it takes", 0, 0);
	if (!s->kind->is_image)
		check(bytes > 0 && (s->kind->has_holes ? bytes < SIZE : bytes == SIZE), s,
		      "what it takes", 0, bytes);
}

static void read_only(struct subject *s)
{
	bool hole;

	if (s->writable)
		return;
	check(blk_write(s->blk, 0, "x", 1) == ST_READ_ONLY &&
		      blk_write(s->blk, SIZE, "x", 1) == ST_READ_ONLY,
	      s, "no write", 0, 1);
	check(blk_write_zeros(s->blk, 0, 1) == ST_READ_ONLY &&
		      blk_write_zeros(s->blk, SIZE, MIB) == ST_READ_ONLY,
	      s, "no zeros", 0, 1);
	check(blk_resize(s->blk, SIZE, PREALLOC_OFF) == ST_READ_ONLY &&
		      blk_resize(s->blk, 2 * SIZE, PREALLOC_FULL) == ST_READ_ONLY,
	      s, "no resize", 0, 0);
	check(blk_flush(s->blk) == ST_OK, s, "flushed", 0, 0);
	check_all(s);
	check_extents(s, &hole);
}

static void fixed_size(struct subject *s)
{
	if (!s->writable || s->grows)
		return;
	check(blk_write(s->blk, SIZE, "x", 1) == ST_INVALID &&
		      blk_write(s->blk, SIZE - 1, "xy", 2) == ST_INVALID &&
		      blk_write(s->blk, UINT64_MAX, "xy", 2) == ST_INVALID,
	      s, "no write past the end", SIZE, 1);
	check(blk_write_zeros(s->blk, SIZE, 1) == ST_INVALID &&
		      blk_write_zeros(s->blk, SIZE - 64 * KIB, 64 * KIB + 1) == ST_INVALID,
	      s, "no zeros past the end", SIZE, 1);
	check(blk_resize(s->blk, SIZE - 512, PREALLOC_OFF) == ST_UNSUPPORTED &&
		      blk_resize(s->blk, SIZE + 512, PREALLOC_OFF) == ST_UNSUPPORTED &&
		      blk_resize(s->blk, SIZE, PREALLOC_OFF) == ST_OK,
	      s, "its size is fixed", SIZE, 0);
	check_all(s);
}

/*
 * The size that it had at first. Of images that can only grow, it is made anew.
 */
static void cut(struct subject *s)
{
	enum status st = blk_resize(s->blk, SIZE, PREALLOC_OFF);

	if (st == ST_UNSUPPORTED && s->kind->is_image) {
		const struct kind *kind = s->kind;

		end(s);
		*s = begin(kind);
		return;
	}
	check(st == ST_OK, s, "cut", SIZE, 0);
	memset(s->expected + SIZE, 0, LIMIT - SIZE);
}

/* A write or zeros that begin before the end, at the end, or after a gap, make it longer. */
static void growth(struct subject *s)
{
	static const uint64_t from[] = { SIZE - 5000, SIZE, SIZE + 1000, 2 * MIB + 1 };
	static uint8_t data[70000];

	if (!s->grows)
		return;
	memset(data, 0x77, sizeof data);
	for (int zeros = 0; zeros <= 1; zeros++)
		for (size_t i = 0; i < N_OF(from); i++) {
			uint64_t end_of = from[i] + sizeof data;

			cut(s);
			check((zeros ? blk_write_zeros(s->blk, from[i], sizeof data)
				     : blk_write(s->blk, from[i], data, sizeof data)) == ST_OK,
			      s, zeros ? "zeros past the end" : "a write past the end", from[i],
			      sizeof data);
			memset(s->expected + from[i], zeros ? 0 : 0x77, sizeof data);
			s->size = round_up(end_of, granule(s));
			check_all(s);
		}
	check(blk_write(s->blk, UINT64_MAX, "xy", 2) == ST_INVALID &&
		      blk_write_zeros(s->blk, UINT64_MAX, 2) == ST_INVALID,
	      s, "an overflow", UINT64_MAX, 2);
	check(blk_write(s->blk, SIZE_LIMIT - 1, "xy", 2) == ST_TOO_LARGE &&
		      blk_write_zeros(s->blk, UINT64_MAX - 4096, 512) == ST_TOO_LARGE &&
		      blk_resize(s->blk, UINT64_MAX - 511, PREALLOC_OFF) == ST_TOO_LARGE,
	      s, "longer than 2^63 - 1 bytes", SIZE_LIMIT, 2);
	check_all(s);
}

/* One operation of those that change it. */
static void step(struct subject *s, uint32_t *state)
{
	uint64_t end_of = s->grows && random_next(state) % 4 == 0 ? LIMIT : s->size,
		 offset = random_next(state) % (end_of + 1),
		 len = min_u64(end_of - offset,
			       random_next(state) % (1u << random_next(state) % 19)),
		 size;
	static uint8_t data[1 << 19];
	uint32_t what = random_next(state) % 8;
	enum status st;

	if (what < 3) {
		memset(data, (int)random_next(state), len);
		check(blk_write(s->blk, offset, data, len) == ST_OK, s, "a write", offset, len);
		memcpy(s->expected + offset, data, len);
	} else if (what < 6) {
		check(blk_write_zeros(s->blk, offset, len) == ST_OK, s, "zeros", offset, len);
		memset(s->expected + offset, 0, len);
	} else if (what == 6 && s->grows) {
		size = random_next(state) % 2 == 0 ? random_next(state) % LIMIT : SIZE;
		st = blk_resize(s->blk, size, PREALLOC_OFF);
		if (st == ST_UNSUPPORTED && s->kind->is_image && size < s->size)
			return; /* it can only grow */
		check(st == ST_OK, s, "a resize", size, 0);
		s->size = round_up(size, granule(s));
		memset(s->expected + s->size, 0, LIMIT - s->size);
		return;
	} else {
		check(blk_flush(s->blk) == ST_OK, s, "a flush", 0, 0);
		return;
	}
	if (s->grows && len > 0)
		s->size = max_u64(s->size, round_up(offset + len, granule(s)));
}

static void changes(struct subject *s)
{
	uint32_t state = 7;
	bool hole;

	for (unsigned i = 0; s->writable && i < STEPS; i++) {
		uint64_t at, n;

		step(s, &state);
		check(s->blk->size == s->size, s, "its size", s->blk->size, 0);
		at = random_next(&state) % (s->size + 1);
		n = min_u64(s->size - at, random_next(&state) % (96 * KIB));
		check_read(s, at, n);
		if (i % 16 > 0)
			continue;
		check_all(s);
		check_extents(s, &hole);
	}
}

const struct contract_test contract_tests[N_CONTRACT_TESTS] = {
	{ "properties", properties }, { "reads", reads },           { "extents", extents },
	{ "read_only", read_only },   { "fixed_size", fixed_size }, { "growth", growth },
	{ "changes", changes },
};
