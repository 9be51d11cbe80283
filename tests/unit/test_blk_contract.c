/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What blk/blk.h says, held against every kind of blk: each test runs over the table of kinds at
 * the end of this file, and compares the blk with an array of bytes after every operation.
 *
 * A new kind of blk is one more row there; a new image format is in the table already.
 */
#include <pthread.h>

#include "base/memory.h"
#include "base/range.h"
#include "blk/concat.h"
#include "blk/hold.h"
#include "blk/mark.h"
#include "blk/window.h"
#include "format/format.h"
#include "format/image.h"
#include "memory_blk.h"
#include "processors.h"
#include "run.h"
#include "sequential.h"
#include "storage/split.h"

enum {
	KIB = 1 << 10,
	MIB = 1 << 20,
	BLOCK = 4096,
	SIZE = MIB + 256 * KIB,      /* of each blk at first: more than a part of a split set */
	LIMIT = 2 * MIB + 512 * KIB, /* to which those that grow can grow */
	PART = SPLIT_MARK,
	START = 1000, /* of a window */
	DEVICE = 7,   /* the id of the simulated disk */
	STEPS = 300,
};

struct kind {
	const char *name;
	struct blk *(*open)(const struct kind *);
	bool writable, grows; /* of an image: if its format can */
	bool has_holes;       /* blk_extent() tells those of contents() */
	bool is_image, is_device;
	bool one_way; /* reads go forward, by and large */
	struct memory_blk_kind memory;
	const struct image_format *format;
};

static struct storage storage;

/* Bytes of all kinds; every other block is zeros. */
static const uint8_t *contents(void)
{
	static uint8_t bytes[SIZE];
	uint32_t state = 1;

	for (size_t i = 0; bytes[0] == 0 && i < SIZE; i++)
		if ((SIZE - 1 - i) / BLOCK % 2 == 0)
			bytes[SIZE - 1 - i] = (uint8_t)(dice(&state) % 255 + 1);
	return bytes;
}

/* ---- the kinds ---- */

static struct blk *filled(struct blk *blk)
{
	assert_ok(blk_write(blk, 0, contents(), SIZE));
	return blk;
}

static struct blk *open_memory(const struct kind *kind)
{
	struct memory_blk *m = memory_blk_new(&kind->memory);

	memcpy(m->bytes, contents(), SIZE);
	return &m->blk;
}

static struct blk *open_name(const char *name, enum open_mode mode)
{
	struct blk *blk;
	struct error why;

	assert_ok(platform_open(name, mode, &blk, &why));
	return blk;
}

static struct blk *open_file(const struct kind *kind)
{
	sim_file_put("f", contents(), SIZE);
	return open_name("f", kind->writable ? OPEN_WRITE : OPEN_READ);
}

static struct blk *open_sim_disk(const struct kind *kind)
{
	struct blk *blk;

	sim_file_put("f", contents(), SIZE);
	assert_ok(sim_disk_open("f", DEVICE, kind->writable, 512, &blk));
	return blk;
}

static struct blk *open_sequential(const struct kind *kind)
{
	struct blk *file = open_file(kind), *blk = sequential_open(file);

	sequential_allow(UINT64_MAX);
	return blk;
}

static struct blk *window_on(struct blk *below, uint64_t start, uint64_t limit)
{
	struct blk *blk = window_open(below, &(struct window_kind){ .start = start,
								    .size = SIZE,
								    .limit = limit,
								    .owns = true });

	assert_non_null(blk);
	return blk;
}

static struct blk *open_window(const struct kind *kind)
{
	struct memory_blk *m = memory_blk_new(&kind->memory);

	memset(m->bytes, 0xaa, m->blk.size);
	memcpy(m->bytes + START, contents(), SIZE);
	return window_on(&m->blk, START, kind->grows ? LIMIT : 0);
}

static struct blk *open_window_of_file(const struct kind *kind)
{
	return window_on(open_file(kind), 0, 0);
}

static struct blk *open_window_of_disk(const struct kind *kind)
{
	return window_on(open_sim_disk(kind), 0, 0);
}

static struct blk *hold_on(struct blk *below, size_t n, const uint8_t *mark)
{
	struct blk *blk;

	assert_ok(hold_open(below, &(struct hold_kind){ .bytes = n, .mark = mark }, &blk));
	return filled(blk);
}

static struct blk *open_hold_of_disk(const struct kind *kind)
{
	return hold_on(open_sim_disk(kind), 64 * KIB, NULL);
}

static struct blk *open_hold_of_file(const struct kind *kind)
{
	uint8_t mark[MARK_BYTES];
	struct blk *file;
	struct error why;

	(void)kind;
	mark_make(MARK_IMAGE, NULL, mark);
	assert_ok(platform_create("f", true, &file, &why));
	return hold_on(file, HOLD_IMAGE_BYTES, mark);
}

static struct blk *open_released_hold(const struct kind *kind)
{
	struct blk *blk = open_hold_of_file(kind);

	assert_ok(hold_release(blk));
	return blk;
}

static struct blk *open_split(const struct kind *kind)
{
	struct blk *blk;
	struct error why;

	if (kind->writable) {
		assert_ok(split_create("s", PART, true, &blk, &why));
		return filled(blk);
	}
	sim_file_put("s", contents(), PART);
	sim_file_put("s.001", contents() + PART, SIZE - PART);
	blk = open_name("s", OPEN_READ);
	assert_ok(split_open("s", OPEN_READ, blk, &blk, &why));
	assert_int_equal(split_files_of(blk), 2);
	return blk;
}

/* Of parts with different blocks, of which one is empty. */
static struct blk *open_concat(const struct kind *kind)
{
	static const uint64_t sizes[] = { 64 * KIB, 0, SIZE - 128 * KIB, 64 * KIB };
	static const uint32_t blocks[] = { 512, 1, 4096, 1 };
	struct concat_part part[N_OF(sizes)];
	uint64_t at = 0;
	struct blk *blk;

	for (size_t i = 0; i < N_OF(sizes); i++) {
		struct memory_blk *m = memory_blk_new(
			&(struct memory_blk_kind){ .size = sizes[i],
						   .block_bytes = blocks[i],
						   .buffer_align = 8,
						   .writable = kind->writable });

		memcpy(m->bytes, contents() + at, sizes[i]);
		at += sizes[i];
		part[i] = (struct concat_part){ &m->blk, sizes[i] };
	}
	assert_ok(concat_open(part, N_OF(sizes), &blk));
	return blk;
}

static struct blk *open_growing_concat(const struct kind *kind)
{
	struct concat_part part[3];
	struct blk *blk;

	(void)kind;
	for (size_t i = 0; i < N_OF(part); i++)
		part[i] = (struct concat_part){
			&memory_blk_new(
				 &(struct memory_blk_kind){ .writable = true, .limit = MIB - 8 })
				 ->blk,
			MIB - 8
		};
	assert_ok(concat_open(part, 2, &blk));
	assert_ok(concat_append(blk, &part[2]));
	return filled(blk);
}

static struct blk *open_image(const struct kind *kind)
{
	struct image *image;
	struct error why;

	sim_file_put("f", contents(), SIZE);
	if (kind->writable)
		MUST("create", "-q", "-f", kind->format->name, "i", "1310720");
	else
		MUST("convert", "-q", "-f", "raw", "-O", kind->format->name, "f", "i");
	assert_ok(image_open_file(&storage, ROLE_IMAGE, "i", kind->format,
				  kind->writable ? OPEN_WRITE : OPEN_READ, &image, &why));
	assert_ok(image_load(image, &why));
	return kind->writable ? filled(&image->blk) : &image->blk;
}

static const struct kind kinds[] = {
	{ "memory disk of 512", open_memory, .writable = true,
	  .memory = { .size = SIZE, .block_bytes = 512, .buffer_align = 8, .writable = true } },
	{ "memory disk of 4096", open_memory, .writable = true,
	  .memory = { .size = SIZE, .block_bytes = 4096, .buffer_align = 4096, .writable = true } },
	{ "memory disk that zeros", open_memory, .writable = true,
	  .memory = { .size = SIZE, .writable = true, .zero_bytes = 8192 } },
	{ "memory disk, read-only", open_memory, .memory = { .size = SIZE, .block_bytes = 512 } },
	{ "memory file", open_memory, .writable = true, .grows = true,
	  .memory = { .size = SIZE, .writable = true, .limit = LIMIT } },
	{ "file", open_file, .writable = true, .grows = true, .has_holes = true },
	{ "file, read-only", open_file, .has_holes = true },
	{ "disk", open_sim_disk, .writable = true, .is_device = true },
	{ "disk, read-only", open_sim_disk, .is_device = true },
	{ "sequential", open_sequential, .one_way = true },
	{ "window", open_window, .writable = true,
	  .memory = { .size = 2 * MIB, .block_bytes = 512, .buffer_align = 8, .writable = true } },
	{ "window, growing", open_window, .writable = true, .grows = true,
	  .memory = { .size = 3 * MIB, .block_bytes = 4096, .writable = true } },
	{ "window, growing, on a disk that zeros", open_window, .writable = true, .grows = true,
	  .memory = { .size = 3 * MIB, .writable = true, .zero_bytes = 4096 } },
	{ "window, read-only", open_window, .memory = { .size = 2 * MIB, .block_bytes = 512 } },
	{ "window of a file", open_window_of_file, .writable = true, .has_holes = true },
	{ "window of a file, read-only", open_window_of_file, .has_holes = true },
	{ "window of a disk", open_window_of_disk, .writable = true, .is_device = true },
	{ "window of a disk, read-only", open_window_of_disk, .is_device = true },
	{ "hold of a disk", open_hold_of_disk, .writable = true, .is_device = true },
	{ "hold of a file", open_hold_of_file, .writable = true, .grows = true, .has_holes = true },
	{ "hold, released", open_released_hold, .writable = true, .grows = true,
	  .has_holes = true },
	{ "split set", open_split, .writable = true, .grows = true, .has_holes = true },
	{ "split set, read-only", open_split, .has_holes = true },
	{ "concat", open_concat, .writable = true },
	{ "concat, read-only", open_concat, .writable = false },
	{ "concat, growing", open_growing_concat, .writable = true, .grows = true },
};

/* ---- what must hold ---- */

/* A blk and the bytes that it must have. */
struct subject {
	const struct kind *kind;
	struct blk *blk;
	uint8_t *expected; /* LIMIT bytes; zeros after the end */
	uint64_t size;
	bool writable, grows;
};

static void check(bool holds, const struct subject *s, const char *what, uint64_t offset,
		  uint64_t len)
{
	if (!holds)
		fail_msg("%s: %s (offset %ju, length %ju, size %ju)", s->kind->name, what,
			 (uintmax_t)offset, (uintmax_t)len, (uintmax_t)s->size);
}

static uint32_t granule(const struct subject *s)
{
	return s->kind->is_image ? 512 : 1;
}

static void check_read(const struct subject *s, uint64_t offset, uint64_t len)
{
	size_t shift = (offset + len) % 9;
	uint8_t *buf = malloc(shift + len + 1);

	buf[shift + len] = 0x5c;
	check(blk_read(s->blk, offset, buf + shift, len) == ST_OK, s, "it is read", offset, len);
	check(memcmp(buf + shift, s->expected + offset, len) == 0, s, "the bytes", offset, len);
	check(buf[shift + len] == 0x5c, s, "no byte after them is touched", offset, len);
	free(buf);
}

static void check_all(const struct subject *s)
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

static struct subject begin(const struct kind *kind)
{
	static const struct sim_volume_kind volume = { .free_bytes = 64 * MIB, .has_holes = true };
	struct subject s = { .kind = kind, .expected = calloc(1, LIMIT), .size = SIZE };
	struct error why;

	sim_volume(&volume);
	assert_ok(storage_begin(&storage, NULL, &why));
	(void)platform_permit(NULL); /* the tests make their files themselves */
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
	storage_end(&storage);
	free(s->expected);
	capture_free(&out);
	capture_free(&err);
	check(sim_allocations() == 0, s, "closing frees everything", 0, 0);
}

/* Calls `test` for each kind, those of the images among them. */
static void each_kind(void (*test)(struct subject *))
{
	for (size_t i = 0; i < N_OF(kinds); i++) {
		struct subject s = begin(&kinds[i]);

		test(&s);
		end(&s);
	}
	for (size_t i = 0; image_formats[i] != NULL; i++)
		for (int writable = 0; writable <= 1; writable++) {
			struct kind kind = { image_formats[i]->name, open_image,
					     .writable = writable,   .is_image = true,
					     .has_holes = true,      .format = image_formats[i] };
			struct subject s;

			if (image_formats[i]->create.plan == NULL)
				continue;
			s = begin(&kind);
			test(&s);
			end(&s);
		}
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
	check(blk->device == NULL || blk->device->id == DEVICE, s, "which device", 0, 0);
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

	for (size_t a = 0; a < N_OF(marks); a++)
		for (size_t b = a; b < N_OF(marks); b++)
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

			check(blk_resize(s->blk, SIZE, PREALLOC_OFF) == ST_OK, s, "cut", SIZE, 0);
			memset(s->expected + SIZE, 0, LIMIT - SIZE);
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
	check_all(s);
}

/* One operation of those that change it. */
static void step(struct subject *s, uint32_t *state)
{
	uint64_t end_of = s->grows && dice(state) % 4 == 0 ? LIMIT : s->size,
		 offset = dice(state) % (end_of + 1),
		 len = min_u64(end_of - offset, dice(state) % (1u << dice(state) % 19)), size;
	static uint8_t data[1 << 19];
	uint32_t what = dice(state) % 8;

	if (what < 3) {
		memset(data, (int)dice(state), len);
		check(blk_write(s->blk, offset, data, len) == ST_OK, s, "a write", offset, len);
		memcpy(s->expected + offset, data, len);
	} else if (what < 6) {
		check(blk_write_zeros(s->blk, offset, len) == ST_OK, s, "zeros", offset, len);
		memset(s->expected + offset, 0, len);
	} else if (what == 6 && s->grows) {
		size = dice(state) % 2 == 0 ? dice(state) % LIMIT : SIZE;
		check(blk_resize(s->blk, size, PREALLOC_OFF) == ST_OK, s, "a resize", size, 0);
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
		at = dice(&state) % (s->size + 1);
		n = min_u64(s->size - at, dice(&state) % (96 * KIB));
		check_read(s, at, n);
		if (i % 16 > 0)
			continue;
		check_all(s);
		check_extents(s, &hole);
	}
}

/* Every allocation fails once: it is said, and the next call does its work. */
static void no_memory(struct subject *s)
{
	uint8_t buf[5000];

	for (unsigned n = 1; n <= 3; n++) {
		enum status st;

		sim_fail_allocation(n);
		st = blk_read(s->blk, 4097, buf, 4999);
		check(st == (sim_allocation_failed() ? ST_NO_MEMORY : ST_OK), s, "a read", 4097, n);
		sim_fail_allocation(n);
		st = s->writable ? blk_write(s->blk, 4097, s->expected + 4097, 4999) : ST_OK;
		check(st == (sim_allocation_failed() ? ST_NO_MEMORY : ST_OK), s, "a write", 4097,
		      n);
		sim_fail_allocation(0);
	}
	check_all(s);
}

/* ---- several processors ---- */

struct reader {
	pthread_t thread;
	const struct subject *s;
	uint32_t state;
	uint8_t *buf; /* as the blk wants it: BLOCK bytes */
	bool wrong;
};

static void *read_blocks(void *arg)
{
	struct reader *reader = arg;

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t at = dice(&reader->state) % (SIZE / BLOCK) * BLOCK;

		if (blk_read(reader->s->blk, at, reader->buf, BLOCK) != ST_OK ||
		    memcmp(reader->buf, reader->s->expected + at, BLOCK) != 0)
			reader->wrong = true;
	}
	return NULL;
}

static void parallel(struct subject *s)
{
	struct reader reader[4];

	if (!s->blk->parallel_reads)
		return;
	for (size_t i = 0; i < N_OF(reader); i++) {
		reader[i] = (struct reader){ .s = s, .state = (uint32_t)i, .buf = io_alloc(BLOCK) };
		assert_int_equal(pthread_create(&reader[i].thread, NULL, read_blocks, &reader[i]),
				 0);
	}
	for (size_t i = 0; i < N_OF(reader); i++) {
		pthread_join(reader[i].thread, NULL);
		check(!reader[i].wrong, s, "what several processors read", i, 0);
		io_free(reader[i].buf, BLOCK);
	}
}

#define EACH_KIND(test) \
	static void test_##test(void **state) \
	{ \
		(void)state; \
		each_kind(test); \
	}

EACH_KIND(properties)
EACH_KIND(reads)
EACH_KIND(extents)
EACH_KIND(read_only)
EACH_KIND(fixed_size)
EACH_KIND(growth)
EACH_KIND(changes)
EACH_KIND(no_memory)

static void test_parallel(void **state)
{
	(void)state;
	sim_processors(2);
	each_kind(parallel);
	sim_processors(0);
}

/* Writes to a disk are counted by each blk that reads it, or a part of it. */
static void test_device_writes(void **state)
{
	struct blk *target, *disk, *window;

	(void)state;
	sim_volume(&(struct sim_volume_kind){ .free_bytes = 64 * MIB });
	sim_file_put("f", contents(), SIZE);
	assert_ok(sim_disk_open("f", DEVICE, true, 512, &target));
	assert_ok(blk_write(target, 0, contents(), 512));
	assert_ok(sim_disk_open("f", DEVICE, false, 512, &disk));
	window = window_on(disk, 0, 0);
	assert_ok(blk_write(target, 0, contents(), 512));
	assert_ok(blk_write(target, 512, contents(), 512));
	assert_int_equal(disk->device->n_writes, 2);
	assert_int_equal(window->device->n_writes, 2);
	blk_close(window);
	blk_close(target);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties), cmocka_unit_test(test_reads),
		cmocka_unit_test(test_extents),    cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_fixed_size), cmocka_unit_test(test_growth),
		cmocka_unit_test(test_changes),    cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_parallel),   cmocka_unit_test(test_device_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
