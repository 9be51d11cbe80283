/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The two kinds of screens that ask: a list to choose from, and a page of text with a line to type,
 * or a key, below it. Drawing and keys are here; what is asked is the caller's.
 *
 * Letters and digits always work: a serial terminal may have no arrow keys, and a firmware may
 * report them in pieces.
 */
#include "menu/ask.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "base/utf.h"

enum {
	KEYS_BYTES = 160,
	NUMBER_DIGITS = 5,
	ESCAPE_MS = 300,
	SETTLE_MS = 1000,
	AT_ONCE = 9,
	DETAIL_INDENT = 6
};

static const char help_keys[] =
	"\n\nDigits and letters always work; the arrow keys, Page Up and Page Down where the "
	"keyboard or the terminal has them.\n\n"
	"  1, 2, 3 ...   choose (with more than nine entries, press Enter after it)\n"
	"  n             next page\n"
	"  b             back to the previous screen\n"
	"  r             look at the disks and files again\n"
	"  q             leave efi-img\n"
	"  ?             this help\n\n"
	"Nothing is written before a screen has shown what will be written and where.\n"
	"While a command runs, Ctrl-C asks whether to stop it; no other key does.\n";

/* ---- keys ---- */

/*
 * A slow serial line may deliver an arrow key as ESC, '[' and a letter, when the firmware's own
 * time-out has passed in between. ESC alone has no function, so that waiting for the rest does no
 * harm.
 */

static uint32_t after_escape(struct ui *ui)
{
	static const struct {
		char c;
		uint32_t key;
	} arrows[] = {
		{ 'A', KEY_UP }, { 'B', KEY_DOWN }, { '5', KEY_PAGE_UP }, { '6', KEY_PAGE_DOWN }
	};
	struct terminal *terminal = ui->screen.terminal;
	uint32_t key = terminal->key(terminal, ESCAPE_MS);

	if (key != '[' && key != 'O')
		return key == KEY_GONE ? KEY_GONE : KEY_OTHER;
	key = terminal->key(terminal, ESCAPE_MS);
	for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++)
		if (key == (uint32_t)arrows[i].c) {
			if (text_is_digit(arrows[i].c))
				(void)terminal->key(terminal, ESCAPE_MS); /* the '~' */
			return arrows[i].key;
		}
	return key == KEY_GONE ? KEY_GONE : KEY_OTHER;
}

static uint32_t next_key(struct ui *ui)
{
	struct terminal *terminal = ui->screen.terminal;
	uint32_t key;

	screen_show(&ui->screen);
	key = terminal->key(terminal, 0);
	if (key == KEY_ESCAPE)
		key = after_escape(ui);
	if (key == '\n')
		key = KEY_ENTER;
	else if (key == 0x7f)
		key = KEY_BACKSPACE;
	ui->gone = ui->gone || key == KEY_GONE;
	return key;
}

static uint32_t lower(uint32_t key)
{
	return key >= 'A' && key <= 'Z' ? key - 'A' + 'a' : key;
}

bool sure(struct ui *ui, const char *question)
{
	screen_ask(&ui->screen, STYLE_LOUD, question);
	return lower(next_key(ui)) == 'y';
}

void tell(struct ui *ui, const char *text)
{
	screen_ask(&ui->screen, STYLE_PLAIN, text);
	screen_show(&ui->screen);
}

void show_stop_question(void *ui, bool asked)
{
	struct screen *screen = &((struct ui *)ui)->screen;

	screen_ask(screen, asked ? STYLE_LOUD : STYLE_PLAIN, asked ? STOP_QUESTION : "Looking ...");
	screen_show(screen);
}

static enum way quit(struct ui *ui)
{
	return sure(ui, "Leave efi-img? y = yes, any other key = no") || ui->gone ? WAY_QUIT
										  : WAY_AGAIN;
}

static void help(struct ui *ui, const char *about)
{
	char text[1600];
	struct out_buffer out;

	out_buffer_init(&out, text, sizeof text);
	out_printf(&out.out, "%s%s", about, help_keys);
	/* Whatever is pressed leads back from the help. */
	(void)page_ask(ui, &(struct page){ .title = "HELP",
					   .step = "",
					   .text = text,
					   .ask = "Press any key to go back.",
					   .help = "",
					   .plain = true });
}

/* ---- texts ---- */

/* Draws the lines of a text after the first `skip`; returns the number of all lines. */
static size_t write_text(struct screen *screen, const char *text, size_t skip, unsigned first_line)
{
	size_t n = 0;
	enum style style = STYLE_PLAIN;

	while (*text != '\0') {
		char line[4 * SCREEN_COLUMNS + 1];
		struct out_buffer out;
		const char *next;
		bool ends;

		if (*text == PAGE_LOUD[0]) {
			style = STYLE_LOUD;
			text++;
		}
		out_buffer_init(&out, line, sizeof line);
		out.out.write(&out.out, text, screen_break(text, screen_columns(screen), &next));
		ends = next[-1] == '\n';
		if (n >= skip && n - skip + first_line < screen_lines(screen))
			screen_line(screen, (unsigned)(n - skip) + first_line, style, line);
		if (ends)
			style = STYLE_PLAIN;
		text = next;
		n++;
	}
	return n;
}

static size_t lines_of(struct ui *ui, const char *text, bool bare)
{
	ui->screen.bare = bare;
	return write_text(&ui->screen, text, SIZE_MAX, 0);
}

static void draw_page(struct ui *ui, const struct page *page, size_t skip)
{
	size_t lines = screen_lines(&ui->screen), n = lines_of(ui, page->text, page->bare);
	char keys[KEYS_BYTES], ask[1024];
	struct out_buffer out;

	out_buffer_init(&out, keys, sizeof keys);
	if (n > lines)
		out_printf(&out.out, "%s %zu-%zu of %zu   ",
			   page->typed == NULL ? "n/arrows: lines" : "arrows: lines", skip + 1,
			   skip + lines, n);
	if (page->typed != NULL)
		out_text(&out.out, "Enter continue   b+Enter back   q+Enter quit   ?+Enter help");
	else if (!page->plain)
		out_text(&out.out, "b back   q quit   ? help");
	screen_begin(&ui->screen, page->title, page->step, keys, page->bare);
	(void)write_text(&ui->screen, page->text, skip, 0);
	out_buffer_init(&out, ask, sizeof ask);
	out_text(&out.out, page->ask);
	if (page->typed != NULL)
		out_printf(&out.out, " %s_", page->typed);
	screen_ask(&ui->screen, page->loud ? STYLE_LOUD : STYLE_PLAIN, ask);
}

void page_show(struct ui *ui, const struct page *page)
{
	size_t lines = screen_lines(&ui->screen), n = lines_of(ui, page->text, page->bare);

	draw_page(ui, page, page->last && n > lines ? n - lines : 0);
	screen_show(&ui->screen);
}

/* Scrolls a text that is longer than the screen. Returns false if the key does not scroll. */
static bool scroll(struct ui *ui, const struct page *page, uint32_t key, size_t *skip)
{
	size_t lines = screen_lines(&ui->screen), n = lines_of(ui, page->text, page->bare),
	       most = n > lines ? n - lines : 0;

	if (most == 0)
		return false;
	if (key == KEY_PAGE_DOWN || (page->typed == NULL && (lower(key) == 'n' || key == ' ')))
		*skip = *skip == most ? 0 : *skip + lines;
	else if (key == KEY_PAGE_UP)
		*skip = *skip > lines ? *skip - lines : 0;
	else if (key == KEY_DOWN)
		++*skip;
	else if (key == KEY_UP)
		*skip -= *skip > 0;
	else
		return false;
	if (*skip > most)
		*skip = most;
	return true;
}

/* Adds a key to what is typed, or removes the last one. */
static void type(struct page *page, uint32_t key)
{
	size_t n = text_length(page->typed);

	if (key == KEY_BACKSPACE) {
		page->typed[n - (n > 0)] = '\0';
	} else if (key >= ' ' && key < 0x7f && n + 1 < page->capacity) {
		page->typed[n] = (char)key;
		page->typed[n + 1] = '\0';
	}
}

/* Follows one of the letters that work on every screen. */
static enum way way_of(struct ui *ui, uint32_t key, const char *about)
{
	if (lower(key) == 'b')
		return WAY_BACK;
	if (lower(key) == 'q')
		return quit(ui);
	if (key == '?')
		help(ui, about);
	return ui->gone ? WAY_QUIT : WAY_AGAIN;
}

static bool is_command(const char *typed)
{
	return typed[0] != '\0' && typed[1] == '\0' && text_find("bBqQ?", typed[0]) != NULL;
}

enum way page_ask(struct ui *ui, struct page *page)
{
	size_t lines = screen_lines(&ui->screen), n = lines_of(ui, page->text, page->bare),
	       skip = page->last && n > lines ? n - lines : 0;

	for (;;) {
		enum way way = WAY_NEXT;
		uint32_t key;

		draw_page(ui, page, skip);
		key = next_key(ui);
		if (ui->gone)
			return WAY_QUIT;
		if (scroll(ui, page, key, &skip))
			continue;
		if (page->typed == NULL && (page->enter ? key != KEY_ENTER : key == KEY_OTHER))
			continue;
		if (page->typed == NULL && !page->plain &&
		    (lower(key) == 'b' || lower(key) == 'q' || key == '?'))
			way = way_of(ui, key, page->help);
		else if (page->typed != NULL && key != KEY_ENTER)
			type(page, key), way = WAY_AGAIN;
		else if (page->typed != NULL && is_command(page->typed)) {
			way = way_of(ui, (uint32_t)page->typed[0], page->help);
			page->typed[0] = '\0';
		}
		if (way != WAY_AGAIN)
			return way;
	}
}

void forget_typed(struct ui *ui)
{
	ui->screen.terminal->forget_keys(ui->screen.terminal, 0);
}

enum way page_ask_settled(struct ui *ui, struct page *page)
{
	struct page still = *page;

	still.ask = "";
	page_show(ui, &still);
	ui->screen.terminal->forget_keys(ui->screen.terminal, SETTLE_MS);
	return page_ask(ui, page);
}

/* ---- lists ---- */

/* The state of list_ask() between keys. */
struct choosing {
	size_t first, end; /* the items that are shown */
	int mark;
	char number[NUMBER_DIGITS + 1];
	char note[512]; /* why the last key had no effect; "" */
};

static const char not_possible[] = "NOT POSSIBLE: ";

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
	       head = list->head[0] != '\0' ? lines_of(ui, list->head, false) + 1 : 0;

	head += list->columns[0] != '\0';
	return (unsigned)(n > head ? n - head : 1);
}

static void draw_item(struct ui *ui, const struct list *list, const struct choosing *c,
		      size_t index, unsigned *line)
{
	const struct item *item = &list->item[index];
	enum style style = (int)index == c->mark  ? STYLE_CHOSEN
			   : item->why[0] == '\0' ? STYLE_PLAIN
						  : STYLE_DIM;
	char text[sizeof item->text + 16];
	struct out_buffer out;

	out_buffer_init(&out, text, sizeof text);
	out_text(&out.out, (int)index == c->mark ? ">" : " ");
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
	if (list->n > 0)
		out_printf(out,
			   list->n > AT_ONCE ? "1-%zu+Enter choose   "
			   : list->n > 1     ? "1-%zu choose   "
					     : "1 choose   ",
			   list->n);
	if (list->enter)
		out_text(out, "Enter continue   ");
	if (c->first > 0 || c->end < list->n)
		out_text(out, "n next page   ");
	out_printf(out, "%s%sq quit   ? help", list->letters_help, list->first ? "" : "b back   ");
}

static void draw_list(struct ui *ui, const struct list *list, struct choosing *c)
{
	struct screen *screen = &ui->screen;
	unsigned line = 0;
	char text[KEYS_BYTES];
	struct out_buffer out;

	c->end = page_end(list, c->first, item_lines(ui, list));
	out_buffer_init(&out, text, sizeof text);
	list_keys(list, c, &out.out);
	screen_begin(screen, list->title, list->step, text, false);
	if (list->head[0] != '\0')
		line = (unsigned)write_text(screen, list->head, 0, 0) + 1;
	if (list->n > 0 && list->columns[0] != '\0') {
		out_buffer_init(&out, text, sizeof text);
		out_spaces(&out.out, DETAIL_INDENT);
		out_text(&out.out, list->columns);
		screen_line(screen, line++, STYLE_DIM, text);
	}
	if (list->n == 0)
		(void)write_text(screen, list->empty, 0, line);
	for (size_t i = c->first; i < c->end; i++)
		draw_item(ui, list, c, i, &line);
	out_buffer_init(&out, text, sizeof text);
	out_printf(&out.out, "%s %s_", list->ask, c->number);
	screen_ask(screen, c->note[0] != '\0' ? STYLE_LOUD : STYLE_PLAIN,
		   c->note[0] != '\0' ? c->note : text);
}

/* Moves the mark, and scrolls the page to it. */
static void move_mark(const struct list *list, struct choosing *c, bool down, unsigned lines)
{
	if (list->n == 0)
		return;
	if (c->mark == LIST_NONE)
		c->mark = (int)(down ? c->first : c->end - 1);
	else if (down && (size_t)c->mark + 1 < list->n)
		c->mark++;
	else if (!down && c->mark > 0)
		c->mark--;
	if ((size_t)c->mark < c->first)
		c->first = (size_t)c->mark;
	while (page_end(list, c->first, lines) <= (size_t)c->mark)
		c->first++;
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
		out_printf(&out.out, "%ju cannot be chosen, for the reason above.", number);
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
	if (c->mark != LIST_NONE)
		return take(list, c, (uint64_t)c->mark + 1);
	list->chosen = LIST_NONE;
	return list->enter;
}

static void turn_page(const struct list *list, struct choosing *c, bool back, unsigned lines)
{
	size_t first = 0;

	if (!back) {
		c->first = c->end < list->n ? c->end : 0;
	} else {
		while (page_end(list, first, lines) < c->first)
			first = page_end(list, first, lines);
		c->first = first;
	}
	c->mark = LIST_NONE;
}

enum way list_ask(struct ui *ui, struct list *list)
{
	unsigned lines = item_lines(ui, list);
	struct choosing c = { .mark = list->chosen };

	for (;;) {
		uint32_t key;

		draw_list(ui, list, &c);
		key = next_key(ui);
		c.note[0] = '\0';
		if (ui->gone)
			return WAY_QUIT;
		if ((key >= '0' && key <= '9') || key == KEY_BACKSPACE) {
			if (take_digit(list, &c, key))
				return WAY_NEXT;
		} else if (key == KEY_ENTER) {
			if (take_enter(list, &c))
				return WAY_NEXT;
		} else if (key == KEY_UP || key == KEY_DOWN) {
			move_mark(list, &c, key == KEY_DOWN, lines);
		} else if (key == KEY_PAGE_DOWN || key == KEY_PAGE_UP || lower(key) == 'n' ||
			   key == ' ') {
			turn_page(list, &c, key == KEY_PAGE_UP, lines);
		} else if (lower(key) == 'r') {
			return WAY_AGAIN;
		} else if (key > ' ' && key < 0x7f &&
			   text_find(list->letters, (char)lower(key)) != NULL) {
			list->key = (char)lower(key);
			return WAY_KEY;
		} else if (lower(key) == 'b' || lower(key) == 'q' || key == '?') {
			enum way way = way_of(ui, key, list->help);

			if (way != WAY_AGAIN)
				return way;
		} else {
			struct out_buffer out;

			out_buffer_init(&out, c.note, sizeof c.note);
			out_text(&out.out, "This key has no function here. Press ? for help.");
		}
	}
}
