/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Raw deflate (RFC 1951; section numbers below are of it), one bit at a time, without tables that
 * look ahead: it reads no bit that it does not need, so that data whose end is missing, or followed
 * by anything else, is decompressed as far as the caller asks.
 *
 * The input is untrusted. Every bit is taken by take(), which checks the end of the input; every
 * byte is written below out_len; a distance beyond the bytes produced so far is an error. Nothing
 * outside the output is read or written, whatever the input says.
 */

#include "codec/inflate.h"

#include <stdbool.h>

#include "base/memory.h"

enum {
	LENGTH_MAX = 15, /* bits of a code (3.2.7) */
	N_PRECODES = 19,
	N_LITLENS = 288, /* of the fixed code; a dynamic one has up to LITLENS_MAX */
	LITLENS_MAX = 286,
	DISTANCES_MAX = 30,
	END_OF_BLOCK = 256,
	FIRST_LENGTH = 257,
	STORED_MAX = 0xffff,
};

/*
 * A prefix code (3.2.2): how many codes there are of each length, and the symbols in the order of
 * their codes.
 */
struct code {
	uint16_t n[LENGTH_MAX + 1];
	uint16_t symbol[N_LITLENS];
};

struct inflate {
	const uint8_t *in;
	size_t in_len;
	size_t bit; /* of the input, the next one: byte bit / 8, from its low end */
	uint8_t *out;
	size_t out_len;
	size_t produced;
	struct code litlen, distance;
};

static bool take(struct inflate *s, unsigned n, unsigned *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < n; i++, s->bit++) {
		if (s->bit / 8 >= s->in_len)
			return false;
		*ret |= (unsigned)(s->in[s->bit / 8] >> s->bit % 8 & 1) << i;
	}
	return true;
}

/*
 * Makes the code in which symbol i has length[i] bits; 0: it is not used. False: the code is
 * over-subscribed, or it is incomplete. As in zlib, a code with no symbol may be incomplete, and
 * with `may_be_single` a code with one symbol may be, too.
 */
static bool make_code(struct code *code, const uint8_t *length, size_t n, bool may_be_single)
{
	uint16_t next[LENGTH_MAX + 1] = { 0 };
	int left = 1; /* codes of this length that have no shorter code as a prefix */
	unsigned longest = 0;

	memset(code, 0, sizeof *code);
	for (size_t i = 0; i < n; i++)
		code->n[length[i]]++;
	code->n[0] = 0;
	for (unsigned bits = 1; bits <= LENGTH_MAX; bits++) {
		left = 2 * left - code->n[bits];
		if (left < 0)
			return false;
		if (code->n[bits] > 0)
			longest = bits;
		next[bits] = (uint16_t)(next[bits - 1] + code->n[bits - 1]);
	}
	if (left > 0 && longest > 0 && !(longest == 1 && may_be_single))
		return false;
	for (size_t i = 0; i < n; i++)
		if (length[i] > 0)
			code->symbol[next[length[i]]++] = (uint16_t)i;
	return true;
}

static bool take_symbol(struct inflate *s, const struct code *code, unsigned *ret)
{
	/* codes are counted from the first one of each length */
	unsigned rest = 0, before = 0, bit;

	for (unsigned bits = 1; bits <= LENGTH_MAX; bits++) {
		if (!take(s, 1, &bit))
			return false;
		rest = 2 * rest + bit;
		if (rest < code->n[bits]) {
			*ret = code->symbol[before + rest];
			return true;
		}
		rest -= code->n[bits];
		before += code->n[bits];
	}
	return false;
}

/* 3.2.4 */
static bool stored_block(struct inflate *s)
{
	unsigned n, complement;
	size_t at;

	s->bit = (s->bit + 7) / 8 * 8;
	if (!take(s, 16, &n) || !take(s, 16, &complement) || (n ^ complement) != STORED_MAX)
		return false;
	if (n > s->out_len - s->produced)
		n = (unsigned)(s->out_len - s->produced);
	at = s->bit / 8;
	if (n > s->in_len - at)
		return false;
	memcpy(s->out + s->produced, s->in + at, n);
	s->produced += n;
	s->bit += 8 * (size_t)n;
	return true;
}

/* 3.2.6 */
static void make_fixed_codes(struct inflate *s)
{
	uint8_t length[N_LITLENS];

	for (size_t i = 0; i < N_LITLENS; i++)
		length[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	(void)make_code(&s->litlen, length, N_LITLENS, false); /* complete, as the next one is */
	memset(length, 5, 32);
	(void)make_code(&s->distance, length, 32, false);
}

/*
 * The lengths of both codes, one after the other, run-length coded with a code of their own
 * (3.2.7).
 */
static bool take_lengths(struct inflate *s, const struct code *precode, uint8_t *length, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned symbol, repeat = 1, extra = 0;
		uint8_t value = 0;

		if (!take_symbol(s, precode, &symbol))
			return false;
		if (symbol < 16) {
			value = (uint8_t)symbol;
		} else if (symbol == 16) {
			if (i == 0 || !take(s, 2, &extra))
				return false;
			value = length[i - 1];
			repeat = 3 + extra;
		} else {
			if (!take(s, symbol == 17 ? 3 : 7, &extra))
				return false;
			repeat = (symbol == 17 ? 3 : 11) + extra;
		}
		if (repeat > n - i)
			return false;
		memset(length + i, value, repeat);
		i += repeat;
	}
	return true;
}

/* 3.2.7 */
static bool take_dynamic_codes(struct inflate *s)
{
	static const uint8_t order[N_PRECODES] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
						   11, 4,  12, 3, 13, 2, 14, 1, 15 };
	uint8_t length[LITLENS_MAX + DISTANCES_MAX] = { 0 };
	unsigned n_litlens, n_distances, n_precodes, bits;

	if (!take(s, 5, &n_litlens) || !take(s, 5, &n_distances) || !take(s, 4, &n_precodes))
		return false;
	n_litlens += 257;
	n_distances += 1;
	n_precodes += 4;
	if (n_litlens > LITLENS_MAX || n_distances > DISTANCES_MAX)
		return false;
	for (size_t i = 0; i < n_precodes; i++) {
		if (!take(s, 3, &bits))
			return false;
		length[order[i]] = (uint8_t)bits;
	}
	/* The distance code takes the place of the precode, which is not needed any more. */
	return make_code(&s->distance, length, N_PRECODES, false) &&
	       take_lengths(s, &s->distance, length, n_litlens + n_distances) &&
	       length[END_OF_BLOCK] > 0 && make_code(&s->litlen, length, n_litlens, true) &&
	       make_code(&s->distance, length + n_litlens, n_distances, true);
}

/* A match, of which the first symbol was taken (3.2.5). */
static bool match(struct inflate *s, unsigned symbol)
{
	static const uint16_t length_base[] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
						15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
						67, 83, 99, 115, 131, 163, 195, 227, 258 };
	unsigned index = symbol - FIRST_LENGTH, extra, length, distance;

	if (symbol >= LITLENS_MAX || !take(s, index < 8 || index == 28 ? 0 : index / 4 - 1, &extra))
		return false;
	length = length_base[index] + extra;
	if (!take_symbol(s, &s->distance, &index) || index >= DISTANCES_MAX ||
	    !take(s, index < 4 ? 0 : index / 2 - 1, &extra))
		return false;
	distance = index < 4 ? index + 1 : ((2 + index % 2) << (index / 2 - 1)) + 1 + extra;
	if (distance > s->produced)
		return false;
	for (; length > 0 && s->produced < s->out_len; length--, s->produced++)
		/* The source may overlap what is being written: a run. */
		s->out[s->produced] = s->out[s->produced - distance];
	return true;
}

static bool compressed_block(struct inflate *s)
{
	unsigned symbol;

	while (s->produced < s->out_len) {
		if (!take_symbol(s, &s->litlen, &symbol))
			return false;
		if (symbol == END_OF_BLOCK)
			return true;
		if (symbol < END_OF_BLOCK)
			s->out[s->produced++] = (uint8_t)symbol;
		else if (!match(s, symbol))
			return false;
	}
	return true;
}

/* 3.2.3 */
static bool block(struct inflate *s, bool *ret_final)
{
	unsigned final, type;

	if (!take(s, 1, &final) || !take(s, 2, &type))
		return false;
	*ret_final = final;
	switch (type) {
	case 0:
		return stored_block(s);
	case 1:
		make_fixed_codes(s);
		return compressed_block(s);
	case 2:
		return take_dynamic_codes(s) && compressed_block(s);
	default:
		return false;
	}
}

enum status inflate_prefix(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	struct inflate s = { .in = in, .in_len = in_len, .out = out, .out_len = out_len };
	bool final = false;

	while (s.produced < out_len && !final)
		if (!block(&s, &final))
			break;
	return s.produced == out_len ? ST_OK : ST_CORRUPT;
}
