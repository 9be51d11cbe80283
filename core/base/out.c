/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A printf for freestanding code, after C's own rules (C23, 7.23.6.1), and the sink into an array.
 * Numbers are made from the last digit on, in a buffer that fits 2^64 - 1; padding is written, not
 * stored, so that no width is too large.
 */
#include "base/out.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"

enum { NUMBER_MAX = 20 }; /* decimal digits of 2^64 - 1 */

/* One parsed conversion: "%-08.3ju". */
struct conversion {
	bool left, zero, has_precision;
	size_t width, precision;
	int longs; /* 0 int, 1 long, 2 long long, 3 size_t, 4 intmax_t */
	char type;
};

/*
 * va_list in a structure, because a helper cannot take the address of a va_list parameter portably.
 */
struct arguments {
	va_list list;
};

void out_text(struct out *out, const char *s)
{
	out->write(out, s, text_length(s));
}

static void repeat(struct out *out, char c, size_t n)
{
	char run[32];

	memset(run, c, sizeof run);
	for (; n > sizeof run; n -= sizeof run)
		out->write(out, run, sizeof run);
	out->write(out, run, n);
}

void out_spaces(struct out *out, size_t n)
{
	repeat(out, ' ', n);
}

static size_t parse_count(const char **format, struct arguments *args, bool *ret_left)
{
	size_t n = 0;

	if (**format == '*') {
		int given = va_arg(args->list, int);

		(*format)++;
		if (given < 0) {
			*ret_left = true;
			return (size_t) - (int64_t)given;
		}
		return (size_t)given;
	}
	for (; text_is_digit(**format); (*format)++)
		n = n * 10 + (size_t)(**format - '0');
	return n;
}

static struct conversion parse_conversion(const char **format, struct arguments *args)
{
	struct conversion c = { 0 };

	for (;; (*format)++) {
		if (**format == '-')
			c.left = true;
		else if (**format == '0')
			c.zero = true;
		else
			break;
	}
	c.width = parse_count(format, args, &c.left);
	if (**format == '.') {
		bool negative = false;

		(*format)++;
		c.precision = parse_count(format, args, &negative);
		c.has_precision = !negative;
	}
	for (; **format == 'l'; (*format)++)
		c.longs++;
	if (**format == 'z' || **format == 'j')
		c.longs = *(*format)++ == 'z' ? 3 : 4;
	CHECK(c.longs <= 4 && **format != '\0');
	c.type = *(*format)++;
	return c;
}

static uint64_t unsigned_argument(const struct conversion *c, struct arguments *args)
{
	switch (c->longs) {
	case 0:
		return va_arg(args->list, unsigned int);
	case 1:
		return va_arg(args->list, unsigned long);
	case 2:
		return va_arg(args->list, unsigned long long);
	case 3:
		return va_arg(args->list, size_t);
	default:
		return va_arg(args->list, uintmax_t);
	}
}

static int64_t signed_argument(const struct conversion *c, struct arguments *args)
{
	switch (c->longs) {
	case 0:
		return va_arg(args->list, int);
	case 1:
		return va_arg(args->list, long);
	case 2:
		return va_arg(args->list, long long);
	case 3:
		return va_arg(args->list, ptrdiff_t);
	default:
		return va_arg(args->list, intmax_t);
	}
}

static void pad_and_write(struct out *out, const struct conversion *c, const char *s, size_t n)
{
	size_t padding = c->width > n ? c->width - n : 0;

	if (!c->left)
		out_spaces(out, padding);
	out->write(out, s, n);
	if (c->left)
		out_spaces(out, padding);
}

static void write_number(struct out *out, const struct conversion *c, uint64_t value, bool negative)
{
	const char *digits = c->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned base = c->type == 'x' || c->type == 'X' ? 16 : 10;
	char text[NUMBER_MAX];
	size_t n = 0, zeros, length;

	for (; value != 0; value /= base)
		text[NUMBER_MAX - ++n] = digits[value % base];
	if (c->has_precision)
		zeros = c->precision > n ? c->precision - n : 0;
	else if (c->zero && !c->left)
		zeros = c->width > n + negative ? c->width - n - negative : 0;
	else
		zeros = 0;
	if (n == 0 && zeros == 0 && !c->has_precision)
		zeros = 1;
	length = negative + zeros + n;
	if (!c->left && c->width > length)
		out_spaces(out, c->width - length);
	if (negative)
		out->write(out, "-", 1);
	repeat(out, '0', zeros);
	out->write(out, text + NUMBER_MAX - n, n);
	if (c->left && c->width > length)
		out_spaces(out, c->width - length);
}

/* `next`: the format after the conversion. */
static void write_string(struct out *out, const struct conversion *c, const char *s,
			 const char *next)
{
	size_t n = 0;

	while ((!c->has_precision || n < c->precision) && s[n] != '\0')
		n++;
	if (n > 0 && s[n - 1] == ':' && text_starts_with(next, ": "))
		n--;
	pad_and_write(out, c, s, n);
}

static void write_conversion(struct out *out, const struct conversion *c, struct arguments *args,
			     const char *next)
{
	switch (c->type) {
	case '%':
		out->write(out, "%", 1);
		break;
	case 'c': {
		char byte = (char)va_arg(args->list, int);

		pad_and_write(out, c, &byte, 1);
		break;
	}
	case 's':
		write_string(out, c, va_arg(args->list, const char *), next);
		break;
	case 'd':
	case 'i': {
		int64_t value = signed_argument(c, args);

		write_number(out, c, value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value, value < 0);
		break;
	}
	case 'u':
	case 'x':
	case 'X':
		write_number(out, c, unsigned_argument(c, args), false);
		break;
	default:
		platform_panic("out_printf() has this conversion", __FILE__, __LINE__);
	}
}

void out_vprintf(struct out *out, const char *format, va_list list)
{
	struct arguments args;

	va_copy(args.list, list);
	while (*format != '\0') {
		const char *percent = text_find(format, '%');
		size_t n = percent != NULL ? (size_t)(percent - format) : text_length(format);

		if (n != 0)
			out->write(out, format, n);
		format += n;
		if (percent != NULL) {
			struct conversion c;

			format++;
			c = parse_conversion(&format, &args);
			write_conversion(out, &c, &args, format);
		}
	}
	va_end(args.list);
}

void out_printf(struct out *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out_vprintf(out, format, args);
	va_end(args);
}

static void buffer_write(struct out *out, const char *bytes, size_t n)
{
	struct out_buffer *buffer = (struct out_buffer *)out;
	size_t room = buffer->capacity - 1 - buffer->length;
	size_t fits = n;

	if (out->failed)
		return;
	if (n > room) {
		fits = room;
		/* not inside a UTF-8 sequence */
		while (fits > 0 && ((uint8_t)bytes[fits] & 0xc0) == 0x80)
			fits--;
		out->failed = true;
	}
	memcpy(buffer->text + buffer->length, bytes, fits);
	buffer->length += fits;
	buffer->text[buffer->length] = '\0';
}

void out_buffer_init(struct out_buffer *buffer, char *text, size_t capacity)
{
	CHECK(capacity > 0);
	*buffer = (struct out_buffer){ .out.write = buffer_write,
				       .text = text,
				       .capacity = capacity };
	text[0] = '\0';
}

/* A sink that counts bytes. */
struct out_counter {
	struct out out;
	size_t n;
};

static void counter_write(struct out *out, const char *bytes, size_t n)
{
	(void)bytes;
	((struct out_counter *)out)->n += n;
}

char *out_new(const char *format, ...)
{
	struct out_counter counter = { .out.write = counter_write };
	struct out_buffer buffer;
	char *ret;
	va_list args;

	va_start(args, format);
	out_vprintf(&counter.out, format, args);
	va_end(args);
	ret = mem_alloc(counter.n + 1);
	if (ret == NULL)
		return NULL;
	out_buffer_init(&buffer, ret, counter.n + 1);
	va_start(args, format);
	out_vprintf(&buffer.out, format, args);
	va_end(args);
	return ret;
}
