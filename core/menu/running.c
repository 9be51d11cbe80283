/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The page of a command that shows its progress.
 *
 * Events come from the boot processor while it copies, so drawing costs the copy its time. The page
 * is drawn at most five times a second, only what has changed is printed, and never more than one
 * fiftieth of the time goes into it: how long it took to draw decides when it is drawn next, which
 * matters on a serial line of 9600 baud.
 *
 * The time left is that of the present phase at its own speed: how fast the target can be read back
 * is not known while it is written.
 */
#include "menu/running.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "platform/clock.h"

enum { LABEL = 11, BAR = 50, LINE_BYTES = 512, CELLS_LINE = 8, SHARE = 50, MEGABYTE = 1000000 };

static const uint64_t second = 1000000000, wait_least = 200000000, wait_most = 10000000000;

void print_duration(struct out *out, uint64_t seconds)
{
	if (seconds >= 3600)
		out_printf(out, "%ju:%02ju:%02ju", seconds / 3600, seconds / 60 % 60, seconds % 60);
	else
		out_printf(out, "%ju:%02ju", seconds / 60, seconds % 60);
}

static void print_speed(struct out *out, uint64_t per_second)
{
	out_printf(out, ", %ju", per_second / MEGABYTE);
	if (per_second < (uint64_t)10 * MEGABYTE)
		out_printf(out, ".%ju", per_second / (MEGABYTE / 10) % 10);
	out_text(out, " MB/s");
}

void print_rate(struct out *out, uint64_t bytes, uint64_t ns)
{
	uint64_t ms = ns / MEGABYTE;

	if (bytes > 0 && ns >= second)
		print_speed(out, bytes / ms * 1000);
}

/* ---- drawing ---- */

static const char *label_of(const char *phase)
{
	static const char *const labels[][2] = {
		{ "copying", "Copying" },     { "verifying", "Reading back" },
		{ "comparing", "Comparing" }, { "reading", "Reading" },
		{ "flushing", "Flushing" },   { "finishing", "Finishing" },
	};

	for (size_t i = 0; phase != NULL && i < sizeof labels / sizeof labels[0]; i++)
		if (text_equal(phase, labels[i][0]))
			return labels[i][1];
	return phase != NULL ? phase : "Running";
}

static void draw_bar(struct screen *screen, unsigned line, const char *name, uint64_t done,
		     uint64_t all)
{
	/* of ten thousand; `all` is that of a disk, and not 0 */
	uint64_t part = all > UINT64_MAX / 10000 ? done / (all / 10000) : done * 10000 / all;
	char text[32];
	struct out_buffer out;

	(void)screen_put(screen, line, 0, STYLE_PLAIN, name);
	for (unsigned i = 0; i < BAR; i++) {
		bool full = part * BAR >= (i + 1) * (uint64_t)10000;

		screen_cell(screen, line, LABEL + 2 + i, full ? STYLE_PLAIN : STYLE_DIM,
			    full ? DRAW_FULL : DRAW_LIGHT);
	}
	out_buffer_init(&out, text, sizeof text);
	out_printf(&out.out, "%ju.%ju %%", part / 100, part / 10 % 10);
	(void)screen_put(screen, line, LABEL + BAR + 4, STYLE_PLAIN, text);
}

/* The numbers of a phase that runs, or has ended. */
static void print_phase(const struct running_phase *phase, struct out *out)
{
	const struct progress_event *event = &phase->event;
	uint64_t per_second = event->bytes_per_second;

	if (phase->end_ns != 0) {
		size_print(out, event->bytes);
		out_text(out, " in ");
		print_duration(out, (phase->end_ns - phase->begin_ns) / second);
		print_rate(out, event->bytes, phase->end_ns - phase->begin_ns);
		return;
	}
	size_print(out, event->bytes_done);
	out_text(out, " of ");
	size_print(out, event->bytes);
	if (per_second == PROGRESS_UNKNOWN || per_second == 0)
		return;
	print_speed(out, per_second);
	out_text(out, ", ");
	print_duration(out, (event->bytes - event->bytes_done) / per_second);
	out_text(out, " left");
}

static void draw_phases(const struct running *r, struct screen *screen)
{
	const struct progress_event *first = &r->phase[0].event;

	for (size_t i = 0; i < r->n; i++) {
		const struct progress_event *event = &r->phase[i].event;
		char text[LINE_BYTES];
		struct out_buffer out;

		draw_bar(screen, 3 + 2 * (unsigned)i, label_of(r->phase[i].name),
			 r->phase[i].end_ns != 0 ? event->bytes : event->bytes_done, event->bytes);
		out_buffer_init(&out, text, sizeof text);
		print_phase(&r->phase[i], &out.out);
		(void)screen_put(screen, 4 + 2 * (unsigned)i, LABEL + 2, STYLE_PLAIN, text);
	}
	if (r->n == 1 && first->total > first->bytes) {
		draw_bar(screen, 5, label_of("verifying"), 0, 1);
		(void)screen_put(screen, 6, LABEL + 2, STYLE_DIM, "next");
	}
}

static void draw_words(const struct running *r, struct screen *screen, uint64_t now)
{
	char text[LINE_BYTES];
	struct out_buffer out;

	if (r->from[0] != '\0') {
		(void)screen_put(screen, 0, 0, STYLE_DIM, "From");
		(void)screen_put(screen, 0, 6, STYLE_PLAIN, r->from);
	}
	if (r->to[0] != '\0') {
		(void)screen_put(screen, 1, 0, STYLE_DIM, "To");
		(void)screen_put(screen, 1, 6, STYLE_PLAIN, r->to);
	}
	out_buffer_init(&out, text, sizeof text);
	out_text(&out.out, "elapsed ");
	print_duration(&out.out, (now - r->begin_ns) / second);
	if (r->data_bytes > 0) {
		out_text(&out.out, "; data so far: ");
		size_print(&out.out, r->data_bytes);
	}
	if (r->unreadable_bytes > 0) {
		out_text(&out.out, "; unreadable: ");
		size_print(&out.out, r->unreadable_bytes);
	}
	(void)screen_put(screen, 2, 6, STYLE_DIM, text);
	(void)screen_put(screen, 7, 0, STYLE_LOUD, r->message);
}

static void draw(const struct running *r, uint64_t now)
{
	struct screen *screen = &r->ui->screen;

	screen_begin(screen, &(struct surround){
				     .title = r->title,
				     .right = "",
				     .heading = label_of(r->step),
				     .keys = r->switch_off ? "[x] o switch off when it is done"
							   : "[ ] o switch off when it is done" });
	draw_words(r, screen, now);
	draw_phases(r, screen);
	if (r->cells.n > 0)
		cells_draw(&r->cells, screen, CELLS_LINE);
	screen_ask(screen, r->asked ? STYLE_LOUD : STYLE_PLAIN,
		   r->asked ? STOP_QUESTION : RUNNING_TEXT);
	screen_show(screen);
}

void running_draw(struct running *r)
{
	uint64_t begin = platform_nanoseconds(), took;

	draw(r, begin);
	r->shown_ns = platform_nanoseconds();
	took = r->shown_ns - begin;
	r->wait_ns = min_u64(max_u64(took * SHARE, wait_least), wait_most);
}

static void draw_if_due(struct running *r)
{
	if (r->n > 0 && platform_nanoseconds() - r->shown_ns >= r->wait_ns)
		running_draw(r);
}

/* ---- events ---- */

static void begin_phase(struct running *r, const struct progress_event *event)
{
	unsigned lines = screen_lines(&r->ui->screen);
	struct running_phase *phase = &r->phase[r->n++];

	*phase = (struct running_phase){ .name = event->phase, .begin_ns = platform_nanoseconds() };
	if (r->n == 1 && event->phase != NULL && text_equal(event->phase, "copying") &&
	    lines > CELLS_LINE + 3)
		cells_begin(&r->cells, event->bytes,
			    (size_t)(lines - CELLS_LINE - 2) * (SCREEN_TEXT_COLUMNS - 1));
}

static void take_progress(struct events *events, bool in_out, const struct progress_event *event)
{
	struct running *r = (struct running *)events;
	struct running_phase *last = r->n > 0 ? &r->phase[r->n - 1] : NULL;
	bool changes = r->step != event->phase || last == NULL;

	(void)in_out;
	if (changes && last != NULL && last->end_ns == 0)
		last->end_ns = platform_nanoseconds();
	r->step = event->phase;
	if (event->is_end)
		return;
	if (event->bytes > 0 && changes && r->n < RUNNING_PHASES)
		begin_phase(r, event);
	if (event->bytes > 0 && r->n > 0 && r->phase[r->n - 1].end_ns == 0)
		r->phase[r->n - 1].event = *event;
	if (changes && r->n > 0)
		running_draw(r);
	else
		draw_if_due(r);
}

static void take_part(struct events *events, enum part_state state, uint64_t offset, uint64_t n)
{
	struct running *r = (struct running *)events;

	if (state == PART_DATA)
		r->data_bytes += n;
	if (state == PART_UNREADABLE)
		r->unreadable_bytes += n;
	cells_set(&r->cells, state, offset, n);
	draw_if_due(r);
}

/* Keeps the first line. */
static void take_message(struct events *events, const char *text)
{
	struct running *r = (struct running *)events;
	const char *end = text_find(text, '\n');
	struct out_buffer out;

	out_buffer_init(&out, r->message, sizeof r->message);
	out.out.write(&out.out, text, end != NULL ? (size_t)(end - text) : text_length(text));
}

void running_key(void *running, uint32_t key)
{
	struct running *r = running;

	if (key != 'o' || r->n == 0)
		return;
	r->switch_off = !r->switch_off;
	running_draw(r);
}

void running_begin(struct running *r, struct ui *ui, const char *title, const char *from,
		   const char *to)
{
	*r = (struct running){
		.events = { .progress = take_progress, .part = take_part, .message = take_message },
		.ui = ui,
		.title = title,
		.from = from,
		.to = to,
		.begin_ns = platform_nanoseconds()
	};
}
