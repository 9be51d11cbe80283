/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recursive descent over JSON text (RFC 8259). json_read() checks the whole text once; later
 * calls skip over values of known good syntax again, which is quick enough for the short files that
 * this program reads, and needs no memory. The depth is limited, since the stack is.
 */
#include "base/json.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/utf.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The position in a text that ends at `end`. */
struct reader {
	const char *at, *end;
};

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* Reads four hexadecimal digits. */
static bool read_unit(struct reader *r, unsigned *ret)
{
	unsigned unit = 0;

	for (size_t i = 0; i < 4; i++, r->at++) {
		int digit = r->at < r->end ? text_hex_digit(*r->at) : -1;

		if (digit < 0)
			return false;
		unit = unit << 4 | (unsigned)digit;
	}
	*ret = unit;
	return true;
}

/* Reads one character of a string after its backslash. */
static bool read_escape(struct reader *r, unsigned *ret)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	unsigned low;

	if (r->at == r->end)
		return false;
	for (size_t i = 0; i < sizeof letters - 1; i++) {
		if (*r->at == letters[i]) {
			r->at++;
			*ret = (unsigned char)meant[i];
			return true;
		}
	}
	if (!take(r, 'u') || !read_unit(r, ret))
		return false;
	if (*ret < 0xd800 || *ret > 0xdfff)
		return true;
	/* a pair of surrogates (section 7) */
	if (*ret > 0xdbff || !take(r, '\\') || !take(r, 'u') || !read_unit(r, &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return false;
	*ret = 0x10000 + ((*ret - 0xd800) << 10 | (low - 0xdc00));
	return true;
}

/* Reads a string; its contents go to `ret`, unless NULL. */
static bool read_string(struct reader *r, char *ret, size_t capacity)
{
	size_t n = 0;

	if (!take(r, '"'))
		return false;
	while (r->at < r->end && *r->at != '"') {
		unsigned c = (unsigned char)*r->at++;
		bool escaped = c == '\\';
		char bytes[4];
		size_t length = 1;

		if (c < 0x20 || (escaped && !read_escape(r, &c)))
			return false;
		bytes[0] = (char)c;
		if (escaped)
			length = utf8_put(c, bytes);
		if (ret == NULL)
			continue;
		if (c == 0 || length >= capacity - n)
			return false;
		memcpy(ret + n, bytes, length);
		n += length;
	}
	if (ret != NULL)
		ret[n] = '\0';
	return take(r, '"');
}

static bool read_digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && text_is_digit(*r->at))
		r->at++;
	return r->at > start;
}

static bool read_number(struct reader *r)
{
	(void)take(r, '-'); /* optional */
	if (!take(r, '0') && !read_digits(r))
		return false;
	if (take(r, '.') && !read_digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return true;
	if (!take(r, '+'))
		(void)take(r, '-'); /* optional */
	return read_digits(r);
}

static bool read_word(struct reader *r, const char *word)
{
	for (; *word != '\0'; word++)
		if (!take(r, *word))
			return false;
	return true;
}

static bool read_value(struct reader *r, unsigned depth);

/* Reads members or items after an opening bracket, up to the closing one. */
static bool read_all(struct reader *r, char closing, unsigned depth)
{
	skip_blanks(r);
	if (take(r, closing))
		return true;
	do {
		skip_blanks(r);
		if (closing == '}') {
			if (!read_string(r, NULL, 0))
				return false;
			skip_blanks(r);
			if (!take(r, ':'))
				return false;
		}
		if (!read_value(r, depth))
			return false;
		skip_blanks(r);
	} while (take(r, ','));
	return take(r, closing);
}

static bool read_value(struct reader *r, unsigned depth)
{
	skip_blanks(r);
	if (depth == JSON_DEPTH_MAX || r->at == r->end)
		return false;
	switch (*r->at) {
	case '{':
	case '[': {
		char closing = *r->at == '{' ? '}' : ']';

		r->at++;
		return read_all(r, closing, depth + 1);
	}
	case '"':
		return read_string(r, NULL, 0);
	case 't':
		return read_word(r, "true");
	case 'f':
		return read_word(r, "false");
	case 'n':
		return read_word(r, "null");
	default:
		return read_number(r);
	}
}

/* Reads the value at r->at, and advances past it. */
static bool value_at(struct reader *r, struct json *ret)
{
	skip_blanks(r);
	ret->text = r->at;
	if (!read_value(r, 0))
		return false;
	ret->n = (size_t)(r->at - ret->text);
	return true;
}

bool json_read(const char *text, size_t n, struct json *ret)
{
	struct reader r = { text, text + n };

	if (!value_at(&r, ret))
		return false;
	skip_blanks(&r);
	return r.at == r.end;
}

bool json_next_member(struct json object, size_t *at, struct json *ret_key, struct json *ret)
{
	struct reader r = { object.text + *at, object.text + object.n };

	if (!take(&r, *at == 0 ? '{' : ','))
		return false;
	skip_blanks(&r);
	ret_key->text = r.at;
	if (!read_string(&r, NULL, 0))
		return false; /* no more members */
	ret_key->n = (size_t)(r.at - ret_key->text);
	skip_blanks(&r);
	if (!take(&r, ':') || !value_at(&r, ret))
		return false;
	skip_blanks(&r);
	*at = (size_t)(r.at - object.text);
	return true;
}

bool json_member(struct json object, const char *key, struct json *ret)
{
	size_t at = 0, n = text_length(key);
	struct json name;

	while (json_next_member(object, &at, &name, ret))
		if (name.n == n + 2 && memcmp(name.text + 1, key, n) == 0)
			return true;
	return false;
}

bool json_next(struct json array, size_t *at, struct json *ret)
{
	struct reader r = { array.text + *at, array.text + array.n };

	if (!take(&r, *at == 0 ? '[' : ',') || !value_at(&r, ret))
		return false;
	skip_blanks(&r);
	*at = (size_t)(r.at - array.text);
	return true;
}

bool json_number(struct json value, uint64_t *ret)
{
	uint64_t number = 0;

	for (size_t i = 0; i < value.n; i++) {
		uint64_t digit = (uint64_t)(value.text[i] - '0');

		if (!text_is_digit(value.text[i]) || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret = number;
	return value.n > 0;
}

bool json_text(struct json value, char *ret, size_t capacity)
{
	struct reader r = { value.text, value.text + value.n };

	return read_string(&r, ret, capacity);
}
