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

enum {
	LINE_BYTES = 4 * SCREEN_COLUMNS + 1,
	UNKNOWN = 0xffff,
	HEADING_ROW = 1,
	/* to move the cursor takes a serial terminal about as long as so many characters */
	GAP_COLUMNS = 8,
};

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

static void fill(struct screen *screen, unsigned row, unsigned column, unsigned end, uint16_t c,
		 enum style style)
{
	while (column < end)
		screen->want[row][column++] = (struct cell){ c, (uint8_t)style };
}

/* The row of a line within the frame. */
static unsigned row_of(unsigned line)
{
	return line + 2;
}

static void border(struct screen *screen, unsigned row, uint16_t left, uint16_t right)
{
	fill(screen, row, 0, SCREEN_COLUMNS, DRAW_HORIZONTAL, STYLE_PLAIN);
	screen->want[row][0].c = left;
	screen->want[row][SCREEN_COLUMNS - 1].c = right;
}

static void draw_frame(struct screen *screen)
{
	unsigned last = screen->rows - 3;

	border(screen, 1, DRAW_DOWN_RIGHT, DRAW_DOWN_LEFT);
	border(screen, last, DRAW_UP_RIGHT, DRAW_UP_LEFT);
	for (unsigned row = 2; row < last && !screen->bare; row++)
		screen->want[row][0].c = screen->want[row][SCREEN_COLUMNS - 1].c = DRAW_VERTICAL;
}

void screen_begin(struct screen *screen, const struct surround *s)
{
	unsigned n = (unsigned)utf8_columns(s->right), end = SCREEN_COLUMNS - 1;

	screen->bare = s->bare;
	for (unsigned row = 0; row < screen->rows; row++)
		fill(screen, row, 0, SCREEN_COLUMNS, ' ', row == 0 ? STYLE_TITLE : STYLE_PLAIN);
	draw_frame(screen);
	if (n > 0 && n < SCREEN_COLUMNS / 2) {
		(void)put(screen, 0, end - n, end, STYLE_TITLE, s->right);
		end -= n + 1;
	}
	(void)put(screen, 0, 1, end, STYLE_TITLE, s->title);
	if (s->heading[0] != '\0') {
		screen->want[1][2].c = ' ';
		n = put(screen, 1, 3, SCREEN_COLUMNS - 3, s->style, s->heading);
		screen->want[1][n].c = ' ';
	}
	(void)put(screen, screen->rows - 1, 1, SCREEN_COLUMNS - 1, STYLE_PLAIN, s->keys);
}

unsigned screen_put(struct screen *screen, unsigned line, unsigned column, enum style style,
		    const char *text)
{
	unsigned begin = screen->bare ? 0 : 2;

	return put(screen, row_of(line), begin + column, begin + screen_columns(screen), style,
		   text) -
	       begin;
}

void screen_cell(struct screen *screen, unsigned line, unsigned column, enum style style,
		 uint16_t c)
{
	if (line < screen_lines(screen) && column < screen_columns(screen))
		screen->want[row_of(line)][column + (screen->bare ? 0 : 2)] = (struct cell){
			c, (uint8_t)style
		};
}

void screen_line(struct screen *screen, unsigned line, enum style style, const char *text)
{
	unsigned begin = screen->bare ? 0 : 2, column = screen_put(screen, line, 0, style, text);

	if (style == STYLE_CHOSEN)
		fill(screen, row_of(line), begin + column, begin + screen_columns(screen), ' ',
		     style);
}

void screen_ask(struct screen *screen, enum style style, const char *text)
{
	size_t n = text_length(text);

	for (size_t columns = utf8_columns(text); columns > SCREEN_COLUMNS - 2; columns--)
		(void)utf8_next(&text, &n);
	fill(screen, screen->rows - 2, 0, SCREEN_COLUMNS, ' ', STYLE_PLAIN);
	(void)put(screen, screen->rows - 2, 1, SCREEN_COLUMNS - 1, style, text);
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

/* Returns the end of the cells from `column` on that differ, but for gaps not worth moving for. */
static unsigned changed_end(const struct cell *want, const struct cell *shown, unsigned column)
{
	unsigned end = column;

	for (; column < SCREEN_COLUMNS && column < end + GAP_COLUMNS; column++)
		if (!same(&want[column], &shown[column]))
			end = column + 1;
	return end;
}

static void show_row(struct screen *screen, unsigned row)
{
	struct cell *want = screen->want[row], *shown = screen->shown[row];

	for (unsigned begin = 0, end; begin < SCREEN_COLUMNS; begin = end) {
		end = begin + 1;
		if (same(&want[begin], &shown[begin]))
			continue;
		end = changed_end(want, shown, begin);
		print(screen, row, begin, end);
	}
	memcpy(shown, want, sizeof screen->shown[row]);
}

/* The row with the heading comes last: a question appears when its answers are on the screen. */
void screen_show(struct screen *screen)
{
	for (unsigned row = 0; row < screen->rows; row++)
		if (row != HEADING_ROW)
			show_row(screen, row);
	show_row(screen, HEADING_ROW);
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
