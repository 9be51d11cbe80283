/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading JSON (RFC 8259) in memory, without building a tree: values are parts of the text. */

/* A value: a part of the text, whose syntax was checked. Valid as long as the text is. */
struct json {
	const char *text;
	size_t n;
};

enum { JSON_DEPTH_MAX = 32 };

/* Checks a text and returns its value. False: not JSON, or nested deeper than JSON_DEPTH_MAX. */
bool json_read(const char *text, size_t n, struct json *ret);

/*
 * Finds the first member of an object with a name. `key` has no character that JSON escapes. False:
 * there is none, or the value is no object.
 */
bool json_member(struct json object, const char *key, struct json *ret);

/*
 * Iterates over the members of an object: a string, and its value; start with *at = 0. False: there
 * are no more, or it is no object.
 */
bool json_next_member(struct json object, size_t *at, struct json *ret_key, struct json *ret);

/* Iterates over an array; start with *at = 0. False: there are no more items, or it is no array. */
bool json_next(struct json array, size_t *at, struct json *ret);

/* Reads a whole number from 0 to 2^64 - 1. False: the value is anything else. */
bool json_number(struct json, uint64_t *ret);

/*
 * Reads a string as NUL-terminated UTF-8. False: the value is no string, has a NUL or half a pair
 * of surrogates, or does not fit into `capacity` bytes.
 */
bool json_text(struct json, char *ret, size_t capacity);
