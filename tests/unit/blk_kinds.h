/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/memory.h"
#include "base/range.h"
#include "blk/concat.h"
#include "blk/forward.h"
#include "blk/hold.h"
#include "blk/mark.h"
#include "blk/mask.h"
#include "blk/window.h"
#include "contract.h"
#include "format/format.h"
#include "format/image.h"
#include "memory_blk.h"
#include "operation.h"
#include "run.h"
#include "sequential.h"
#include "storage/split.h"

/*
 * Every kind of blk of the core and of the simulated machine, each with a function that makes one
 * with contents(): the table of test_blk_contract.c. Images are kinds as well, one for each format,
 * without a row here.
 */

enum {
	START = 1000, /* of a window */
	DEVICE = 7,   /* the id of the simulated disk */
};

static struct storage storage;

/* ---- the kinds ---- */

static struct blk *filled(struct blk *blk)
{
	assert_ok(blk_write(blk, 0, contents(), SIZE));
	return blk;
}

static struct blk *open_memory(const struct kind *kind)
{
	struct memory_blk *m = memory_blk_new(kind->of);

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
	struct memory_blk *m = memory_blk_new(kind->of);

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

/* The blocks that are zeros in contents() are not in use, and have something else below. */
static bool is_unused_block(void *user, uint64_t offset, uint64_t *ret_length)
{
	(void)user;
	*ret_length = BLOCK - offset % BLOCK;
	return offset / BLOCK % 2 == 1;
}

static struct blk *open_mask(const struct kind *kind)
{
	static uint8_t none[SIZE / USED_GRANULE / 8 + 1];
	static const struct used_map map = { .disk_bytes = SIZE, .unused = none };
	const struct mask_kind mask = { &map, is_unused_block, NULL, .owns = true };
	struct memory_blk *m = memory_blk_new(kind->of);
	struct blk *blk = mask_open(&m->blk, &mask);

	memcpy(m->bytes, contents(), SIZE);
	for (size_t i = 0; i < SIZE; i++)
		m->bytes[i] = m->bytes[i] == 0 ? 0xaa : m->bytes[i];
	assert_non_null(blk);
	return blk;
}

static struct blk *open_mask_of_disk(const struct kind *kind)
{
	static uint8_t none[SIZE / USED_GRANULE / 8 + 1];
	static const struct used_map map = { .disk_bytes = SIZE, .unused = none };
	const struct mask_kind mask = { &map, is_unused_block, NULL, .owns = true };

	return mask_open(open_sim_disk(kind), &mask);
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

static struct blk *open_forward_of_file(const struct kind *kind)
{
	struct blk *file, *blk;
	struct error why;

	(void)kind;
	assert_ok(platform_create("f", true, &file, &why));
	assert_ok(forward_open(file,
			       &(struct forward_kind){ .kept_bytes = LIMIT, .limit = UINT64_MAX },
			       &blk));
	return filled(blk);
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
	const struct image_format *as = kind->of;
	const char *format = as->name, *options = small_options(format);
	const char *with = options != NULL ? "-o" : NULL; /* ends the words if there are none */
	struct image *image;
	struct error why;

	sim_file_put("f", contents(), SIZE);
	if (kind->writable)
		MUST("create", "-q", "-f", format, "i", "1310720", with, options);
	else
		MUST("convert", "-q", "-f", "raw", "-O", format, "f", "i", with, options);
	assert_ok(image_open_file(&storage, ROLE_IMAGE, "i", as,
				  kind->writable ? OPEN_WRITE : OPEN_READ, &image, &why));
	assert_ok(image_load(image, &why));
	return kind->writable ? filled(&image->blk) : &image->blk;
}

static const struct kind kinds[] = {
	{ "memory disk of 512", open_memory, .writable = true,
	  .of = &(const struct memory_blk_kind){ .size = SIZE,
						 .block_bytes = 512,
						 .buffer_align = 8,
						 .writable = true } },
	{ "memory disk of 4096", open_memory, .writable = true,
	  .of = &(const struct memory_blk_kind){ .size = SIZE,
						 .block_bytes = 4096,
						 .buffer_align = 4096,
						 .writable = true } },
	{ "memory disk that zeros", open_memory, .writable = true,
	  .of = &(const struct memory_blk_kind){ .size = SIZE,
						 .writable = true,
						 .zero_bytes = 8192 } },
	{ "memory disk, read-only", open_memory,
	  .of = &(const struct memory_blk_kind){ .size = SIZE, .block_bytes = 512 } },
	{ "memory file", open_memory, .writable = true, .grows = true,
	  .of = &(const struct memory_blk_kind){ .size = SIZE, .writable = true, .limit = LIMIT } },
	{ "file", open_file, .writable = true, .grows = true, .has_holes = true },
	{ "file, read-only", open_file, .has_holes = true },
	{ "disk", open_sim_disk, .writable = true, .is_device = true, .device_id = DEVICE },
	{ "disk, read-only", open_sim_disk, .is_device = true, .device_id = DEVICE },
	{ "sequential", open_sequential, .one_way = true },
	{ "window", open_window, .writable = true,
	  .of = &(const struct memory_blk_kind){ .size = 2 * MIB,
						 .block_bytes = 512,
						 .buffer_align = 8,
						 .writable = true } },
	{ "window, growing", open_window, .writable = true, .grows = true,
	  .of = &(const struct memory_blk_kind){ .size = 3 * MIB,
						 .block_bytes = 4096,
						 .writable = true } },
	{ "window, growing, on a disk that zeros", open_window, .writable = true, .grows = true,
	  .of = &(const struct memory_blk_kind){ .size = 3 * MIB,
						 .writable = true,
						 .zero_bytes = 4096 } },
	{ "window, read-only", open_window,
	  .of = &(const struct memory_blk_kind){ .size = 2 * MIB, .block_bytes = 512 } },
	{ "window of a file", open_window_of_file, .writable = true, .has_holes = true },
	{ "window of a file, read-only", open_window_of_file, .has_holes = true },
	{ "window of a disk", open_window_of_disk, .writable = true, .is_device = true,
	  .device_id = DEVICE },
	{ "window of a disk, read-only", open_window_of_disk, .is_device = true,
	  .device_id = DEVICE },
	{ "mask", open_mask,
	  .of = &(const struct memory_blk_kind){ .size = SIZE,
						 .block_bytes = 4096,
						 .buffer_align = 4096 } },
	{ "mask of a disk", open_mask_of_disk, .is_device = true, .device_id = DEVICE },
	{ "hold of a disk", open_hold_of_disk, .writable = true, .is_device = true,
	  .device_id = DEVICE },
	{ "hold of a file", open_hold_of_file, .writable = true, .grows = true, .has_holes = true },
	{ "hold, released", open_released_hold, .writable = true, .grows = true,
	  .has_holes = true },
	{ "forward, all of it in memory", open_forward_of_file, .writable = true, .grows = true },
	{ "split set", open_split, .writable = true, .grows = true, .has_holes = true },
	{ "split set, read-only", open_split, .has_holes = true },
	{ "concat", open_concat, .writable = true },
	{ "concat, read-only", open_concat, .writable = false },
	{ "concat, growing", open_growing_concat, .writable = true, .grows = true },
};
