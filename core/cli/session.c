/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sessions: command lines that run with a log, for somebody who is not at the keyboard.
 *
 * A session stands between a command and the console that it was given. What the command prints
 * goes to both the console and the text of the log; what it reports as events (cli/events.h)
 * becomes lines of JSON for the log and the serial port. Nothing is read back from printed text.
 *
 * The log is written before a command and after it, never while it runs: a command may be copying
 * the disk that the log is on, and must find it unchanged. A failure of the log never stops the
 * work.
 */
#include "cli/session.h"

#include "base/date.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/version.h"
#include "base/words.h"
#include "blk/blk.h"
#include "cli/list.h"
#include "cli/dispatch.h"
#include "cli/out_line.h"
#include "cli/progress_option.h"
#include "cli/start.h"
#include "disk/selector.h"
#include "platform/clock.h"
#include "platform/machine.h"
#include "record/log.h"

enum { SCHEMA = 1, EVENT_MAX = 1 << 20, SECOND = 1000000000 };

/* Passes what a command prints on to the console and to the log. */
struct tee {
	struct out out;
	struct out *screen, *log;
};

struct session {
	struct events events;   /* of the command; first: a struct events * that comes in is this */
	struct storage storage; /* outlives each command; has the log in its access set */
	struct log log;
	/* of the beginning; its disks are open, and count the writes to them */
	const struct inventory *inventory;
	uint64_t *writes;              /* the counts before this command */
	const struct console *console; /* of this command */
	bool plain;
	unsigned number; /* of this command */
	struct out_memory event;
	struct out_line line;
	struct tree tree;
	struct tee out, err;
	struct error last;              /* of this command: its last error or warning */
	struct progress_steps steps;    /* of this command, in the log */
	struct console_progress screen; /* and on the console */
};

/* ---- The log ---- */

/* A failure is a warning: the commands do not depend on the log. */
static void write_log(struct session *session, const struct console *console)
{
	struct error err;

	if (log_write(&session->log, &err) != ST_OK)
		command_warn(console, "from here on there is no log: %s", err.text);
}

const char *session_log(const struct session *session)
{
	return session->log.text_name;
}

const struct inventory *session_inventory(const struct session *session)
{
	return session->inventory;
}

void session_print(struct session *session, const struct console *console, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out_vprintf(console->out, format, args);
	va_end(args);
	va_start(args, format);
	out_vprintf(&session->log.text.out, format, args);
	va_end(args);
}

/* ---- Events ---- */

/* Prints the time. Returns false if it is not known, or not wanted. */
static bool print_time(const struct session *session, const char *between, const char *after,
		       struct out *out)
{
	uint32_t nanoseconds;
	int64_t seconds;
	struct date d;

	if (session->plain || !platform_time(&seconds, &nanoseconds) || seconds < 0)
		return false;
	d = date_of(seconds);
	out_printf(out, "%04d-%02u-%02u%s%02u:%02u:%02u%s", d.year, d.month, d.day, between, d.hour,
		   d.minute, d.second, after);
	return true;
}

struct tree *session_event(struct session *session, const char *event)
{
	char time[32];
	struct out_buffer text;

	out_memory_clear(&session->event);
	out_line_init(&session->line, &session->event.out);
	tree_init(&session->tree, &session->line.out, TREE_JSON);
	tree_object(&session->tree, NULL);
	tree_number(&session->tree, "schema", SCHEMA);
	tree_text(&session->tree, "event", event);
	out_buffer_init(&text, time, sizeof time);
	if (print_time(session, "T", "Z", &text.out))
		tree_text(&session->tree, "time", time);
	else
		tree_null(&session->tree, "time");
	return &session->tree;
}

void session_event_end(struct session *session, const struct console *console)
{
	struct out_memory *event = &session->event;
	struct out *const to[] = { &session->log.events.out, console->json };

	tree_end(&session->tree);
	out_text(&event->out, "\n");
	for (size_t i = 0; !event->out.failed && i < sizeof to / sizeof to[0]; i++)
		if (to[i] != NULL)
			to[i]->write(to[i], event->text, event->n);
}

static void send_step(struct session *session, unsigned percent, const char *phase)
{
	struct tree *tree = session_event(session, "progress");

	tree_number(tree, "number", session->number);
	tree_number(tree, "percent", percent);
	tree_text(tree, "phase", phase != NULL ? phase : "");
	session_event_end(session, session->console);
}

/* Each tenth of the way to the log, as text and as JSON; all of it to the console. */
static void take_progress(struct events *events, bool in_out, const struct progress_event *event)
{
	struct session *session = (struct session *)events;
	unsigned percent;

	console_progress_show(&session->screen, in_out, event);
	while (progress_step_due(&session->steps, event, &percent)) {
		progress_print_step(&session->log.text.out, percent, event->phase);
		send_step(session, percent, event->phase);
	}
}

/* The plan that the command is about to run, or why it refuses to. */
static void take_plan(struct events *events, const struct plan *plan)
{
	struct session *session = (struct session *)events;
	struct tree *tree;

	plan->print(plan, false, &session->log.text.out);
	tree = session_event(session, "plan");
	tree_number(tree, "number", session->number);
	tree_value(tree, "plan");
	plan->print(plan, true, tree->out);
	session_event_end(session, session->console);
}

/* Keeps the first line of it: further lines list what could be chosen instead. */
static void take_message(struct events *events, const char *text)
{
	struct session *session = (struct session *)events;
	const char *end = text_find(text, '\n');
	struct out_buffer last;

	out_buffer_init(&last, session->last.text, sizeof session->last.text);
	last.out.write(&last.out, text, end != NULL ? (size_t)(end - text) : text_length(text));
	events = session->console->events;
	if (events != NULL && events->message != NULL)
		events->message(events, text);
}

static void take_part(struct events *events, enum part_state state, uint64_t offset, uint64_t n)
{
	events = ((struct session *)events)->console->events;
	events->part(events, state, offset, n);
}

/* ---- What is printed ---- */

static void take(struct out *out, const char *bytes, size_t n)
{
	struct tee *tee = (struct tee *)out;

	tee->screen->write(tee->screen, bytes, n);
	out->failed = tee->screen->failed;
	tee->log->write(tee->log, bytes, n);
}

static void tee_begin(struct tee *tee, struct session *session, struct out *screen)
{
	tee->out = (struct out){ .write = take };
	tee->screen = screen;
	tee->log = &session->log.text.out;
}

/* ---- A command ---- */

static void send_words(struct tree *tree, int argc, char **argv)
{
	char line[2048];
	struct out_buffer text;

	out_buffer_init(&text, line, sizeof line);
	words_print(argv, (size_t)argc, &text.out);
	tree_text(tree, "line", line);
	tree_array(tree, "words");
	for (int i = 0; i < argc; i++)
		tree_text(tree, NULL, argv[i]);
	tree_end(tree);
}

static uint64_t writes_to(const struct inventory_disk *disk)
{
	const struct blk *blk = disk->device->blk;

	return blk != NULL && blk->device != NULL ? blk->device->n_writes : 0;
}

/* Reports the number of writes to each disk, zeros included. */
static void report_writes(struct session *session, struct tree *tree)
{
	struct out *out = &session->log.text.out;

	tree_array(tree, "writes");
	for (size_t i = 0; i < session->inventory->n; i++) {
		const struct inventory_disk *disk = &session->inventory->disk[i];
		char name[SELECTOR_BYTES];
		struct out_buffer text;
		uint64_t n = writes_to(disk) - session->writes[i];

		out_buffer_init(&text, name, sizeof name);
		selector_print(session->inventory, &(struct selection){ .disk = disk }, &text.out);
		out_printf(out, "%s %s: %ju", i == 0 ? "; writes to" : ",", name, n);
		tree_object(tree, NULL);
		tree_text(tree, "device", name);
		tree_number(tree, "writes", n);
		tree_end(tree);
	}
	tree_end(tree);
}

static void report_result(struct session *session, const struct console *console, int code,
			  uint64_t ns, const char *name)
{
	struct out *out = &session->log.text.out;
	struct tree *tree = session_event(session, "result");

	tree_number(tree, "number", session->number);
	tree_text(tree, "command", name);
	tree_number(tree, "exit", (uint64_t)code);
	if (code != EXIT_OK)
		tree_text(tree, "message", session->last.text);
	else
		tree_null(tree, "message");
	out_printf(out, "---- exit code %d", code);
	if (session->plain) {
		tree_null(tree, "seconds");
	} else {
		tree_number(tree, "seconds", ns / SECOND);
		out_printf(out, " after %ju s", ns / SECOND);
	}
	report_writes(session, tree);
	out_text(out, "\n\n");
	session_event_end(session, console);
}

int session_run(struct session *session, const struct console *console, int argc, char **argv)
{
	struct console both = *console;
	struct out *out = &session->log.text.out;
	const char *name = argc > 0 ? argv[0] : "";
	struct tree *tree;
	uint64_t begin;
	int code;

	both.out = &session->out.out;
	both.err = &session->err.out;
	both.storage = &session->storage;
	both.events = &session->events;
	session->events.part = console->events != NULL && console->events->part != NULL ? take_part
											: NULL;
	session->number++;
	session->console = console;
	tree = session_event(session, "start");
	tree_number(tree, "number", session->number);
	tree_text(tree, "command", name);
	send_words(tree, argc, argv);
	session_event_end(session, console);
	out_printf(out, "---- %u: ", session->number);
	words_print(argv, (size_t)argc, out);
	out_text(out, "\n");
	write_log(session, console);
	for (size_t i = 0; i < session->inventory->n; i++)
		session->writes[i] = writes_to(&session->inventory->disk[i]);
	tee_begin(&session->out, session, console->out);
	tee_begin(&session->err, session, console->err);
	begin = platform_nanoseconds();
	session->last.text[0] = '\0';
	session->steps = (struct progress_steps){ 0 };
	console_progress_init(&session->screen, console, false);
	if (console->events != NULL && console->events->begin != NULL)
		console->events->begin(console->events, argc, argv);
	code = cli_run(&both, argc, argv);
	begin = platform_nanoseconds() - begin;
	report_result(session, console, code, begin, name);
	write_log(session, console);
	return code;
}

/* ---- Beginning and end ---- */

static void report_start(struct session *session, const struct console *console)
{
	struct out *out = &session->log.text.out;
	struct tree *tree = session_event(session, "session");
	const char *secure_boot = secure_boot_text(platform_secure_boot());

	out_printf(out, "efi-img %s on %s\n", program_version, platform_firmware());
	out_printf(out, "build %s for %s\n", program_build, program_processor);
	if (secure_boot != NULL)
		out_printf(out, "Secure Boot: %s\n", secure_boot);
	out_printf(out, "with libdeflate %s, zstd %s, bzip2 %s\n", libdeflate_version, zstd_version,
		   bzip2_version);
	if (print_time(session, " ", " UTC, by the clock of this machine", out))
		out_text(out, "\n");
	tree_text(tree, "version", program_version);
	tree_text(tree, "build", program_build);
	tree_text(tree, "processor", program_processor);
	tree_object(tree, "libraries");
	tree_text(tree, "libdeflate", libdeflate_version);
	tree_text(tree, "zstd", zstd_version);
	tree_text(tree, "bzip2", bzip2_version);
	tree_end(tree);
	tree_text(tree, "firmware", platform_firmware());
	if (secure_boot != NULL)
		tree_text(tree, "secure-boot", secure_boot);
	else
		tree_null(tree, "secure-boot");
	if (session_log(session) != NULL)
		tree_text(tree, "log", session_log(session));
	else
		tree_null(tree, "log");
	session_event_end(session, console);
	out_text(out, "\n");
	inventory_print_text(session->inventory, out);
	out_text(out, "\n");
	tree = session_event(session, "devices");
	tree_value(tree, "devices");
	inventory_print_json(session->inventory, tree->out);
	session_event_end(session, console);
	write_log(session, console);
}

enum status session_open(const struct console *console, struct session **ret, struct error *err)
{
	struct session *session = mem_alloc(sizeof *session);
	struct error why;
	enum status st;

	*ret = NULL;
	if (session == NULL)
		return fail_no_memory(err);
	session->plain = console->plain;
	session->events = (struct events){ .plan = take_plan,
					   .progress = take_progress,
					   .message = take_message };
	out_memory_init(&session->event, EVENT_MAX);
	st = storage_begin(&session->storage, console->storage, &why);
	if (log_open(&session->log, &session->storage, session->plain, &why) != ST_OK)
		command_warn(console, "there is no log: %s", why.text);
	if (st == ST_OK)
		st = storage_inventory(&session->storage, &session->inventory, &why);
	if (st != ST_OK &&
	    st != ST_NO_MEMORY) /* each command that needs the disks will report it */
		st = ST_OK;
	session->writes = mem_alloc(session->inventory->n * sizeof *session->writes);
	if (st != ST_OK || session->writes == NULL) {
		session_close(session);
		return fail_no_memory(err);
	}
	report_start(session, console);
	*ret = session;
	return ST_OK;
}

void session_close(struct session *session)
{
	struct error ignored; /* there is no console any more to report it on */

	if (session == NULL)
		return;
	if (session->log.text.n > 0 || session->log.events.n > 0)
		(void)(log_write(&session->log, &ignored) == ST_OK);
	log_close(&session->log);
	storage_end(&session->storage);
	mem_free(session->writes);
	out_memory_free(&session->event);
	mem_free(session);
}
