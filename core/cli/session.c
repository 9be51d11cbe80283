/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/session.h"

#include "base/date.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/version.h"
#include "base/words.h"
#include "blk/blk.h"
#include "cli/list.h"
#include "cli/out_line.h"
#include "cli/out_plain.h"
#include "disk/selector.h"
#include "platform/clock.h"
#include "platform/machine.h"
#include "record/log.h"

enum { SCHEMA = 1, EVENT_MAX = 1 << 20, SECOND = 1000000000 };

static const char own[] = "efi-img: ";

/*
 * What a command prints to goes to the console and to the log; of errors, the last one is
 * remembered.
 */
struct tee {
	struct out out;
	struct out *screen;
	struct out_plain log;
	size_t n; /* in `line` */
	char line[sizeof own + sizeof(struct error)];
	char last[sizeof(struct error)];
};

struct session {
	struct storage storage; /* has the log */
	struct log log;
	/* as it was at the beginning; its disks are open, and count what is written to them */
	const struct inventory *inventory;
	uint64_t *writes;              /* to each of them before this command */
	const struct console *console; /* of this command */
	bool plain;
	unsigned number; /* of this command */
	struct out_memory event;
	struct out_line line;
	struct tree tree;
	struct tee out, err;
};

/* ---- The log ---- */

/* Whatever happens to the log, the work goes on. */
static void write_log(struct session *session, const struct console *console)
{
	struct error err;

	if (log_write(&session->log, &err) != ST_OK)
		out_printf(console->err, "efi-img: from here on there is no log: %s\n", err.text);
}

const char *session_log(const struct session *session)
{
	return session->log.text_name;
}

void session_say(struct session *session, const struct console *console, const char *format, ...)
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

/* False: the time is not known, or not wanted. */
static bool say_time(const struct session *session, const char *between, const char *after,
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
	if (say_time(session, "T", "Z", &text.out))
		tree_text(&session->tree, "time", time);
	else
		tree_null(&session->tree, "time");
	return &session->tree;
}

void session_event_end(struct session *session, const struct console *console)
{
	struct out_memory *event = &session->event;
	struct out *const to[] = { &session->log.events.out, console->events };

	tree_end(&session->tree);
	out_text(&event->out, "\n");
	for (size_t i = 0; !event->out.failed && i < sizeof to / sizeof to[0]; i++)
		if (to[i] != NULL)
			to[i]->write(to[i], event->text, event->n);
}

static void step(void *user, unsigned percent, const char *phase)
{
	struct session *session = user;
	struct tree *tree = session_event(session, "progress");

	tree_number(tree, "number", session->number);
	tree_number(tree, "percent", percent);
	tree_text(tree, "phase", phase);
	session_event_end(session, session->console);
}

/* ---- What is printed ---- */

/* The last line that begins with our name. */
static void look_for_error(struct tee *tee, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (tee->n < sizeof tee->line - 1)
				tee->line[tee->n++] = bytes[i];
			continue;
		}
		tee->line[tee->n] = '\0';
		if (text_starts_with(tee->line, own))
			memcpy(tee->last, tee->line + sizeof own - 1,
			       tee->n - (sizeof own - 1) + 1);
		tee->n = 0;
	}
}

static void take(struct out *out, const char *bytes, size_t n)
{
	struct tee *tee = (struct tee *)out;

	tee->screen->write(tee->screen, bytes, n);
	out->failed = tee->screen->failed;
	tee->log.out.write(&tee->log.out, bytes, n);
	look_for_error(tee, bytes, n);
}

static void tee_begin(struct tee *tee, struct session *session, struct out *screen)
{
	tee->out = (struct out){ .write = take };
	tee->screen = screen;
	out_plain_init(&tee->log, &session->log.text.out);
	tee->log.step = step;
	tee->log.user = session;
	tee->n = 0;
	tee->last[0] = '\0';
}

/* ---- A command ---- */

static void say_line(struct tree *tree, int argc, char **argv)
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

/* Whether it is a command that --dry-run can be asked about. */
static bool has_plan(int argc, char **argv)
{
	const struct command *command = argc > 0 ? command_find(argv[0]) : NULL;
	bool plan = false;

	for (const struct option *o = command != NULL ? command->options : NULL;
	     o != NULL && (o->letter != 0 || o->name != NULL); o++)
		plan = plan || (o->name != NULL && text_equal(o->name, "dry-run"));
	for (int i = 1; i < argc; i++)
		plan = plan && !text_starts_with(argv[i], "--dry") &&
		       !text_starts_with(argv[i], "--help");
	return plan;
}

/*
 * Runs it with --dry-run. A plan that is refused is one, too; other failures print nothing there.
 */
static void dry_run(struct session *session, struct out *out, const char *style, int argc,
		    char **argv)
{
	struct out_memory errors;
	struct console console = { .out = out, .err = &errors.out, .storage = &session->storage };
	char **words = mem_alloc(((size_t)argc + 2) * sizeof *words);

	if (words == NULL)
		return;
	out_memory_init(&errors, 0); /* what is wrong, the command itself says */
	words[0] = argv[0];
	words[1] = (char *)(uintptr_t) "--dry-run";
	words[2] = (char *)(uintptr_t)style;
	memcpy(words + 3, argv + 1, ((size_t)argc - 1) * sizeof *words);
	(void)command_run(&console, argc + 2, words);
	mem_free(words);
}

static void plan(struct session *session, const struct console *console, int argc, char **argv)
{
	struct tree *tree;
	size_t n;

	if (!has_plan(argc, argv))
		return;
	dry_run(session, &session->log.text.out, "--output=human", argc, argv);
	tree = session_event(session, "plan");
	tree_number(tree, "number", session->number);
	tree_value(tree, "plan");
	n = session->event.n;
	dry_run(session, tree->out, "--output=json", argc, argv);
	if (session->event.n > n)
		session_event_end(session, console);
}

static uint64_t writes_to(const struct inventory_disk *disk)
{
	uint64_t n = 0;

	if (disk->device->blk != NULL)
		/* a disk that is open for reading counts them */
		(void)blk_writes(disk->device->blk, &n);
	return n;
}

/* To each disk, also where it is none. */
static void say_writes(struct session *session, struct tree *tree)
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

static void say_result(struct session *session, const struct console *console, int code,
		       uint64_t ns, const char *name)
{
	struct out *out = &session->log.text.out;
	struct tree *tree = session_event(session, "result");

	tree_number(tree, "number", session->number);
	tree_text(tree, "command", name);
	tree_number(tree, "exit", (uint64_t)code);
	if (code != EXIT_OK)
		tree_text(tree, "message", session->err.last);
	else
		tree_null(tree, "message");
	out_printf(out, "---- exit code %d", code);
	if (session->plain) {
		tree_null(tree, "seconds");
	} else {
		tree_number(tree, "seconds", ns / SECOND);
		out_printf(out, " after %ju s", ns / SECOND);
	}
	say_writes(session, tree);
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
	session->number++;
	session->console = console;
	tree = session_event(session, "start");
	tree_number(tree, "number", session->number);
	tree_text(tree, "command", name);
	say_line(tree, argc, argv);
	session_event_end(session, console);
	out_printf(out, "---- %u: ", session->number);
	words_print(argv, (size_t)argc, out);
	out_text(out, "\n");
	plan(session, console, argc, argv);
	write_log(session, console);
	for (size_t i = 0; i < session->inventory->n; i++)
		session->writes[i] = writes_to(&session->inventory->disk[i]);
	tee_begin(&session->out, session, console->out);
	tee_begin(&session->err, session, console->err);
	begin = platform_nanoseconds();
	code = (console->plain ? command_run_plain : command_run)(&both, argc, argv);
	begin = platform_nanoseconds() - begin;
	out_plain_end(&session->out.log);
	out_plain_end(&session->err.log);
	say_result(session, console, code, begin, name);
	write_log(session, console);
	return code;
}

/* ---- Beginning and end ---- */

static void say_beginning(struct session *session, const struct console *console)
{
	struct out *out = &session->log.text.out;
	struct tree *tree = session_event(session, "session");

	out_printf(out, "efi-img %s on %s\n", EFI_IMG_VERSION, platform_firmware());
	if (say_time(session, " ", " UTC, by the clock of this machine", out))
		out_text(out, "\n");
	tree_text(tree, "version", EFI_IMG_VERSION);
	tree_text(tree, "firmware", platform_firmware());
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
	out_memory_init(&session->event, EVENT_MAX);
	st = storage_begin(&session->storage, console->storage, &why);
	if (log_open(&session->log, &session->storage, session->plain, &why) != ST_OK)
		out_printf(console->err, "efi-img: there is no log: %s\n", why.text);
	if (st == ST_OK)
		st = storage_inventory(&session->storage, &session->inventory, &why);
	if (st != ST_OK && st != ST_NO_MEMORY) /* the commands will say it */
		st = ST_OK;
	session->writes = mem_alloc(session->inventory->n * sizeof *session->writes);
	if (st != ST_OK || session->writes == NULL) {
		session_close(session);
		return fail_no_memory(err);
	}
	say_beginning(session, console);
	*ret = session;
	return ST_OK;
}

void session_close(struct session *session)
{
	struct error ignored; /* the last moment at which it could have been said is over */

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
