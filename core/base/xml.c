/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading XML 1.0 (W3C), as far as descriptors of images need it. Untrusted: nothing outside of the
 * text is read, elements are not counted or nested here, and what is no XML ends it.
 */
#include "base/xml.h"

#include <stdint.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/utf.h"

enum { CODE_MAX = 0x10ffff }; /* of a character */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name_end(char c)
{
	return is_blank(c) || c == '>' || c == '/' || c == '=';
}

void xml_begin(struct xml *xml, const char *bytes, size_t n)
{
	*xml = (struct xml){ .at = bytes, .end = bytes + n };
}

static bool starts_with(const struct xml *xml, const char *prefix)
{
	size_t n = text_length(prefix);

	return (size_t)(xml->end - xml->at) >= n && memcmp(xml->at, prefix, n) == 0;
}

/* The place of `text` from `from` on, or NULL. */
static const char *find(const char *from, const char *end, const char *text)
{
	size_t n = text_length(text);

	for (; (size_t)(end - from) >= n; from++)
		if (memcmp(from, text, n) == 0)
			return from;
	return NULL;
}

static bool ends(struct xml *xml)
{
	xml->at = xml->end;
	xml->is_empty = false;
	xml->kind = XML_END;
	return false;
}

/* Takes the name at `at`, without its namespace; returns what follows. */
static const char *take_name(struct xml *xml, const char *at, const char *end)
{
	xml->name = at;
	for (; at < end && !is_name_end(*at); at++)
		if (*at == ':')
			xml->name = at + 1;
	xml->name_length = (size_t)(at - xml->name);
	return at;
}

/* The '>' that ends a tag: one that is in no value. NULL: there is none. */
static const char *end_of_tag(const char *at, const char *end)
{
	char quote = '\0';

	for (; at < end; at++) {
		if (quote == '\0' && *at == '>')
			return at;
		if (quote == '\0' && (*at == '"' || *at == '\''))
			quote = *at;
		else if (*at == quote)
			quote = '\0';
	}
	return NULL;
}

static bool take_tag(struct xml *xml)
{
	const char *end = end_of_tag(xml->at, xml->end), *at = xml->at + 1;

	if (end == NULL)
		return ends(xml);
	xml->kind = *at == '/' ? XML_CLOSE : XML_OPEN;
	at = take_name(xml, xml->kind == XML_CLOSE ? at + 1 : at, end);
	xml->is_empty = xml->kind == XML_OPEN && end > at && end[-1] == '/';
	xml->text = at;
	xml->text_length = (size_t)(end - at) - xml->is_empty;
	xml->at = end + 1;
	return true;
}

/* Skips what begins here, up to the end of `last`. False: it does not end. */
static bool skip(struct xml *xml, const char *last)
{
	const char *end = find(xml->at, xml->end, last);

	if (end == NULL)
		return ends(xml);
	xml->at = end + text_length(last);
	return true;
}

static bool take_cdata(struct xml *xml)
{
	xml->text = xml->at + sizeof "<![CDATA[" - 1;
	if (!skip(xml, "]]>"))
		return false;
	xml->kind = XML_TEXT;
	xml->text_length = (size_t)(xml->at - xml->text) - (sizeof "]]>" - 1);
	return true;
}

bool xml_next(struct xml *xml)
{
	if (xml->is_empty) {
		xml->is_empty = false;
		xml->kind = XML_CLOSE;
		return true;
	}
	while (xml->at < xml->end) {
		if (starts_with(xml, "<![CDATA["))
			return take_cdata(xml);
		if (starts_with(xml, "<!--")) {
			if (!skip(xml, "-->"))
				return false;
		} else if (starts_with(xml, "<?")) {
			if (!skip(xml, "?>"))
				return false;
		} else if (starts_with(xml, "<!")) {
			if (!skip(xml, ">"))
				return false;
		} else if (*xml->at == '<') {
			return take_tag(xml);
		} else {
			xml->kind = XML_TEXT;
			xml->text = xml->at;
			while (xml->at < xml->end && *xml->at != '<')
				xml->at++;
			xml->text_length = (size_t)(xml->at - xml->text);
			return true;
		}
	}
	return ends(xml);
}

static bool is_named(const struct xml *xml, const char *name)
{
	return text_length(name) == xml->name_length &&
	       memcmp(xml->name, name, xml->name_length) == 0;
}

bool xml_opens(const struct xml *xml, const char *name)
{
	return xml->kind == XML_OPEN && is_named(xml, name);
}

bool xml_closes(const struct xml *xml, const char *name)
{
	return xml->kind == XML_CLOSE && is_named(xml, name);
}

bool xml_has_text(const struct xml *xml, const char *text)
{
	const char *from = xml->text, *end = from + xml->text_length;

	if (xml->kind != XML_TEXT)
		return false;
	while (from < end && is_blank(*from))
		from++;
	while (end > from && is_blank(end[-1]))
		end--;
	return (size_t)(end - from) == text_length(text) &&
	       memcmp(from, text, (size_t)(end - from)) == 0;
}

/* ---- attributes ---- */

/* Writes the character of a reference "#38" or "#x26"; returns its bytes, 0: there is none. */
static size_t put_character(const char *digits, const char *end, char *to)
{
	uint32_t base = *digits == 'x' ? 16 : 10, code = 0;

	if (base == 16)
		digits++;
	if (digits == end)
		return 0;
	for (; digits < end; digits++) {
		int digit = text_hex_digit(*digits);

		if (digit < 0 || (uint32_t)digit >= base || code > CODE_MAX)
			return 0;
		code = code * base + (uint32_t)digit;
	}
	return code == 0 || code > CODE_MAX || code >> 11 == 0xd800 >> 11 ? 0 : utf8_put(code, to);
}

/* Replaces the entity after '&'; returns its bytes in `to`, 0: it is none that is known. */
static size_t put_entity(const char *name, const char *end, char *to)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {
		{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' }
	};

	if (name < end && *name == '#')
		return put_character(name + 1, end, to);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if ((size_t)(end - name) == text_length(known[i].name) &&
		    memcmp(name, known[i].name, (size_t)(end - name)) == 0) {
			*to = known[i].c;
			return 1;
		}
	return 0;
}

/* A copy of the value, with its entities replaced: it does not get longer. */
static char *copy_value(const char *from, const char *end)
{
	char *ret = mem_alloc((size_t)(end - from) + 1), *to = ret;

	if (ret == NULL)
		return NULL;
	while (from < end) {
		const char *semicolon = *from == '&' ? find(from, end, ";") : NULL;
		size_t n = semicolon != NULL ? put_entity(from + 1, semicolon, to) : 0;

		if (n > 0)
			from = semicolon + 1;
		else
			*to = *from++;
		to += n > 0 ? n : 1;
	}
	*to = '\0';
	return ret;
}

enum status xml_attribute(const struct xml *xml, const char *name, char **ret)
{
	struct xml each = *xml;
	const char *at = xml->text, *end = at + xml->text_length;

	*ret = NULL;
	while (xml->kind == XML_OPEN && at < end) {
		const char *value;

		while (at < end && is_blank(*at))
			at++;
		if (at == end || *at == '=' || *at == '/')
			return ST_OK;
		at = take_name(&each, at, end);
		while (at < end && is_blank(*at))
			at++;
		if (at == end || *at != '=')
			return ST_OK;
		at++;
		while (at < end && is_blank(*at))
			at++;
		if (at == end || (*at != '"' && *at != '\''))
			return ST_OK;
		value = at + 1;
		for (at = value; at < end && *at != value[-1];)
			at++;
		if (at < end && is_named(&each, name)) {
			*ret = copy_value(value, at);
			return *ret != NULL ? ST_OK : ST_NO_MEMORY;
		}
		at++;
	}
	return ST_OK;
}
