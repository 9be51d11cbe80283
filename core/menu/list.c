/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list to choose from: by arrows and Enter, or by number. An item that cannot be chosen stays in
 * the list with the reason.
 */
#include "menu/ask_parts.h"

#include "base/out.h"
#include "base/text.h"
#include "base/utf.h"

enum { NUMBER_DIGITS = 5, AT_ONCE = 9, DETAIL_INDENT = 6 };

#define POINTER "\xe2\x96\xba" /* DRAW_POINTER */

/* The state of list_ask() between keys. */
struct choosing {
	size_t first, end; /* the items that are shown */
	char number[NUMBER_DIGITS + 1];
	char note[512]; /* why the last choice was not possible; "" */
};

static const char not_possible[] = "not possible: ";

/*
 * Draws the detail below an item from `line` on, with `before` at the start of its first line.
 * Returns the number of lines; screen NULL: only that.
 */
static unsigned write_detail(struct screen *screen, unsigned line, enum style style,
			     const char *before, const char *detail)
{
	char text[4 * SCREEN_TEXT_COLUMNS + 1];
	struct out_buffer out;
	const char *next;
	unsigned n = 0;

	for (; *detail != '\0'; detail = next, n++) {
		size_t bytes = screen_break(detail,
					    SCREEN_TEXT_COLUMNS - DETAIL_INDENT -
						    (n == 0 ? utf8_columns(before) : 0),
					    &next);

		if (screen == NULL || line + n >= screen_lines(screen))
			continue;
		out_buffer_init(&out, text, sizeof text);
		out_spaces(&out.out, DETAIL_INDENT);
		out_text(&out.out, n == 0 ? before : "");
		out.out.write(&out.out, detail, bytes);
		screen_line(screen, line + n, style, text);
	}
	return n;
}

static unsigned item_height(const struct item *item)
{
	return 1 + write_detail(NULL, 0, STYLE_PLAIN, "", item->detail) +
	       write_detail(NULL, 0, STYLE_PLAIN, not_possible, item->why);
}

/* Returns the end of a page: the item after the last that fits into `lines`, at least one. */
static size_t page_end(const struct list *list, size_t first, unsigned lines)
{
	size_t end = first;

	for (unsigned used = 0; end < list->n; end++) {
		used += item_height(&list->item[end]);
		if (used > lines && end > first)
			break;
	}
	return end;
}

/* Returns the number of lines for items. */
static unsigned item_lines(struct ui *ui, const struct list *list)
{
	size_t n = screen_lines(&ui->screen),
	       head = list->head[0] != '\0' ? text_lines(ui, list->head, false) + 1 : 0;

	head += list->columns[0] != '\0';
	return (unsigned)(n > head ? n - head : 1);
}

static void draw_item(struct ui *ui, const struct list *list, size_t index, unsigned *line)
{
	const struct item *item = &list->item[index];
	bool marked = (int)index == list->mark;
	enum style style = marked ? STYLE_CHOSEN : item->why[0] == '\0' ? STYLE_PLAIN : STYLE_DIM;
	char text[sizeof item->text + 16];
	struct out_buffer out;

	out_buffer_init(&out, text, sizeof text);
	out_text(&out.out, marked ? POINTER : " ");
	if (item->why[0] == '\0')
		out_printf(&out.out, "%3zu", index + 1);
	else
		out_text(&out.out, "  -");
	out_printf(&out.out, "  %s", item->text);
	screen_line(&ui->screen, (*line)++, style, text);
	*line += write_detail(&ui->screen, *line, style, "", item->detail);
	*line += write_detail(&ui->screen, *line, style, not_possible, item->why);
}

static void list_keys(const struct list *list, const struct choosing *c, struct out *out)
{
	bool paged = c->first > 0 || c->end < list->n;

	if (list->n > 1 && !(paged && list->letters_help[0] != '\0'))
		out_text(out, "Up/Down or number  ");
	if (list->n > 0)
		out_text(out, "Enter choose  ");
	if (paged)
		out_text(out, "n next page  ");
	out_printf(out, "%s%s? help", list->letters_help, list->first ? "q leave  " : "Esc back  ");
}

static void draw_list(struct ui *ui, const struct list *list, struct choosing *c)
{
	struct screen *screen = &ui->screen;
	unsigned line = 0;
	char text[KEYS_BYTES];
	struct surround surround = {
		.title = list->title, .right = list->step, .heading = list->ask, .keys = text
	};
	struct out_buffer out;

	c->end = page_end(list, c->first, item_lines(ui, list));
	out_buffer_init(&out, text, sizeof text);
	list_keys(list, c, &out.out);
	screen_begin(screen, &surround);
	if (list->head[0] != '\0')
		line = (unsigned)text_draw(screen, list->head, 0, 0) + 1;
	if (list->n > 0 && list->columns[0] != '\0') {
		out_buffer_init(&out, text, sizeof text);
		out_spaces(&out.out, DETAIL_INDENT);
		out_text(&out.out, list->columns);
		screen_line(screen, line++, STYLE_DIM, text);
	}
	if (list->n == 0)
		(void)text_draw(screen, list->empty, 0, line);
	for (size_t i = c->first; i < c->end; i++)
		draw_item(ui, list, i, &line);
	out_buffer_init(&out, text, sizeof text);
	if (c->number[0] != '\0')
		out_printf(&out.out, "Number, then Enter: %s_", c->number);
	screen_ask(screen, c->note[0] != '\0' ? STYLE_LOUD : STYLE_PLAIN,
		   c->note[0] != '\0' ? c->note : text);
}

/* Scrolls the page to the mark. */
static void show_mark(const struct list *list, struct choosing *c, unsigned lines)
{
	if (list->mark == LIST_NONE)
		return;
	if ((size_t)list->mark < c->first)
		c->first = (size_t)list->mark;
	while (page_end(list, c->first, lines) <= (size_t)list->mark)
		c->first++;
}

/* Marks the first item from `from` on that can be chosen; otherwise none is marked. */
static void mark_first(struct list *list, size_t from)
{
	for (list->mark = LIST_NONE; from < list->n && list->mark == LIST_NONE; from++)
		if (list->item[from].why[0] == '\0')
			list->mark = (int)from;
}

/* Moves the mark. */
static void move_mark(struct list *list, struct choosing *c, bool down, unsigned lines)
{
	if (list->n == 0)
		return;
	if (list->mark == LIST_NONE)
		list->mark = (int)(down ? c->first : c->end - 1);
	else if (down && (size_t)list->mark + 1 < list->n)
		list->mark++;
	else if (!down && list->mark > 0)
		list->mark--;
	show_mark(list, c, lines);
}

/* Chooses an item. Returns false, with a note, if it cannot be chosen. */
static bool take(struct list *list, struct choosing *c, uint64_t number)
{
	struct out_buffer out;

	out_buffer_init(&out, c->note, sizeof c->note);
	c->number[0] = '\0';
	if (number == 0 || number > list->n) {
		out_printf(&out.out, "There is no entry %ju.", number);
		return false;
	}
	if (list->item[number - 1].why[0] != '\0') {
		out_printf(&out.out, "%ju cannot be chosen; the reason is in the list.", number);
		return false;
	}
	list->chosen = (int)number - 1;
	return true;
}

/* Takes a digit, or a backspace. Returns whether an item is chosen. */
static bool take_digit(struct list *list, struct choosing *c, uint32_t key)
{
	size_t n = text_length(c->number);

	if (key == KEY_BACKSPACE) {
		c->number[n - (n > 0)] = '\0';
		return false;
	}
	if (list->n <= AT_ONCE)
		return take(list, c, key - '0');
	if (n < NUMBER_DIGITS) {
		c->number[n] = (char)key;
		c->number[n + 1] = '\0';
	}
	return false;
}

static bool take_enter(struct list *list, struct choosing *c)
{
	uint64_t number = 0;

	if (c->number[0] != '\0') {
		(void)text_to_u64(c->number, &number); /* cannot fail: a few digits */
		return take(list, c, number);
	}
	return list->mark != LIST_NONE && take(list, c, (uint64_t)list->mark + 1);
}

static void turn_page(struct list *list, struct choosing *c, bool back, unsigned lines)
{
	size_t first = 0;

	if (!back) {
		c->first = c->end < list->n ? c->end : 0;
	} else {
		while (page_end(list, first, lines) < c->first)
			first = page_end(list, first, lines);
		c->first = first;
	}
	mark_first(list, c->first);
	if (list->mark >= (int)page_end(list, c->first, lines))
		list->mark = LIST_NONE;
}

/* Takes a key; WAY_AGAIN: the list stays. */
static enum way take_list_key(struct list *list, struct choosing *c, uint32_t key, unsigned lines)
{
	if ((key >= '0' && key <= '9') || key == KEY_BACKSPACE)
		return take_digit(list, c, key) ? WAY_NEXT : WAY_AGAIN;
	if (key == KEY_ENTER)
		return take_enter(list, c) ? WAY_NEXT : WAY_AGAIN;
	if (key > ' ' && key < 0x7f && text_find(list->letters, (char)key_lower(key)) != NULL) {
		list->key = (char)key_lower(key);
		return WAY_KEY;
	}
	if (key == KEY_UP || key == KEY_DOWN)
		move_mark(list, c, key == KEY_DOWN, lines);
	else if (key == KEY_PAGE_DOWN || key == KEY_PAGE_UP || key_lower(key) == 'n' || key == ' ')
		turn_page(list, c, key == KEY_PAGE_UP, lines);
	return WAY_AGAIN;
}

enum way list_ask(struct ui *ui, struct list *list)
{
	unsigned lines = item_lines(ui, list);
	struct choosing c = { .first = 0 };
	enum way way = WAY_AGAIN;

	if (list->mark == LIST_NONE)
		mark_first(list, 0);
	show_mark(list, &c, lines);
	while (way == WAY_AGAIN) {
		uint32_t key;

		draw_list(ui, list, &c);
		key = ask_key(ui);
		c.note[0] = '\0';
		if (ui->gone)
			return WAY_QUIT;
		if (key_lower(key) == 'r')
			return WAY_AGAIN;
		way = take_list_key(list, &c, key, lines);
		if (way == WAY_AGAIN)
			way = ask_way(ui, key, list->help);
		if (way == WAY_BACK && list->first)
			way = WAY_AGAIN;
	}
	return way;
}
