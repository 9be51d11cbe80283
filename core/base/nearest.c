/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edit distance with transpositions ("optimal string alignment"), by the usual table of which three
 * rows are kept. The distance to every beginning of the name is in the last row, so that names that
 * continue after the word cost nothing extra.
 */
#include "base/nearest.h"

#include "base/text.h"

enum { WORD_MIN = 3, WORD_MAX = 31, NAME_MAX = 63 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void nearest_try(struct nearest *nearest, const char *word, size_t n, const char *name)
{
	/* row i, i - 1 and i - 2: changes from the first i letters of the word to j of the name */
	size_t rows[3][NAME_MAX + 1], n_name = text_length(name), changes = n, end = 0;

	if (n < WORD_MIN || n > WORD_MAX || n_name > NAME_MAX)
		return;
	for (size_t i = 0; i <= n; i++) {
		size_t *row = rows[i % 3], *before = rows[(i + 2) % 3],
		       *before2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= n_name; j++) {
			if (i == 0) {
				row[j] = j;
				continue;
			}
			row[j] = least(least(before[j], row[j - 1]) + 1,
				       before[j - 1] + (word[i - 1] != name[j - 1]));
			if (i > 1 && j > 1 && word[i - 1] == name[j - 2] &&
			    word[i - 2] == name[j - 1])
				row[j] = least(row[j], before2[j - 2] + 1);
		}
	}
	for (size_t j = 0; j <= n_name; j++)
		if (rows[n % 3][j] <= changes) {
			changes = rows[n % 3][j];
			end = j;
		}
	if (changes > n / 3)
		return;
	if (nearest->found == NULL || changes < nearest->changes ||
	    (changes == nearest->changes && n_name - end < nearest->rest))
		*nearest = (struct nearest){ name, changes, n_name - end };
}

void nearest_say(const struct nearest *nearest, const char *dashes, struct error *err)
{
	if (nearest->found != NULL)
		error_add(err, "; did you mean %s%s?", dashes, nearest->found);
}
