/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/*
 * Reads XML in memory from its beginning to its end: property lists, OVF descriptors. Elements are
 * returned one by one; comments, declarations and processing instructions are left out, and
 * namespaces too: a name is what follows its colon. UTF-8. It does not validate: whoever reads
 * takes what it understands.
 */
enum xml_kind {
	XML_END,   /* of the text; also of text that is no XML any more */
	XML_OPEN,  /* <name attributes> */
	XML_CLOSE, /* </name>; comes after XML_OPEN for <name/> too */
	XML_TEXT,  /* between them, as it is written, with its entities; or of a CDATA section */
};

struct xml {
	enum xml_kind kind; /* what was read last */
	const char *name;   /* of XML_OPEN and XML_CLOSE; not terminated */
	size_t name_length;
	const char *text; /* of XML_TEXT; of XML_OPEN: the attributes */
	size_t text_length;

	/* xml.c's own */
	const char *at, *end;
	bool is_empty; /* XML_OPEN was of <name/> */
};

/* Begins with the first of `n` bytes, which outlive it. */
void xml_begin(struct xml *, const char *bytes, size_t n);

/* Reads on; false: that was all, and the kind is XML_END. */
bool xml_next(struct xml *);

/* Whether XML_OPEN or XML_CLOSE of that name was read last. */
bool xml_opens(const struct xml *, const char *name);
bool xml_closes(const struct xml *, const char *name);

/* Whether XML_TEXT was read last, and is that but for blanks around it. */
bool xml_has_text(const struct xml *, const char *text);

/*
 * The value of an attribute of XML_OPEN, with its entities replaced; the caller frees it. NULL: it
 * has none. ST_NO_MEMORY.
 */
enum status xml_attribute(const struct xml *, const char *name, char **ret);
