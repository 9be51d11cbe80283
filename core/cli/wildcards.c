/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Wildcards of operands. Only the last part of a name can have them, since directories are listed
 * one at a time; directories are never matches.
 */
#include "cli/wildcards.h"

#include "base/memory.h"
#include "base/text.h"
#include "platform/files.h"
#include "platform/path.h"

/* The operands with the names instead of patterns; all texts are owned. */
struct names {
	char **name;
	size_t n;
};

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		mem_free(names->name[i]);
	mem_free(names->name);
}

/* Makes room for `more` names. */
static enum status names_grow(struct names *names, size_t more)
{
	char **name = mem_alloc((names->n + more + 1) * sizeof *name);

	if (name == NULL)
		return ST_NO_MEMORY;
	for (size_t i = 0; i < names->n; i++)
		name[i] = names->name[i];
	mem_free(names->name);
	names->name = name;
	return ST_OK;
}

/* Whether a name matches a pattern. The last '*' takes one more when the rest does not match. */
static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *after = NULL;

	while (*name != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			after = name;
		} else if (*pattern == '?' || text_lower(*pattern) == text_lower(*name)) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++after;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* Adds a file in the directory of the pattern, in its place among those from `first` on. */
static enum status add(struct names *names, size_t first, const char *pattern, const char *file)
{
	size_t n_directory = (size_t)(path_leaf(pattern) - pattern), n_file = text_length(file);
	char *name = mem_alloc(n_directory + n_file + 1);
	size_t at = names->n;

	if (name == NULL)
		return ST_NO_MEMORY;
	memcpy(name, pattern, n_directory);
	memcpy(name + n_directory, file, n_file);
	for (; at > first && text_compare(name, names->name[at - 1]) < 0; at--)
		names->name[at] = names->name[at - 1];
	names->name[at] = name;
	names->n++;
	return ST_OK;
}

static enum status add_matching(struct names *names, const char *pattern,
				const struct file_list *list, struct error *err)
{
	size_t first = names->n;
	enum status st = names_grow(names, list->n);

	for (size_t i = 0; st == ST_OK && i < list->n; i++)
		if (!list->entry[i].directory && matches(path_leaf(pattern), list->entry[i].name))
			st = add(names, first, pattern, list->entry[i].name);
	if (st != ST_OK)
		return fail_no_memory(err);
	return names->n > first ? ST_OK : fail(err, ST_NOT_FOUND, "%s: no file matches", pattern);
}

static enum status expand(struct names *names, const char *pattern, struct error *err)
{
	char *directory = path_directory(pattern);
	struct file_list list = { 0 };
	enum status st;

	if (directory == NULL)
		return fail_no_memory(err);
	st = platform_list(directory, &list, err);
	if (st == ST_OK)
		st = add_matching(names, pattern, &list, err);
	for (size_t i = 0; i < list.n; i++)
		mem_free(list.entry[i].name);
	mem_free(list.entry);
	mem_free(directory);
	return st;
}

static bool is_pattern(const char *operand)
{
	const char *leaf = path_leaf(operand);
	struct error ignored;
	struct place place;

	return !path_is_selector(operand) &&
	       (text_find(leaf, '*') != NULL || text_find(leaf, '?') != NULL) &&
	       !(platform_look(operand, &place, &ignored) == ST_OK && place.exists);
}

static enum status take_operand(struct names *names, const char *operand, struct error *err)
{
	char *copy;

	if (is_pattern(operand))
		return expand(names, operand, err);
	copy = text_copy(operand);
	if (copy == NULL || names_grow(names, 1) != ST_OK) {
		mem_free(copy);
		return fail_no_memory(err);
	}
	names->name[names->n++] = copy;
	return ST_OK;
}

enum status wildcards_expand(struct arguments *arguments, struct error *err)
{
	struct names names = { 0 };
	enum status st = ST_OK;

	if (names_grow(&names, 0) != ST_OK)
		return fail_no_memory(err);
	for (size_t i = 0; st == ST_OK && i < arguments->n_operands; i++)
		st = take_operand(&names, arguments->operands[i], err);
	if (st != ST_OK) {
		names_free(&names);
		return st;
	}
	mem_free(arguments->operands);
	arguments->operands = names.name;
	arguments->n_operands = names.n;
	arguments->owns_operands = true;
	return ST_OK;
}
