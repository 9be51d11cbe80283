/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/out.h"

/*
 * Writes a tree of named values as it is produced, without storing it: as JSON in qemu-img's layout
 * (four spaces, "key": value), or as the indented lines that `qemu-img info` has under "Format
 * specific information". Scripts parse both, so the caller decides the order of keys. Within an
 * array, `key` is NULL.
 */
enum tree_style { TREE_JSON, TREE_LINES };

enum { TREE_DEPTH = 12 };

struct tree {
	struct out *out;
	enum tree_style style;
	size_t depth;
	struct {
		bool array;
		uint32_t n; /* members written so far */
	} level[TREE_DEPTH];
};

void tree_init(struct tree *, struct out *, enum tree_style);

void tree_object(struct tree *, const char *key);
void tree_array(struct tree *, const char *key);

/* Ends the innermost object or array; the outermost one with a newline. */
void tree_end(struct tree *);

void tree_text(struct tree *, const char *key, const char *value);
void tree_number(struct tree *, const char *key, uint64_t value);
void tree_bool(struct tree *, const char *key, bool value);
void tree_null(struct tree *, const char *key);

/* Writes a text as JSON does, in quotes, without a tree. */
void tree_json_string(struct out *, const char *value);

/* Begins a value that the caller writes to tree->out itself. TREE_JSON only. */
void tree_value(struct tree *, const char *key);
