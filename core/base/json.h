/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading JSON (RFC 8259) that is in memory, without making anything of what is not asked for. */

/* A value inside the text, whose syntax has been looked at to its end. */
struct json {
	const char *text;
	size_t n;
};

enum { JSON_DEPTH_MAX = 32 };

/* The one value that a text is. False: it is no JSON, or nested more deeply than JSON_DEPTH_MAX. */
bool json_read(const char *text, size_t n, struct json *ret);

/*
 * The member of that name, the first one if there are several. `key` has nothing that JSON escapes.
 * False: there is none, or it is no object.
 */
bool json_member(struct json object, const char *key, struct json *ret);

/* Goes along an array: *at is 0 at first. False: there are no more items, or it is no array. */
bool json_next(struct json array, size_t *at, struct json *ret);

/* A whole number from 0 to 2^64 - 1. */
bool json_number(struct json, uint64_t *ret);

/*
 * A string as UTF-8, NUL-terminated. False: it is none, it has a NUL or half a pair of surrogates,
 * or is too long for `capacity` bytes.
 */
bool json_text(struct json, char *ret, size_t capacity);
