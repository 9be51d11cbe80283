/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Keys, and the pages of text with a line to type, or a key, below them. What is asked is the
 * caller's.
 *
 * Digits always work beside the arrows: a serial terminal may have no arrow keys, and a firmware
 * may report them in pieces. Esc leads back from every screen, b does so where nothing is typed.
 */
#include "menu/ask_parts.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "base/utf.h"

enum { ESCAPE_MS = 300, SETTLE_MS = 1000, INDENT_MAX = 24 };

static const char help_keys[] =
	"\n\n"
	"  Up, Down        move the mark; Enter chooses what is marked\n"
	"  1, 2, 3 ...     choose (with more than nine entries, press Enter after it)\n"
	"  n, Page Down    next page\n"
	"  Esc, b          back to the previous screen\n"
	"  r               look at the disks and files again\n"
	"  q               leave efi-img\n"
	"  ?               this help\n\n"
	"Where a name or a word is typed, letters are letters: Esc leads back there, too.\n\n"
	"Nothing is written before a screen has shown what will be written and where.\n"
	"While a command runs, Ctrl-C asks whether to stop it; no other key does.\n";

/* ---- keys ---- */

/*
 * A slow serial line may deliver an arrow key as ESC, '[' and a letter, when the firmware's own
 * time-out has passed in between. So Esc alone is one only when nothing of that follows.
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

	if (key != '[' && key != 'O') {
		ui->pending = key != KEY_NONE ? key : 0;
		return KEY_ESCAPE;
	}
	key = terminal->key(terminal, ESCAPE_MS);
	for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++)
		if (key == (uint32_t)arrows[i].c) {
			if (text_is_digit(arrows[i].c))
				(void)terminal->key(terminal, ESCAPE_MS); /* the '~' */
			return arrows[i].key;
		}
	return key == KEY_GONE ? KEY_GONE : KEY_OTHER;
}

uint32_t ask_key(struct ui *ui)
{
	struct terminal *terminal = ui->screen.terminal;
	uint32_t key = ui->pending;

	screen_show(&ui->screen);
	ui->pending = 0;
	if (key == 0)
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

uint32_t key_lower(uint32_t key)
{
	return key >= 'A' && key <= 'Z' ? key - 'A' + 'a' : key;
}

bool sure(struct ui *ui, const char *question)
{
	screen_ask(&ui->screen, STYLE_LOUD, question);
	return key_lower(ask_key(ui)) == 'y';
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
	(void)page_ask(ui, &(struct page){ .title = "Help",
					   .step = "",
					   .heading = "",
					   .text = text,
					   .ask = "Press any key to go back.",
					   .help = "",
					   .plain = true });
}

/* ---- texts ---- */

/*
 * The column that the rest of a line which is too long begins at: that of its text, after blanks
 * or after a label such as "target:  ".
 */
static unsigned indent_of(const char *line)
{
	unsigned n = 0, label;

	while (line[n] == ' ')
		n++;
	for (label = n; line[label] > ' ' && line[label] < 0x7f;)
		label++;
	if (n == 0 && label > 0 && line[label - 1] == ':')
		for (n = label; line[n] == ' ';)
			n++;
	return n <= INDENT_MAX ? n : 0;
}

size_t text_draw(struct screen *screen, const char *text, size_t skip, unsigned first_line)
{
	size_t n = 0;
	enum style style = STYLE_PLAIN;
	unsigned column = 0, indent = 0;
	bool ends = true; /* the line before */

	while (*text != '\0') {
		char line[4 * SCREEN_COLUMNS + 1];
		struct out_buffer out;
		const char *next;

		if (*text == PAGE_LOUD[0]) {
			style = STYLE_LOUD;
			text++;
		}
		if (ends)
			indent = indent_of(text);
		out_buffer_init(&out, line, sizeof line);
		out.out.write(&out.out, text,
			      screen_break(text, screen_columns(screen) - column, &next));
		ends = next[-1] == '\n';
		if (n >= skip && n - skip + first_line < screen_lines(screen))
			(void)screen_put(screen, (unsigned)(n - skip) + first_line, column, style,
					 line);
		if (ends)
			style = STYLE_PLAIN;
		column = ends ? 0 : indent;
		text = next;
		n++;
	}
	return n;
}

size_t text_lines(struct ui *ui, const char *text, bool bare)
{
	ui->screen.bare = bare;
	return text_draw(&ui->screen, text, SIZE_MAX, 0);
}

static void page_keys(const struct page *page, size_t skip, size_t lines, size_t n, struct out *out)
{
	if (n > lines)
		out_printf(out, "%s lines %zu-%zu of %zu   ",
			   page->typed == NULL ? "n, Up/Down" : "Up/Down", skip + 1, skip + lines,
			   n);
	if (page->letters != NULL)
		out_text(out, page->letters_help);
	if (page->typed != NULL)
		out_text(out, "Enter continue   Esc back   ? help");
	else if (!page->plain)
		out_text(out, "Esc back   ? help");
}

static void draw_page(struct ui *ui, const struct page *page, size_t skip)
{
	size_t lines = screen_lines(&ui->screen), n = text_lines(ui, page->text, page->bare);
	char keys[KEYS_BYTES], ask[1024];
	struct surround surround = { .title = page->title,
				     .right = page->step,
				     .heading = page->heading,
				     .style = page->style,
				     .keys = keys,
				     .bare = page->bare };
	struct out_buffer out;

	out_buffer_init(&out, keys, sizeof keys);
	page_keys(page, skip, lines, n, &out.out);
	screen_begin(&ui->screen, &surround);
	(void)text_draw(&ui->screen, page->text, skip, 0);
	out_buffer_init(&out, ask, sizeof ask);
	out_text(&out.out, page->ask);
	if (page->suggested != NULL)
		out_printf(&out.out, " [%s]:", page->suggested);
	if (page->typed != NULL)
		out_printf(&out.out, " %s_", page->typed);
	screen_ask(&ui->screen, page->loud ? STYLE_LOUD : STYLE_PLAIN, ask);
}

/* Returns what follows the last paragraph that stands out; all of the text, if none does. */
static const char *after_loud(const char *text)
{
	const char *loud;

	while ((loud = text_find(text, PAGE_LOUD[0])) != NULL) {
		text = loud;
		while (*text != '\0' && (text[0] != '\n' || text[1] != '\n'))
			text++;
		text += *text == '\n';
	}
	return text;
}

/*
 * Returns how many lines of a text are above the screen at first. Where something is typed, what
 * stands out is on the screen then: paths of devices can be so long that a warning after them
 * would be seen only by whoever scrolls.
 */
static size_t first_skip(struct ui *ui, const struct page *page)
{
	size_t lines = screen_lines(&ui->screen), n = text_lines(ui, page->text, page->bare);

	if (!page->last)
		n = page->typed != NULL ? n - text_lines(ui, after_loud(page->text), page->bare)
					: 0;
	return n > lines ? n - lines : 0;
}

void page_show(struct ui *ui, const struct page *page)
{
	draw_page(ui, page, first_skip(ui, page));
	screen_show(&ui->screen);
}

/* Scrolls a text that is longer than the screen. Returns false if the key does not scroll. */
static bool scroll(struct ui *ui, const struct page *page, uint32_t key, size_t *skip)
{
	size_t lines = screen_lines(&ui->screen), n = text_lines(ui, page->text, page->bare),
	       most = n > lines ? n - lines : 0;

	if (most == 0)
		return false;
	if (key == KEY_PAGE_DOWN || (page->typed == NULL && (key_lower(key) == 'n' || key == ' ')))
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

enum way ask_way(struct ui *ui, uint32_t key, const char *about)
{
	if (key == KEY_ESCAPE || key_lower(key) == 'b')
		return WAY_BACK;
	if (key_lower(key) == 'q')
		return quit(ui);
	if (key == '?')
		help(ui, about);
	return ui->gone ? WAY_QUIT : WAY_AGAIN;
}

/* Takes a key of a page with an answer to type. */
static enum way take_typed(struct ui *ui, struct page *page, uint32_t key)
{
	if (key == KEY_ESCAPE || key == '?')
		return ask_way(ui, key, page->help);
	if (key != KEY_ENTER) {
		type(page, key);
		return WAY_AGAIN;
	}
	if (page->typed[0] == '\0' && page->suggested != NULL) {
		struct out_buffer out;

		out_buffer_init(&out, page->typed, page->capacity);
		out_text(&out.out, page->suggested);
	}
	return WAY_NEXT;
}

/* Takes a key of a page without one. */
static enum way take_key(struct ui *ui, struct page *page, uint32_t key)
{
	if (page->enter && page->letters != NULL && key > ' ' && key < 0x7f &&
	    text_find(page->letters, (char)key) != NULL) {
		page->key = (char)key;
		return WAY_KEY;
	}
	if (page->enter)
		return key == KEY_ENTER ? WAY_NEXT : WAY_AGAIN;
	if (key == KEY_ESCAPE)
		return WAY_BACK;
	if (!page->plain && (key_lower(key) == 'b' || key_lower(key) == 'q' || key == '?'))
		return ask_way(ui, key, page->help);
	return key == KEY_OTHER ? WAY_AGAIN : WAY_NEXT;
}

enum way page_ask(struct ui *ui, struct page *page)
{
	size_t skip = first_skip(ui, page);
	enum way way = WAY_AGAIN;

	while (way == WAY_AGAIN) {
		uint32_t key;

		draw_page(ui, page, skip);
		key = ask_key(ui);
		if (ui->gone)
			return WAY_QUIT;
		if (!scroll(ui, page, key, &skip))
			way = page->typed != NULL ? take_typed(ui, page, key)
						  : take_key(ui, page, key);
	}
	return way;
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
