/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a request to an exit code, for all commands that copy whole disks. They differ in their
 * options and in what they accept as source and target; what protects data is decided in core/copy/
 * for all of them.
 */
#include "cli/copy_command.h"

#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/copy_options.h"
#include "cli/copy_watch.h"
#include "cli/output_options.h"
#include "cli/progress_option.h"
#include "cli/split_option.h"
#include "copy/result_print.h"
#include "copy/run.h"
#include "copy/source.h"
#include "edit/snapshots.h"
#include "format/image_name.h"
#include "platform/clock.h"
#include "platform/path.h"
#include "record/outcome.h"
#include "storage/storage.h"

/* ---- options ---- */

enum status copy_gpt_option(const struct arguments *arguments, struct copy_request *r,
			    struct error *err)
{
	static const char *const words[] = {
		[GPT_MOVE] = "move", [GPT_KEEP] = "keep", [GPT_REFUSE] = "refuse"
	};
	const char *word = arguments_value(arguments, "gpt");

	r->has_gpt = word != NULL;
	if (word == NULL)
		word = words[GPT_MOVE];
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_equal(word, words[i])) {
			r->gpt = (enum gpt_wish)i;
			return ST_OK;
		}
	return fail(err, ST_INVALID, "option --gpt: \"%s\" is none of move, keep, refuse", word);
}

enum status copy_split_option(const struct arguments *arguments, struct copy_request *r,
			      struct error *err)
{
	const char *size = arguments_value(arguments, "split");

	r->has_split = size != NULL;
	r->may_split = size == NULL;
	return size != NULL ? size_parse(size, "option --split", &r->split_bytes, err) : ST_OK;
}

/* False: there are too few operands, which has been reported. */
static bool begin(struct copy_command *command, const struct console *console,
		  const struct arguments *arguments, const char *name)
{
	size_t n = arguments->n_operands;
	struct error err;

	if (n < 2) {
		error_set(&err, "the names of a source and of a target are expected");
		(void)command_misused(console, name, &err); /* is EXIT_ERROR */
		return false;
	}
	command->console = console;
	command->arguments = arguments;
	command->source_format = NULL;
	command->snapshot = command->manifest = command->bmap = NULL;
	command->progress = true;
	command->salvage = command->as_it_is = false;
	command->request = (struct copy_request){
		.storage = console->storage,
		.source_name = arguments->operands,
		.n_sources = n - 1,
		.target = image_name_plain(arguments->operands[n - 1]),
		.may_split = true,
		.sparse_bytes = 4096,
		.dry_run = arguments_has(arguments, "dry-run"),
	};
	out_buffer_init(&command->text, command->deciding, sizeof command->deciding);
	return true;
}

enum status copy_command_operands(struct copy_command *command, bool from_disk, bool to_disk,
				  struct error *err)
{
	/* by whether source and target are disks */
	static const char *const others[2][2] = {
		{ "convert copies an image into another; list prints the names of disks",
		  "restore and write copy a file onto a disk" },
		{ "capture copies a disk into an image", "clone copies a disk onto another one" },
	};
	struct copy_request *r = &command->request;
	bool is_from = storage_is_device(r->source_name[0]), is_to = storage_is_device(r->target);

	if (r->n_sources != 1)
		return fail(err, ST_INVALID,
			    "one source and one target are expected, not %zu names",
			    r->n_sources + 1);
	if (path_is_foreign_disk(r->source_name[0]))
		return storage_refuse_foreign_disk(r->source_name[0], err);
	if (path_is_foreign_disk(r->target))
		return storage_refuse_foreign_disk(r->target, err);
	if (is_from != from_disk || is_to != to_disk)
		return fail(err, ST_INVALID, "%s is %s, and %s is %s; %s", r->source_name[0],
			    is_from ? "a disk" : "a file", r->target, is_to ? "a disk" : "a file",
			    others[is_from][is_to]);
	if (!to_disk)
		return ST_OK;
	r->no_create = true;
	r->erase = arguments_value(command->arguments, "erase");
	r->no_verify = arguments_has(command->arguments, "no-verify");
	return image_format_get("raw", "", &r->format, err);
}

/* ---- sources ---- */

static void close_sources(struct chain *source, size_t n)
{
	for (size_t i = 0; i < n; i++)
		chain_close(&source[i]);
	mem_free(source);
}

static enum status open_source(const struct copy_command *command, size_t i, struct chain *ret,
			       struct error *err)
{
	const struct copy_request *r = &command->request;

	enum status st;

	if (command->snapshot != NULL)
		return snapshots_open(r->storage, r->source_name[i], command->source_format,
				      command->snapshot, ret, err);
	st = chain_open_disk(r->storage, r->source_name[i], command->source_format, ret, err);
	if (st == ST_OK && command->as_it_is && !ret->link[0].image->format->flat) {
		st = fail(err, ST_INVALID,
			  "%s is a %s image, whose bytes are not those of a disk; restore writes "
			  "the disk in it",
			  r->source_name[i], ret->link[0].image->format->name);
		chain_close(ret);
	}
	return st;
}

static enum status open_sources(struct copy_command *command, struct chain **ret, struct error *err)
{
	size_t n = command->request.n_sources, opened = 0;
	struct chain *source = mem_alloc(n * sizeof *source);
	enum status st = source != NULL ? ST_OK : fail_no_memory(err);

	for (; st == ST_OK && opened < n; opened += st == ST_OK)
		st = open_source(command, opened, &source[opened], err);
	if (st == ST_OK)
		*ret = source;
	else
		close_sources(source, opened);
	return st;
}

/* ---- the copy ---- */

static void print_result(const struct copy_command *command, const struct copy_result *result,
			 enum status st, uint64_t begin_ns)
{
	const struct console *console = command->console;
	const struct copy_request *r = &command->request;
	const struct result_facts facts = {
		.request = r,
		.result = result,
		.scope = result->rest_only ? RESULT_REST : RESULT_ALL,
		.begin_ns = console->plain ? 0 : begin_ns,
	};

	if (st == ST_OK && result->tables_unread)
		command_warn(console,
			     "warning: %s: the disk in it was read back, but there is no memory to "
			     "count the references to its clusters: have efi-img check look at it "
			     "where there is more",
			     r->target);
	if (arguments_has(command->arguments, "q"))
		return;
	if (!r->dry_run) {
		source_print_writes(r->source, r->n_sources, console->out);
		if (st == ST_OK && copy_has_disk(r))
			result_print_copy(&facts, console->out);
	}
	if (st == ST_OK)
		split_print(console, r->target, result->n_files);
}

static enum status copy(struct copy_command *command, struct chain *source, struct error *err)
{
	struct copy_request *r = &command->request;
	bool shows = command->progress && !arguments_has(command->arguments, "q");
	struct console_progress shown;
	struct progress progress = { .sink = shows ? &shown.sink : NULL };
	uint64_t begin_ns = platform_nanoseconds();
	struct console_warnings warnings;
	struct copy_plan_option plan;
	struct copy_watch watch;
	struct copy_result result;
	enum status st;

	console_progress_init(&shown, command->console, command->console->progress_in_out);
	console_warnings_init(&warnings, command->console);
	copy_plan_option_init(&plan, command->console, command->arguments);
	r->source = source;
	r->warnings = &warnings.warnings;
	r->sink = &plan.sink;
	r->watcher = copy_watch_begin(&watch, command->console);
	st = copy_do(r, &progress, &result, err);
	if (r->losses != NULL)
		losses_warn(r->losses, &warnings.warnings, r->target);
	print_result(command, &result, st, begin_ns);
	r->warnings = NULL; /* they end here */
	r->sink = NULL;
	r->watcher = NULL;
	return st;
}

/*
 * Opens the sources and copies, unless taking the options has failed: then `st` and the error are
 * reported. Frees the options of the request.
 */
static int finish(struct copy_command *command, enum status st, struct error *err)
{
	struct copy_request *r = &command->request;
	struct chain *source;
	bool json; /* taken when the plan is printed */
	int code;

	r->deciding = command->text.out.failed ? NULL : command->deciding;
	if (st == ST_OK)
		st = output_style(command->arguments, &json, err);
	if (st == ST_OK)
		st = copy_request_check(r, err);
	if (st == ST_OK && command->salvage) {
		r->losses = mem_alloc(sizeof *r->losses);
		if (r->losses == NULL)
			st = fail_no_memory(err);
	}
	if (st == ST_OK)
		st = open_sources(command, &source, err);
	if (st == ST_OK) {
		st = copy(command, source, err); /* frees the options */
		close_sources(source, r->n_sources);
	} else {
		create_values_free(&r->options);
	}
	code = copy_ended(command->console, st, copy_has_disk(r), err);
	if (st == ST_OK && r->losses != NULL && r->losses->bytes > 0)
		code = OUTCOME_LOST;
	mem_free(r->losses);
	return code;
}

int copy_command(const struct console *console, const struct arguments *arguments, const char *name,
		 enum status (*take_options)(struct copy_command *, struct error *))
{
	struct copy_command command;
	struct error err;
	int code;

	if (!begin(&command, console, arguments, name))
		return EXIT_ERROR;
	code = finish(&command, take_options(&command, &err), &err);
	mem_free(command.manifest);
	mem_free(command.bmap);
	return code;
}
