/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The screen: a picture of what is wanted and one of what is shown. Only the cells that differ are
 * printed, since a serial terminal of 9600 baud needs two seconds for a full screen.
 */
#include "menu/screen.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/printable.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"

enum { LINE_BYTES = 4 * SCREEN_COLUMNS + 1, UNKNOWN = 0xffff };

void screen_init(struct screen *screen, struct terminal *terminal)
{
	*screen = (struct screen){ .terminal = terminal, .rows = terminal->rows };
	if (screen->rows > SCREEN_ROWS_MAX)
		screen->rows = SCREEN_ROWS_MAX;
	terminal->clear(terminal);
	for (unsigned row = 0; row < SCREEN_ROWS_MAX; row++)
		for (unsigned column = 0; column < SCREEN_COLUMNS; column++)
			screen->shown[row][column].c = ' ';
}

unsigned screen_lines(const struct screen *screen)
{
	return screen->rows - SCREEN_OTHER_ROWS;
}

unsigned screen_columns(const struct screen *screen)
{
	return screen->bare ? SCREEN_COLUMNS : SCREEN_TEXT_COLUMNS;
}

/*
 * Returns the column after the text. What does not fit is cut; a character that the screen cannot
 * show is a '?'.
 */
static unsigned put(struct screen *screen, unsigned row, unsigned column, unsigned end,
		    enum style style, const char *text)
{
	char plain[LINE_BYTES];
	struct out_buffer out;
	const char *s = plain;
	size_t n;

	out_buffer_init(&out, plain, sizeof plain);
	if (end > column)
		out_printable(&out.out, text, end - column);
	n = out.length;
	while (n > 0 && column < end) {
		uint32_t c = utf8_next(&s, &n);

		screen->want[row][column++] = (struct cell){ c < UNKNOWN ? (uint16_t)c : '?',
							     (uint8_t)style };
	}
	return column;
}

static void fill(struct screen *screen, unsigned row, unsigned column, unsigned end, char c,
		 enum style style)
{
	while (column < end)
		screen->want[row][column++] = (struct cell){ (uint16_t)c, (uint8_t)style };
}

static void border(struct screen *screen, unsigned row)
{
	fill(screen, row, 0, SCREEN_COLUMNS, '-', STYLE_PLAIN);
	screen->want[row][0].c = screen->want[row][SCREEN_COLUMNS - 1].c = '+';
}

void screen_begin(struct screen *screen, const char *title, const char *right, const char *keys,
		  bool bare)
{
	unsigned n = (unsigned)utf8_columns(right);

	screen->bare = bare;
	for (unsigned row = 0; row < screen->rows; row++) {
		fill(screen, row, 0, SCREEN_COLUMNS, ' ', STYLE_PLAIN);
		if (!bare && row > 0 && row < screen->rows - 3)
			screen->want[row][0].c = screen->want[row][SCREEN_COLUMNS - 1].c = '|';
	}
	border(screen, 0);
	border(screen, screen->rows - 3);
	screen->want[0][2].c = ' ';
	screen->want[0][put(screen, 0, 3, SCREEN_COLUMNS - 4, STYLE_TITLE, title)].c = ' ';
	if (n > 0 && n < SCREEN_COLUMNS / 2) {
		screen->want[0][SCREEN_COLUMNS - 4 - n].c = screen->want[0][SCREEN_COLUMNS - 3].c =
			' ';
		(void)put(screen, 0, SCREEN_COLUMNS - 3 - n, SCREEN_COLUMNS - 3, STYLE_PLAIN,
			  right);
	}
	(void)put(screen, screen->rows - 1, 2, SCREEN_COLUMNS - 2, STYLE_PLAIN, keys);
}

void screen_line(struct screen *screen, unsigned line, enum style style, const char *text)
{
	unsigned begin = screen->bare ? 0 : 2, end = begin + screen_columns(screen),
		 column = put(screen, line + 1, begin, end, style, text);

	if (style == STYLE_CHOSEN)
		fill(screen, line + 1, column, end, ' ', style);
}

void screen_ask(struct screen *screen, enum style style, const char *text)
{
	size_t n = text_length(text);

	for (size_t columns = utf8_columns(text); columns > SCREEN_COLUMNS - 4; columns--)
		(void)utf8_next(&text, &n);
	fill(screen, screen->rows - 2, 0, SCREEN_COLUMNS, ' ', STYLE_PLAIN);
	(void)put(screen, screen->rows - 2, 2, SCREEN_COLUMNS - 2, style, text);
}

/* ---- printing ---- */

static bool same(const struct cell *a, const struct cell *b)
{
	return a->c == b->c && a->style == b->style;
}

static void print(struct screen *screen, unsigned row, unsigned begin, unsigned end)
{
	const struct cell *cell = screen->want[row];
	uint16_t units[SCREEN_COLUMNS];
	char text[LINE_BYTES];

	while (begin < end) {
		unsigned n = 0;

		for (; begin + n < end && cell[begin + n].style == cell[begin].style; n++)
			units[n] = cell[begin + n].c;
		utf8_from_utf16(text, units, n);
		screen->terminal->print(screen->terminal, begin, row, cell[begin].style, text);
		begin += n;
	}
}

void screen_show(struct screen *screen)
{
	for (unsigned row = 0; row < screen->rows; row++) {
		struct cell *want = screen->want[row], *shown = screen->shown[row];
		unsigned begin = 0, end = SCREEN_COLUMNS;

		while (begin < end && same(&want[begin], &shown[begin]))
			begin++;
		while (end > begin && same(&want[end - 1], &shown[end - 1]))
			end--;
		print(screen, row, begin, end);
		memcpy(shown, want, sizeof screen->shown[row]);
	}
}

size_t screen_break(const char *text, size_t columns, const char **ret_next)
{
	size_t left = text_length(text), at_blank = 0;
	const char *s = text;

	for (size_t column = 0; left > 0 && *s != '\n'; column++) {
		if (*s == ' ')
			at_blank = (size_t)(s - text);
		if (column == columns) {
			size_t n = at_blank > 0 ? at_blank : (size_t)(s - text);

			for (*ret_next = text + n; **ret_next == ' ';)
				++*ret_next;
			*ret_next += **ret_next ==
				     '\n'; /* blanks at the end of a line make no empty line */
			return n;
		}
		(void)utf8_next(&s, &left);
	}
	*ret_next = s + (*s == '\n');
	return (size_t)(s - text);
}
