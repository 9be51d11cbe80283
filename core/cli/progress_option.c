/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the progress of a command goes. Consoles stack: a session runs a command with a console of
 * its own, whose events go to the log and then, by console_progress_show(), to the console that the
 * session itself was given.
 */
#include "cli/progress_option.h"

void console_progress_show(struct console_progress *progress, bool in_out,
			   const struct progress_event *event)
{
	const struct console *console = progress->console;
	struct out *out = in_out ? console->out : console->err;
	unsigned percent;

	if (console->events != NULL && console->events->progress != NULL) {
		console->events->progress(console->events, in_out, event);
	} else if (console->plain) {
		while (progress_step_due(&progress->steps, event, &percent))
			progress_print_step(out, percent, event->phase);
	} else {
		progress->line.out = out;
		progress->line.sink.take(&progress->line.sink, event);
	}
}

static void take(struct progress_sink *sink, const struct progress_event *event)
{
	struct console_progress *progress = (struct console_progress *)sink;

	console_progress_show(progress, progress->in_out, event);
}

void console_progress_init(struct console_progress *progress, const struct console *console,
			   bool in_out)
{
	*progress = (struct console_progress){ .sink.take = take,
					       .console = console,
					       .in_out = in_out };
	progress_line_init(&progress->line, console->err);
}

struct progress_sink *progress_option(const struct console *console,
				      const struct arguments *arguments,
				      struct console_progress *ret)
{
	if (!arguments_has(arguments, "p") || arguments_has(arguments, "q"))
		return NULL;
	console_progress_init(ret, console, console->progress_in_out);
	return &ret->sink;
}
