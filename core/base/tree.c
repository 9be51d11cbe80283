/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON and indented lines from the same calls. Only the depth, the kind of each level and its
 * number of members are kept: they decide commas, brackets and indentation.
 */
#include "base/tree.h"

#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/utf.h"

enum { INDENT = 4 };

void tree_init(struct tree *tree, struct out *out, enum tree_style style)
{
	*tree = (struct tree){ .out = out, .style = style };
}

/* Writes \u and four digits for each unit of UTF-16 of a character. */
static void json_escape(struct out *out, uint32_t character)
{
	if (character >= 0x10000) {
		out_printf(out, "\\u%04X", (unsigned)(0xd800 + ((character - 0x10000) >> 10)));
		character = 0xdc00 + (character & 0x3ff);
	}
	out_printf(out, "\\u%04X", (unsigned)character);
}

/* Escapes everything but ASCII, as qemu-img does: the output is the same on every console. */
void tree_json_string(struct out *out, const char *s)
{
	static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
	size_t n = text_length(s);

	out_text(out, "\"");
	while (n > 0) {
		size_t run = 0;

		while (run < n && s[run] >= 0x20 && s[run] < 0x7f && s[run] != '"' &&
		       s[run] != '\\')
			run++;
		if (run > 0) {
			out->write(out, s, run);
			s += run;
			n -= run;
		} else if (text_find(plain, *s) != NULL) {
			out_printf(out, "\\%c", escaped[text_find(plain, *s) - plain]);
			s++;
			n--;
		} else {
			json_escape(out, utf8_next(&s, &n));
		}
	}
	out_text(out, "\"");
}

static void begin_json_member(struct tree *tree, const char *key)
{
	if (tree->depth == 0)
		return;
	out_text(tree->out, tree->level[tree->depth - 1].n > 0 ? ",\n" : "\n");
	out_spaces(tree->out, tree->depth * INDENT);
	if (key != NULL) {
		tree_json_string(tree->out, key);
		out_text(tree->out, ": ");
	}
}

/* "    compression type: " or "        [0]: "; `nested`: the value follows on lines of its own. */
static void begin_line_member(struct tree *tree, const char *key, bool nested)
{
	out_spaces(tree->out, tree->depth * INDENT);
	if (key == NULL)
		out_printf(tree->out, "[%u]", tree->level[tree->depth - 1].n);
	for (; key != NULL && *key != '\0'; key++)
		out_printf(tree->out, "%c", *key == '-' ? ' ' : *key);
	out_text(tree->out, nested ? ":\n" : ": ");
}

static void begin_member(struct tree *tree, const char *key, bool nested)
{
	CHECK(tree->depth == 0 || (key == NULL) == tree->level[tree->depth - 1].array);
	if (tree->style == TREE_JSON)
		begin_json_member(tree, key);
	else if (key != NULL || tree->depth > 0)
		begin_line_member(tree, key, nested);
	if (tree->depth > 0)
		tree->level[tree->depth - 1].n++;
}

static void open_level(struct tree *tree, const char *key, bool array)
{
	begin_member(tree, key, true);
	CHECK(tree->depth < TREE_DEPTH);
	if (tree->style == TREE_JSON)
		out_text(tree->out, array ? "[" : "{");
	tree->level[tree->depth].array = array;
	tree->level[tree->depth++].n = 0;
}

void tree_object(struct tree *tree, const char *key)
{
	open_level(tree, key, false);
}

void tree_array(struct tree *tree, const char *key)
{
	open_level(tree, key, true);
}

void tree_end(struct tree *tree)
{
	CHECK(tree->depth > 0);
	tree->depth--;
	if (tree->style == TREE_LINES)
		return;
	/* an empty array has its bracket on the next line as well, as in qemu-img */
	out_text(tree->out, "\n");
	out_spaces(tree->out, tree->depth * INDENT);
	out_text(tree->out, tree->level[tree->depth].array ? "]" : "}");
	if (tree->depth == 0)
		out_text(tree->out, "\n");
}

static void end_scalar(struct tree *tree)
{
	if (tree->style == TREE_LINES)
		out_text(tree->out, "\n");
}

void tree_text(struct tree *tree, const char *key, const char *value)
{
	begin_member(tree, key, false);
	if (tree->style == TREE_JSON)
		tree_json_string(tree->out, value);
	else
		/* untrusted: it comes from an image */
		out_printable(tree->out, value, SIZE_MAX);
	end_scalar(tree);
}

void tree_number(struct tree *tree, const char *key, uint64_t value)
{
	begin_member(tree, key, false);
	out_printf(tree->out, "%ju", value);
	end_scalar(tree);
}

void tree_bool(struct tree *tree, const char *key, bool value)
{
	begin_member(tree, key, false);
	out_text(tree->out, value ? "true" : "false");
	end_scalar(tree);
}

void tree_null(struct tree *tree, const char *key)
{
	begin_member(tree, key, false);
	out_text(tree->out, "null");
	end_scalar(tree);
}

void tree_value(struct tree *tree, const char *key)
{
	CHECK(tree->style == TREE_JSON);
	begin_member(tree, key, false);
}
