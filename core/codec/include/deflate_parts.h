/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * libdeflate without its levels 10 to 12, which search for the shortest of all encodings: included
 * ahead of its unchanged deflate_compress.c (-include), and by core/codec/deflate.c.
 *
 * A function that C has seen declared static first stays static. So the only call of
 * libdeflate_alloc_compressor() is the one below, by which the compiler knows the levels, and
 * drops what only others use.
 */
struct libdeflate_compressor;

/* libdeflate_alloc_compressor() for the levels 1 to 9; NULL for others, too. */
struct libdeflate_compressor *deflate_alloc_compressor(int level);

#ifdef DEFLATE_PARTS
static struct libdeflate_compressor *libdeflate_alloc_compressor(int level);

struct libdeflate_compressor *deflate_alloc_compressor(int level)
{
	return level >= 1 && level <= 9 ? libdeflate_alloc_compressor(level) : 0;
}
#endif
