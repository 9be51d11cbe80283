/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Command lines of the menu: composed, tried with --dry-run, and run with their output on the
 * screen. The reason of a refusal is the message event of the command (cli/events.h).
 *
 * The transcript keeps what fits: when it is full, the older half below the command line is
 * dropped. A '\r' in the output lets the next text replace the line, as on a terminal.
 */
#include "menu/run.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/dispatch.h"
#include "platform/clock.h"
#include "platform/person.h"

#define REDRAW_NS UINT64_C(50000000)

/* ---- lines ---- */

void line_begin(struct line *line, const char *command)
{
	out_buffer_init(&line->out, line->text, sizeof line->text);
	out_text(&line->out.out, command);
}

void line_option(struct line *line, const char *options)
{
	if (options[0] != '\0')
		out_printf(&line->out.out, " %s", options);
}

void line_part(struct line *line, const char *before, const char *word)
{
	char text[LINE_BYTES / 4], *one = text;
	struct out_buffer out;

	out_buffer_init(&out, text, sizeof text);
	out_printf(&out.out, "%s%s", before, word);
	line->out.out.failed = line->out.out.failed || out.out.failed;
	out_text(&line->out.out, " ");
	words_print(&one, 1, &line->out.out);
}

void line_word(struct line *line, const char *word)
{
	line_part(line, "", word);
}

/* Runs a line, with a log unless `log` is NULL, which gets its name; "": there is none. */
static int run(const struct console *console, const struct line *line, char *log, size_t log_bytes)
{
	struct session *session = NULL;
	struct words words = { 0 };
	struct out_buffer out;
	struct error err;
	int code;

	platform_cancelled_forget();
	if (line->out.out.failed) {
		error_set(&err, "the command line is longer than %d characters", LINE_BYTES);
		return command_failed(console, &err);
	}
	if (words_split(line->text, &words, &err) != ST_OK)
		return command_failed(console, &err);
	if (log != NULL && session_open(console, &session, &err) != ST_OK)
		command_warn(console, "there is no log: %s", err.text);
	if (session == NULL) {
		code = cli_run(console, (int)words.n, words.word);
	} else {
		code = session_run(session, console, (int)words.n, words.word);
		out_buffer_init(&out, log, log_bytes);
		if (session_log(session) != NULL)
			out_text(&out.out, session_log(session));
	}
	session_close(session);
	words_free(&words);
	return code;
}

/* ---- run with its output on the screen ---- */

/* Drops the older half of the lines after the head, and leaves a note there. */
static void make_room(struct transcript *t)
{
	static const char note[] = "(The first lines are not shown.)\n\n";
	size_t at = t->head + (TRANSCRIPT_BYTES - t->head) / 2,
	       n_note = t->is_cut ? 0 : sizeof note - 1;

	while (at < t->n && t->text[at - 1] != '\n')
		at++;
	memmove(t->text + t->head + n_note, t->text + at, t->n - at);
	memcpy(t->text + t->head, note, n_note);
	t->head += n_note;
	t->is_cut = true;
	t->n -= at - t->head;
	t->line = t->line > at ? t->line - (at - t->head) : t->head;
}

static void add(struct transcript *t, char c)
{
	if (t->back && c != '\n')
		t->n = t->line;
	t->back = c == '\r';
	if (c == '\r')
		return;
	if (t->n + 1 == TRANSCRIPT_BYTES)
		make_room(t);
	t->text[t->n++] = c;
	if (c == '\n')
		t->line = t->n;
}

void transcript_show(struct transcript *t)
{
	t->text[t->n] = '\0';
	if (t->running->n > 0)
		running_draw(t->running);
	else
		page_show(t->ui, t->page);
	t->shown_ns = platform_nanoseconds();
}

static void transcript_write(struct out *out, const char *bytes, size_t n)
{
	struct transcript *t = (struct transcript *)out;
	bool line = false;

	for (size_t i = 0; i < n; i++) {
		line = line || bytes[i] == '\n' || bytes[i] == '\r';
		add(t, bytes[i]);
	}
	if (line && t->running->n == 0 && platform_nanoseconds() - t->shown_ns >= REDRAW_NS)
		transcript_show(t);
}

void transcript_show_question(void *user, bool asked)
{
	struct transcript *t = user;

	t->page->ask = asked ? STOP_QUESTION : RUNNING_TEXT;
	t->page->loud = t->running->asked = asked;
	transcript_show(t);
}

void transcript_begin(struct transcript *t, struct ui *ui, struct page *page,
		      struct running *running)
{
	*page = (struct page){ .title = running->title,
			       .step = "",
			       .heading = "",
			       .text = t->text,
			       .ask = RUNNING_TEXT,
			       .last = true,
			       .plain = true,
			       .bare = true };
	*t = (struct transcript){
		.out.write = transcript_write, .ui = ui, .page = page, .running = running
	};
	platform_cancel_ask(transcript_show_question, t);
	platform_other_keys(running_key, running);
}

int line_run(struct ui *ui, struct transcript *t, struct running *running, const struct line *line,
	     char *log, size_t log_bytes)
{
	struct console console = { .out = &t->out, .err = &t->out, .events = &running->events };
	struct page page;
	int code;

	transcript_begin(t, ui, &page, running);
	out_printf(&t->out, "> efi-img %s\n\n", line->text);
	t->head = t->line = t->n;
	transcript_show(t);
	log[0] = '\0';
	code = run(&console, line, log, log_bytes);
	platform_cancelled_forget();
	platform_other_keys(NULL, NULL);
	platform_cancel_ask(show_stop_question, ui);
	t->text[t->n] = '\0';
	return code;
}

/* ---- try ---- */

/* Keeps the last error of a command as the reason to refuse. */
struct refusal {
	struct events events;
	const char *about; /* a name that the reason need not begin with, or "" */
	struct out_buffer why;
};

static void take_reason(struct events *events, const char *text)
{
	struct refusal *refusal = (struct refusal *)events;
	size_t n = text_length(refusal->about);

	if (n > 0 && text_starts_with(text, refusal->about) && text_starts_with(text + n, ": "))
		text += n + 2;
	out_buffer_init(&refusal->why, refusal->why.text, refusal->why.capacity);
	out_text(&refusal->why.out, text);
}

static void drop(struct out *out, const char *bytes, size_t n)
{
	(void)out;
	(void)bytes;
	(void)n;
}

bool line_possible(struct line *line, char *plan, size_t plan_bytes, const char *about, char *why,
		   size_t why_bytes)
{
	size_t length = line->out.length;
	struct out nothing = { .write = drop };
	struct out_buffer out;
	struct refusal refusal = { .events.message = take_reason, .about = about };
	struct console console = { .out = plan != NULL ? &out.out : &nothing,
				   .err = &nothing,
				   .events = &refusal.events };
	int code;

	if (plan != NULL)
		out_buffer_init(&out, plan, plan_bytes);
	out_buffer_init(&refusal.why, why, why_bytes);
	line_option(line, "--dry-run");
	code = run(&console, line, NULL, 0);
	line->out.length = length;
	line->text[length] = '\0';
	if (code == EXIT_OK)
		why[0] = '\0';   /* a warning is no reason */
	else if (why[0] == '\0') /* what is refused is never offered */
		out_text(&refusal.why.out, "the command refuses it");
	return code == EXIT_OK;
}
