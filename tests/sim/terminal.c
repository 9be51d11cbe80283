/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A screen in memory and a person whose keys are written down in advance. It aborts when something
 * is printed outside of the screen or into its last column.
 */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf.h"
#include "sim.h"

enum { EARLY = '\16', EARLY_END = '\17' };

static struct {
	struct terminal terminal;
	uint32_t cell[SIM_ROWS_MAX][SIM_COLUMNS];
	const char *keys;
	void (*look)(void *);
	void *user;
	size_t printed;
} sim;

static void clear(struct terminal *terminal)
{
	(void)terminal;
	for (unsigned row = 0; row < SIM_ROWS_MAX; row++)
		for (unsigned column = 0; column < SIM_COLUMNS; column++)
			sim.cell[row][column] = ' ';
}

static void print(struct terminal *terminal, unsigned column, unsigned row, enum style style,
		  const char *text)
{
	size_t n = strlen(text), columns = utf8_columns(text);

	if (row >= terminal->rows || column + columns >= terminal->columns || style >= N_STYLES)
		abort();
	while (n > 0)
		sim.cell[row][column++] = utf8_next(&text, &n);
	sim.printed += columns;
}

static uint32_t next_key(struct terminal *terminal, unsigned milliseconds)
{
	static const uint32_t others[] = { 0,         KEY_UP,  KEY_DOWN, KEY_PAGE_UP, KEY_PAGE_DOWN,
					   KEY_OTHER, KEY_NONE };
	unsigned char key;

	(void)terminal;
	for (; *sim.keys == '\7' || *sim.keys == EARLY || *sim.keys == EARLY_END; sim.keys++)
		if (*sim.keys == '\7') {
			sim.look(sim.user);
			sim.printed = 0;
		}
	if (*sim.keys == '\0')
		return KEY_GONE;
	key = (unsigned char)*sim.keys++;
	if (key == 6 && milliseconds == 0)
		abort();
	return key < sizeof others / sizeof others[0] ? others[key] : key;
}

static void forget_keys(struct terminal *terminal, unsigned milliseconds)
{
	const char *end = *sim.keys == EARLY ? strchr(sim.keys, EARLY_END) : NULL;

	(void)terminal;
	sim_clock_pass((uint64_t)milliseconds * 1000000);
	if (end != NULL)
		sim.keys = end + 1;
}

struct terminal *sim_terminal(unsigned rows, const char *keys, void (*look)(void *), void *user)
{
	sim.terminal = (struct terminal){ .columns = SIM_COLUMNS,
					  .rows = rows,
					  .clear = clear,
					  .print = print,
					  .key = next_key,
					  .forget_keys = forget_keys };
	sim.keys = keys;
	sim.look = look;
	sim.user = user;
	sim.printed = 0;
	clear(&sim.terminal);
	return &sim.terminal;
}

const char *sim_terminal_text(void)
{
	static char text[SIM_ROWS_MAX * (4 * SIM_COLUMNS + 1) + 1];
	char *to = text;

	for (unsigned row = 0; row < sim.terminal.rows; row++) {
		size_t n = SIM_COLUMNS;

		while (n > 0 && sim.cell[row][n - 1] == ' ')
			n--;
		for (size_t i = 0; i < n; i++)
			to += utf8_put(sim.cell[row][i], to);
		*to++ = '\n';
	}
	*to = '\0';
	return text;
}

size_t sim_terminal_keys(void)
{
	return strlen(sim.keys);
}

size_t sim_terminal_printed(void)
{
	return sim.printed;
}
