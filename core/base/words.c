/* SPDX-License-Identifier: BSD-2-Clause */
/* Splits and prints command lines (words.h). Printing is the inverse of splitting. */
#include "base/words.h"

#include <stdbool.h>

#include "base/memory.h"
#include "base/text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies one word to `to`, and returns the rest of the line. NULL: a quote is not closed. */
static const char *take_word(const char *line, char *to)
{
	bool quoted = false;

	for (; *line != '\0' && (quoted || !is_blank(*line)); line++) {
		if (*line == '"') {
			quoted = !quoted;
			continue;
		}
		if (*line == '^' && line[1] != '\0')
			line++;
		*to++ = *line;
	}
	*to = '\0';
	return quoted ? NULL : line;
}

enum status words_split(const char *line, struct words *ret, struct error *err)
{
	size_t n = text_length(line);
	struct words words = { .word = mem_alloc((n / 2 + 2) * sizeof *words.word) };
	enum status st = words.word != NULL ? ST_OK : fail_no_memory(err);

	while (st == ST_OK) {
		char *word;

		while (is_blank(*line))
			line++;
		if (*line == '\0')
			break;
		word = mem_alloc(text_length(line) + 1);
		if (word == NULL) {
			st = fail_no_memory(err);
			break;
		}
		words.word[words.n++] = word;
		line = take_word(line, word);
		if (line == NULL)
			st = fail(err, ST_INVALID,
				  "a quotation mark in the command line is not closed");
	}
	if (st != ST_OK) {
		words_free(&words);
		return st;
	}
	*ret = words;
	return ST_OK;
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		mem_free(words->word[i]);
	mem_free(words->word);
	*words = (struct words){ 0 };
}

static bool needs_quotes(const char *word)
{
	bool blank = *word == '\0';

	for (; *word != '\0' && !blank; word++)
		blank = is_blank(*word);
	return blank;
}

void words_print(char *const *word, size_t n, struct out *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *quote = needs_quotes(word[i]) ? "\"" : "";

		out_printf(out, "%s%s", i > 0 ? " " : "", quote);
		for (const char *s = word[i]; *s != '\0'; s++)
			out_printf(out, *s == '"' || *s == '^' ? "^%c" : "%c", *s);
		out_text(out, quote);
	}
}
