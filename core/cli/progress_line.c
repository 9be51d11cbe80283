/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The text of progress: the only place that knows it. Numbers are capped where they would make the
 * line longer than a row of the screen, which would scroll it instead of writing over it.
 */
#include "cli/progress_line.h"

#include "base/range.h"

enum { COLUMNS = 79, HOUR = 3600, HOURS_MAX = 99, LOST_MAX = 9999, SPEED_MAX = 99999 };

static const uint64_t megabyte = 1000000;

static const char head[] = "    (", tail[] = "/100%)";

/* "12.3", of a unit of 2^shift bytes. */
static void print_number(struct out *out, uint64_t bytes, int shift)
{
	uint64_t whole = bytes >> shift, rest = bytes - (whole << shift);

	out_printf(out, "%ju", whole);
	if (shift > 0)
		out_printf(out, ".%ju", (rest >> (shift - 10)) * 10 >> 10);
}

/* " 12.3/476.9 GiB" */
static void print_bytes(const struct progress_event *event, struct out *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int power = 0;

	while (event->bytes >> (10 * power) >= 1000)
		power++;
	out_text(out, " ");
	print_number(out, event->bytes_done, 10 * power);
	out_text(out, "/");
	print_number(out, event->bytes, 10 * power);
	out_printf(out, " %s", units[power]);
}

/* ", 123 MB/s, 12:34 left", as far as it is known. */
static void print_speed(const struct progress_event *event, struct out *out)
{
	uint64_t speed = event->bytes_per_second / megabyte, left = event->seconds_left;

	if (event->bytes_per_second == PROGRESS_UNKNOWN)
		return;
	if (speed < 10)
		out_printf(out, ", %ju.%ju MB/s", speed,
			   event->bytes_per_second / (megabyte / 10) % 10);
	else
		out_printf(out, ", %ju MB/s", min_u64(speed, SPEED_MAX));
	if (left == PROGRESS_UNKNOWN)
		return;
	if (left >= HOUR)
		out_printf(out, ", %juh%02jum left", min_u64(left / HOUR, HOURS_MAX),
			   left % HOUR / 60);
	else
		out_printf(out, ", %ju:%02ju left", left / 60, left % 60);
}

static void take(struct progress_sink *sink, const struct progress_event *event)
{
	struct progress_line *line = (struct progress_line *)sink;
	char text[COLUMNS + 1];
	struct out_buffer buffer;

	if (event->is_end) {
		out_text(line->out, "\n");
		line->width = 0;
		return;
	}
	out_buffer_init(&buffer, text, sizeof text);
	out_printf(&buffer.out, "%s%u.%02u%s", head, event->position / PROGRESS_ONE_PERCENT,
		   event->position % PROGRESS_ONE_PERCENT, tail);
	if (event->phase != NULL)
		out_printf(&buffer.out, " %s", event->phase);
	if (event->bytes > 0) {
		print_bytes(event, &buffer.out);
		print_speed(event, &buffer.out);
	}
	if (event->lost > 0)
		out_printf(&buffer.out, ", %ju%s lost", min_u64(event->lost, LOST_MAX),
			   event->lost > LOST_MAX ? "+" : "");
	out_text(line->out, text);
	if (buffer.length < line->width) /* blanks the rest of the line before */
		out_spaces(line->out, line->width - buffer.length);
	out_text(line->out, "\r");
	line->width = buffer.length;
}

void progress_line_init(struct progress_line *line, struct out *out)
{
	*line = (struct progress_line){ .sink.take = take, .out = out };
}

void progress_print_step(struct out *out, unsigned percent, const char *phase)
{
	out_printf(out, "%s%u.00%s%s%s\n", head, percent, tail, phase != NULL ? " " : "",
		   phase != NULL ? phase : "");
}
