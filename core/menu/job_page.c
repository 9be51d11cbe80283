/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The page of a script. Every event and every line goes two ways: to the page, and to the console
 * below as if there was no page, so that a log of a serial line is the same with a screen and
 * without one.
 *
 * The page of a command that shows progress stays until the next command begins; then what was
 * printed meanwhile is seen.
 */
#include "menu/job_page.h"

#include "base/memory.h"
#include "base/words.h"
#include "cli/progress_option.h"
#include "menu/run.h"
#include "platform/person.h"
#include "platform/stop.h"

enum { TITLE_BYTES = 512 };

/* An output of the script: to the console below, and to the transcript. */
struct both {
	struct out out; /* first: a struct out * that comes in is a struct both * */
	struct out *below, *page;
};

struct job_page {
	struct running running;      /* first: a struct events * that comes in is in it */
	struct events running_takes; /* what `running` does with events */
	struct console console;
	const struct console *below;
	struct console_progress progress; /* on `below` */
	struct both out, err;
	struct ui ui;
	struct page page;
	struct transcript transcript;
	const char *name;
	char title[TITLE_BYTES];
};

static void both_write(struct out *out, const char *bytes, size_t n)
{
	struct both *both = (struct both *)out;

	both->below->write(both->below, bytes, n);
	out->failed = both->below->failed;
	both->page->write(both->page, bytes, n);
}

/* Passes it on as a line on the console below, and to the page. */
static void take_progress(struct events *events, bool in_out, const struct progress_event *event)
{
	struct job_page *job = (struct job_page *)events;

	console_progress_show(&job->progress, in_out, event);
	job->running_takes.progress(events, in_out, event);
}

static void take_begin(struct events *events, int argc, char *const *argv);

/* The page of the next command. */
static void begin(struct job_page *job)
{
	bool switch_off = job->running.switch_off;

	running_begin(&job->running, &job->ui, job->title, "", "");
	job->running_takes = job->running.events;
	job->running.events.begin = take_begin;
	job->running.events.progress = take_progress;
	job->running.switch_off = switch_off;
}

static void take_begin(struct events *events, int argc, char *const *argv)
{
	struct job_page *job = (struct job_page *)events;
	struct out_buffer title;

	out_buffer_init(&title, job->title, sizeof job->title);
	out_printf(&title.out, "%s: ", job->name);
	words_print(argv, (size_t)argc, &title.out); /* a long one is cut */
	begin(job);
	console_progress_init(&job->progress, job->below, false);
	transcript_show(&job->transcript);
}

/* For platform_cancel_ask(): either console may be the one that the person reads. */
static void show_question(void *user, bool asked)
{
	struct job_page *job = user;

	out_text(job->below->err, asked ? STOP_LINE : "\n");
	transcript_show_question(&job->transcript, asked);
}

struct job_page *job_page_open(struct terminal *terminal, const struct console *below,
			       const char *name)
{
	struct job_page *job = mem_alloc(sizeof *job);
	struct out_buffer title;

	if (job == NULL)
		return NULL;
	*job = (struct job_page){
		.below = below,
		.name = name,
		.out = { { .write = both_write }, below->out, &job->transcript.out },
		.err = { { .write = both_write }, below->err, &job->transcript.out }
	};
	out_buffer_init(&title, job->title, sizeof job->title);
	out_text(&title.out, name);
	begin(job);
	screen_init(&job->ui.screen, terminal);
	transcript_begin(&job->transcript, &job->ui, &job->page, &job->running);
	platform_cancel_ask(show_question, job);
	job->console = *below;
	job->console.out = &job->out.out;
	job->console.err = &job->err.out;
	job->console.events = &job->running.events;
	return job;
}

const struct console *job_page_console(struct job_page *job)
{
	return &job->console;
}

const char *job_page_text(struct job_page *job)
{
	job->transcript.text[job->transcript.n] = '\0';
	return job->transcript.text;
}

bool job_page_switches_off(const struct job_page *job)
{
	return job->running.switch_off;
}

void job_page_close(struct job_page *job)
{
	platform_other_keys(NULL, NULL);
	platform_cancel_ask(NULL, NULL);
	mem_free(job);
}
