/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"
#include "base/nearest.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/out_plain.h"
#include "copy/target.h"
#include "platform/person.h"
#include "record/outcome.h"
#include "storage/split.h"

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++)
		if (text_equal(commands[i]->name, name))
			return commands[i];
	return NULL;
}

void command_unknown(const char *name, struct error *err)
{
	struct nearest nearest = { 0 };

	for (size_t i = 0; commands[i] != NULL; i++)
		nearest_try(&nearest, name, text_length(name), commands[i]->name);
	error_set(err, "there is no command \"%s\"", name);
	nearest_say(&nearest, "", err);
}

int command_failed(const struct console *console, const struct error *err)
{
	out_printf(console->err, "efi-img: %s\n", err->text);
	return EXIT_ERROR;
}

int command_misused(const struct console *console, const char *command, const struct error *err)
{
	out_printf(console->err, "efi-img: %s\nTry 'efi-img help%s%s' for more information.\n",
		   err->text, *command != '\0' ? " " : "", command);
	return EXIT_ERROR;
}

struct out *progress_option(const struct console *console, const struct arguments *arguments)
{
	if (!arguments_has(arguments, "p") || arguments_has(arguments, "q"))
		return NULL;
	return console->progress_in_out ? console->out : console->err;
}

void page_option(const struct console *console, const struct arguments *arguments)
{
	if (arguments_has(arguments, "b") && console->page != NULL)
		console->page();
}

enum status output_style(const struct arguments *arguments, bool *ret_json, struct error *err)
{
	const char *style = arguments_has(arguments, "output")
				    ? arguments_value(arguments, "output")
				    : "human";

	*ret_json = text_equal(style, "json");
	if (!*ret_json && !text_equal(style, "human"))
		return fail(err, ST_INVALID, "option --output: \"%s\" is neither human nor json",
			    style);
	return ST_OK;
}

enum status format_option(const struct arguments *arguments, const char *option,
			  const struct image_format **ret_format, struct error *err)
{
	const char *letter = option + 1;

	*ret_format = NULL;
	if (!arguments_has(arguments, letter))
		return ST_OK;
	return image_format_get(arguments_value(arguments, letter), option, ret_format, err);
}

static bool is_list(const struct arguments *arguments, size_t i)
{
	return arguments->options[arguments->values[i].option].letter == 'o';
}

enum status format_options(const struct arguments *arguments, struct create_values *values,
			   struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < arguments->n_values; i++)
		if (is_list(arguments, i))
			st = create_values_parse(values, arguments->values[i].value, err);
	return st;
}

bool format_options_want_help(const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_values; i++)
		if (is_list(arguments, i) && create_options_want_help(arguments->values[i].value))
			return true;
	return false;
}

enum status new_image_options(const struct arguments *arguments, const struct image_format *format,
			      const char *backing, struct create_values *ret, struct error *err)
{
	const struct {
		const char *letter, *name;
	} own[] = { { backing, "backing_file" }, { "F", "backing_fmt" } };
	enum status st = image_format_check_new(format, err);

	*ret = (struct create_values){ 0 };
	if (st == ST_OK)
		st = create_values_init(format->name, format->create.options, OPTIONS_CREATE, ret,
					err);
	if (st == ST_OK)
		st = format_options(arguments, ret, err);
	for (size_t i = 0; st == ST_OK && backing != NULL && i < sizeof own / sizeof own[0]; i++) {
		if (!arguments_has(arguments, own[i].letter))
			continue;
		if (!format->create.backing)
			return fail(err, ST_UNSUPPORTED,
				    "option -%s: images of format %s have no backing file",
				    own[i].letter, format->name);
		st = create_values_set(ret, own[i].name, arguments_value(arguments, own[i].letter),
				       err);
	}
	return st;
}

enum status open_disk(const struct console *console, const struct arguments *arguments,
		      const char *option, const char *name, struct chain *ret, struct error *err)
{
	const struct image_format *format;
	enum status st = format_option(arguments, option, &format, err);

	return st == ST_OK ? chain_open_disk(console->storage, name, format, ret, err) : st;
}

enum status rate_option(const struct arguments *arguments, struct error *err)
{
	uint64_t rate;

	return arguments_has(arguments, "r")
		       ? size_parse(arguments_value(arguments, "r"), "option -r", &rate, err)
		       : ST_OK;
}

enum status cache_option(const struct arguments *arguments, const char *option, struct error *err)
{
	static const char *const modes[] = { "writeback",    "none",       "off",
					     "writethrough", "directsync", "unsafe" };
	const char *mode = arguments_has(arguments, option + 1)
				   ? arguments_value(arguments, option + 1)
				   : modes[0];

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (text_equal(mode, modes[i]))
			return ST_OK;
	return fail(err, ST_INVALID,
		    "option %s: \"%s\" is no cache mode; those there are: none (or off), "
		    "writeback, writethrough, directsync, unsafe",
		    option, mode);
}

/*
 * Whether everything is as it should be; create_prepare() comes last, since it needs the size of
 * the target.
 */
static enum status plan_copy(struct target_job *target, struct create_job *create,
			     struct error *err)
{
	enum status st = target_decide(target, err);

	if (st != ST_OK || create == NULL)
		return st;
	create->device_bytes = target->size_bytes;
	return create_prepare(create, err);
}

enum status split_option(const struct arguments *arguments, bool preset, struct create_job *job,
			 struct error *err)
{
	job->may_split = preset && !arguments_has(arguments, "split");
	if (!arguments_has(arguments, "split"))
		return ST_OK;
	return size_parse(arguments_value(arguments, "split"), "option --split", &job->split_bytes,
			  err);
}

enum status create_say_plan(const struct console *console, const struct arguments *arguments,
			    const struct create_job *create, const struct chain *source, size_t n,
			    enum status st, struct error *err)
{
	struct error why;
	bool json;
	enum status bad = output_style(arguments, &json, &why);

	if (bad != ST_OK) {
		*err = why;
		return bad;
	}
	(json ? create_print_json : create_print_text)(create, source, n, st, err, console->out);
	return st;
}

/* A name without volume and directories. */
static const char *base_name(const char *name)
{
	const char *ret = name;

	for (; *name != '\0'; name++)
		if (*name == '/' || *name == '\\' || *name == ':')
			ret = name + 1;
	return ret;
}

unsigned split_files(const struct create_job *job)
{
	struct error ignored; /* it is only said in how many files the image is */
	unsigned n;

	return job->split_bytes > 0 && split_count(job->file_name, &n, &ignored) == ST_OK ? n : 1;
}

void split_say(const struct console *console, const char *file_name, unsigned n)
{
	const char *name = base_name(file_name);

	if (n == 1)
		return;
	out_printf(console->out, "%s is in %u files, %s, %s.001", file_name, n, name, name);
	if (n > 2)
		out_printf(console->out, " ... %s.%03u", name, n - 1);
	out_printf(console->out,
		   ", which efi-img opens as one; elsewhere this makes them one: cat '%s' '%s'.??? "
		   "> 'whole-%s'\n",
		   name, name, name);
}

enum status copy_to_disk(const struct console *console, const struct arguments *arguments,
			 struct target_job *target, struct convert_job *job,
			 struct create_job *create, struct error *err)
{
	bool json = false;
	enum status st = output_style(arguments, &json, err);

	if (st != ST_OK)
		return st;
	target->erase = arguments_has(arguments, "erase") ? arguments_value(arguments, "erase")
							  : NULL;
	target->no_table = arguments_has(arguments, "no-table");
	st = plan_copy(target, create, err);
	if (arguments_has(arguments, "dry-run"))
		(json ? target_print_json : target_print_text)(target, st, err, console->out);
	else if (st == ST_OK)
		st = target_run(target, job, create, err);
	if (st == ST_OK && target->gpt_fate == GPT_FATE_ODD && !arguments_has(arguments, "dry-run"))
		out_printf(console->err,
			   "efi-img: %s: the GPT is on it as it was in the source, which is not "
			   "right there: %s\n",
			   target->name, target->gpt_why);
	if (st == ST_OK && !target->device->flushes && !arguments_has(arguments, "dry-run"))
		out_printf(console->err,
			   "efi-img: %s: everything is written, but the firmware cannot tell this "
			   "drive to empty its own cache: leave it connected and powered for a "
			   "while\n",
			   target->name);
	return st;
}

int copy_ended(const struct console *console, enum status st, bool disk, const struct error *err)
{
	if (st == ST_OK)
		return EXIT_OK;
	(void)command_failed(console, err); /* a disk has codes of its own */
	return disk ? (int)outcome_of(st) : EXIT_ERROR;
}

static int run_help_of(const struct console *console, const struct command *command)
{
	char *words[] = { (char *)(uintptr_t) "help", (char *)(uintptr_t)command->name };

	return command_run(console, 2, words);
}

/* What qemu-img has in many commands and efi-img in none. */
static const struct option refused[] = {
	{ 0, "image-opts", NULL, "an image is said by the name of its file, and its format by -f" },
	{ 0, "source-image-opts", NULL,
	  "an image is said by the name of its file, and its format by -f" },
	{ 0, "target-image-opts", NULL,
	  "an image is said by the name of its file, and its format by -O" },
	{ 0, "object", NULL,
	  "it is for keys and network certificates, and efi-img can neither read nor make "
	  "encrypted images" },
	{ 0, "limits", NULL, "it is about how QEMU would access the image" },
	{ 0 },
};

static int run(const struct console *console, const struct command *command, int argc, char **argv)
{
	struct console own = *console;
	struct arguments arguments;
	struct storage storage;
	struct error err;
	int code;

	if (arguments_parse(command->options, refused, argc, argv, &arguments, &err) != ST_OK)
		return command_misused(console, command->name, &err);
	own.storage = &storage;
	if (storage_begin(&storage, console->storage, &err) != ST_OK)
		code = command_failed(console, &err);
	else
		code = arguments.help ? run_help_of(console, command)
				      : command->run(&own, &arguments);
	storage_end(&storage);
	arguments_free(&arguments);
	if (console->out->failed && code == EXIT_OK) {
		/* At the end of a screenful, the shell takes q for Ctrl-C, and shows no more. */
		error_set(&err, platform_cancelled()
					? "stopped"
					: "the output could not be written completely");
		code = command_failed(console, &err);
	}
	return code;
}

enum status command_examine(int argc, char **argv, struct error *err)
{
	const struct command *command = argc > 0 ? command_find(argv[0]) : NULL;
	struct arguments arguments;
	enum status st;

	if (command == NULL) {
		command_unknown(argc > 0 ? argv[0] : "", err);
		return ST_INVALID;
	}
	st = arguments_parse(command->options, refused, argc - 1, argv + 1, &arguments, err);
	if (st == ST_OK)
		arguments_free(&arguments);
	return st;
}

int command_run_plain(const struct console *console, int argc, char **argv)
{
	struct out_plain *plain = mem_alloc(2 * sizeof *plain);
	struct console through = *console;
	struct error err;
	int code;

	if (plain == NULL) {
		(void)fail_no_memory(&err);
		return command_failed(console, &err);
	}
	out_plain_init(&plain[0], console->out);
	out_plain_init(&plain[1], console->err);
	through.plain = true;
	through.out = &plain[0].out;
	through.err = &plain[1].out;
	code = command_run(&through, argc, argv);
	out_plain_end(&plain[0]);
	out_plain_end(&plain[1]);
	mem_free(plain);
	return code;
}

int command_run(const struct console *console, int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	const struct command *command;
	struct error err;

	if (text_equal(name, "--plain"))
		return command_run_plain(console, argc - 1, argv + 1);
	if (text_equal(name, "-h") || text_equal(name, "--help"))
		name = "help";
	else if (text_equal(name, "-V") || text_equal(name, "--version"))
		name = "version";
	command = command_find(name);
	if (command != NULL)
		return run(console, command, argc - 1, argv + 1);
	if (argc == 0)
		error_set(&err, "what is to be done? A command is missing");
	else
		command_unknown(name, &err);
	return command_misused(console, "", &err);
}
