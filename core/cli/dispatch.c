/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a command line to a command: finds it, parses its options, gives it a storage of its own,
 * which ends with it, and checks at the end that its output could be written.
 */
#include "cli/dispatch.h"

#include "base/text.h"
#include "cli/wildcards.h"
#include "platform/person.h"

static int run_help_of(const struct console *console, const struct command *command)
{
	char *words[] = { (char *)(uintptr_t) "help", (char *)(uintptr_t)command->name };

	return cli_run(console, 2, words);
}

/*
 * Options that qemu-img has in many commands and efi-img in none, and those that a person expects
 * of any program. They concern commands that do not have them.
 */
static const struct option refused[] = {
	{ 0, "image-opts", NULL, "give the name of the file, and its format by -f" },
	{ 0, "source-image-opts", NULL, "give the name of the file, and its format by -f" },
	{ 0, "target-image-opts", NULL, "give the name of the file, and its format by -O" },
	{ 0, "object", NULL,
	  "it is about keys and certificates, and efi-img neither reads nor creates "
	  "encrypted images" },
	{ 0, "limits", NULL, "it is about how QEMU would access the image" },
	{ 0, "json", NULL, "info, list, map, check and measure have --output=json" },
	{ 0, "output", NULL,
	  "info, list, map, check and measure have one; 'info --output=json' has the snapshots, "
	  "too" },
	{ 'v', "verbose", NULL, "everything is printed without it" },
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
	if (storage_begin(&storage, console->storage, &err) != ST_OK ||
	    (command->wildcards && wildcards_expand(&arguments, &err) != ST_OK))
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

enum status cli_examine(int argc, char **argv, struct error *err)
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

static int run_plain(const struct console *console, int argc, char **argv)
{
	struct console plain = *console;

	plain.plain = true;
	return cli_run(&plain, argc, argv);
}

int cli_run(const struct console *console, int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	const struct command *command;
	struct error err;

	if (text_equal(name, "--plain"))
		return run_plain(console, argc - 1, argv + 1);
	if (argc > 1 && (text_equal(name, "-T") || text_equal(name, "--trace")))
		return cli_run(console, argc - 2, argv + 2); /* about QEMU's own work */
	if (text_equal(name, "-h") || text_equal(name, "--help"))
		name = "help";
	else if (text_equal(name, "-V") || text_equal(name, "--version"))
		name = "version";
	command = command_find(name);
	if (command != NULL)
		return run(console, command, argc - 1, argv + 1);
	if (argc == 0)
		error_set(&err, "no command given");
	else
		command_unknown(name, &err);
	return command_misused(console, "", &err);
}
