/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/json.h"

#include "base/memory.h"
#include "base/text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What is read of a text that ends at `end`. */
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

static bool hex_digit(char c, unsigned *ret)
{
	if (is_digit(c))
		*ret = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*ret = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		*ret = (unsigned)(c - 'A') + 10;
	else
		return false;
	return true;
}

/* Four digits. */
static bool read_unit(struct reader *r, unsigned *ret)
{
	unsigned unit = 0, digit;

	for (size_t i = 0; i < 4; i++, r->at++) {
		if (r->at == r->end || !hex_digit(*r->at, &digit))
			return false;
		unit = unit << 4 | digit;
	}
	*ret = unit;
	return true;
}

/* One character of a string, behind its backslash. */
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
	/* section 7: beyond the basic plane there are two of them */
	if (*ret > 0xdbff || !take(r, '\\') || !take(r, 'u') || !read_unit(r, &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return false;
	*ret = 0x10000 + ((*ret - 0xd800) << 10 | (low - 0xdc00));
	return true;
}

static size_t put_utf8(unsigned c, char to[static 4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* A string; what it says goes to `ret` if that is not NULL. */
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
			length = put_utf8(c, bytes);
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

	while (r->at < r->end && is_digit(*r->at))
		r->at++;
	return r->at > start;
}

static bool read_number(struct reader *r)
{
	(void)take(r, '-'); /* it may be there or not */
	if (!take(r, '0') && !read_digits(r))
		return false;
	if (take(r, '.') && !read_digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return true;
	if (!take(r, '+'))
		(void)take(r, '-'); /* the same */
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

/* What is behind an opening bracket: members, or items, up to the closing one. */
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

/* The value at r->at, which becomes the end of it. */
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

bool json_member(struct json object, const char *key, struct json *ret)
{
	struct reader r = { object.text, object.text + object.n };

	if (!take(&r, '{'))
		return false;
	for (;;) {
		const char *name;
		size_t n;

		skip_blanks(&r);
		name = r.at + 1;
		if (!read_string(&r, NULL, 0))
			return false; /* there are no more */
		n = (size_t)(r.at - name) - 1;
		skip_blanks(&r);
		if (!take(&r, ':') || !value_at(&r, ret))
			return false;
		if (n == text_length(key) && memcmp(name, key, n) == 0)
			return true;
		skip_blanks(&r);
		if (!take(&r, ','))
			return false;
	}
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

		if (!is_digit(value.text[i]) || number > (UINT64_MAX - digit) / 10)
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
