/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * On-disk integers as typed byte arrays. They have alignment 1, and code that confuses byte orders,
 * or uses such an integer without converting it, does not compile.
 */
typedef struct {
	uint8_t b[2];
} be16;
typedef struct {
	uint8_t b[4];
} be32;
typedef struct {
	uint8_t b[8];
} be64;
typedef struct {
	uint8_t b[2];
} le16;
typedef struct {
	uint8_t b[4];
} le32;
typedef struct {
	uint8_t b[8];
} le64;

/*
 * Conversions of `n` bytes, 1 to 8. Unrolled, so that the compiler makes one instruction of each.
 */
static inline uint64_t bytes_from_be(const uint8_t *b, size_t n)
{
	uint64_t v = 0;

#pragma GCC unroll 8
	for (size_t i = 0; i < n; i++)
		v = v << 8 | b[i];
	return v;
}

static inline uint64_t bytes_from_le(const uint8_t *b, size_t n)
{
	uint64_t v = 0;

#pragma GCC unroll 8
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)b[i] << (8 * i);
	return v;
}

static inline void bytes_to_be(uint8_t *b, size_t n, uint64_t v)
{
#pragma GCC unroll 8
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static inline void bytes_to_le(uint8_t *b, size_t n, uint64_t v)
{
#pragma GCC unroll 8
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
}

static inline uint16_t be16_get(be16 v)
{
	return (uint16_t)bytes_from_be(v.b, 2);
}
static inline uint32_t be32_get(be32 v)
{
	return (uint32_t)bytes_from_be(v.b, 4);
}
static inline uint64_t be64_get(be64 v)
{
	return bytes_from_be(v.b, 8);
}
static inline uint16_t le16_get(le16 v)
{
	return (uint16_t)bytes_from_le(v.b, 2);
}
static inline uint32_t le32_get(le32 v)
{
	return (uint32_t)bytes_from_le(v.b, 4);
}
static inline uint64_t le64_get(le64 v)
{
	return bytes_from_le(v.b, 8);
}

static inline be32 be32_of(uint32_t v)
{
	be32 r;

	bytes_to_be(r.b, 4, v);
	return r;
}

static inline be64 be64_of(uint64_t v)
{
	be64 r;

	bytes_to_be(r.b, 8, v);
	return r;
}

static inline le32 le32_of(uint32_t v)
{
	le32 r;

	bytes_to_le(r.b, 4, v);
	return r;
}

static inline le64 le64_of(uint64_t v)
{
	le64 r;

	bytes_to_le(r.b, 8, v);
	return r;
}
