/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Scripts: a file is parsed from its first line to its last before any command runs, so that a
 * mistake in line 7 does not leave half of the work done. The lines about the ending are kept even
 * if others are wrong: a machine without a screen has to power off or reboot after a failure, too.
 */
#include "cli/script.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/utf.h"
#include "blk/blk.h"
#include "cli/session.h"
#include "cli/dispatch.h"
#include "disk/selector.h"
#include "platform/person.h"

static const char head[] = "#efi-img job ", version[] = "1";

/* ---- Reading ---- */

enum status script_read(const char *name, char **ret, size_t *ret_n, struct error *err)
{
	struct blk *blk;
	enum status st = platform_open(name, OPEN_READ, &blk, err);

	*ret = NULL;
	*ret_n = 0;
	if (st != ST_OK)
		return st;
	if (blk->size > SCRIPT_BYTES_MAX) {
		st = fail(err, ST_INVALID, "%s: %ju bytes are too many for a script (at most %d)",
			  name, blk->size, SCRIPT_BYTES_MAX);
	} else {
		*ret_n = (size_t)blk->size;
		*ret = mem_alloc(*ret_n);
		st = *ret != NULL ? blk_read(blk, 0, *ret, *ret_n) : ST_NO_MEMORY;
		if (st != ST_OK)
			error_set(err, "%s: reading it: %s", name, status_text(st));
	}
	blk_close(blk);
	if (st != ST_OK) {
		mem_free(*ret);
		*ret = NULL;
	}
	return st;
}

/* A NUL-terminated copy in UTF-8, without a byte-order mark. */
static enum status decode(const char *text, size_t n, char **ret)
{
	if (n >= 2 && (uint8_t)text[0] == 0xff && (uint8_t)text[1] == 0xfe) {
		size_t n_units = n / 2 - 1;
		uint16_t *units = mem_alloc(n_units * sizeof *units);

		if (units == NULL)
			return ST_NO_MEMORY;
		/* little-endian, as all machines with UEFI are */
		memcpy(units, text + 2, n_units * sizeof *units);
		*ret = mem_alloc(utf8_length_of_utf16(units, n_units) + 1);
		if (*ret != NULL)
			utf8_from_utf16(*ret, units, n_units);
		mem_free(units);
	} else if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		*ret = text_copy_n(text + 3, n - 3);
	} else {
		*ret = text_copy_n(text, n);
	}
	return *ret != NULL ? ST_OK : ST_NO_MEMORY;
}

/* ---- A line ---- */

static enum status take_ending(const struct words *words, enum ending *ending, struct error *err)
{
	static const struct {
		const char *word;
		enum ending ending;
	} table[] = {
		{ "poweroff", ENDING_POWER_OFF },
		{ "reboot", ENDING_REBOOT },
		{ "shell", ENDING_SHELL },
		{ "wait", ENDING_WAIT },
	};

	if (*ending != ENDING_UNSAID)
		return fail(err, ST_INVALID, "%s is given twice", words->word[0]);
	for (size_t i = 0; words->n == 2 && i < sizeof table / sizeof table[0]; i++)
		if (text_equal(words->word[1], table[i].word)) {
			*ending = table[i].ending;
			return ST_OK;
		}
	return fail(err, ST_INVALID, "%s needs one of poweroff, reboot, shell, wait",
		    words->word[0]);
}

static void drop_own_name(struct words *words)
{
	if (words->n < 2 || !text_equal_nocase(words->word[0], "efi-img"))
		return;
	mem_free(words->word[0]);
	words->n--;
	memmove(words->word, words->word + 1, words->n * sizeof *words->word);
}

/* Takes the words of a line. If it is a command, the script owns them then. */
static enum status take_words(struct script *script, struct words *words, unsigned number,
			      struct error *err)
{
	const char *name = words->word[0];
	enum status st;

	if (text_equal(name, "on-success"))
		return take_ending(words, &script->on_success, err);
	if (text_equal(name, "on-failure"))
		return take_ending(words, &script->on_failure, err);
	if (text_equal(name, "exit-code")) {
		script->tell = true;
		return words->n == 1 ? ST_OK : fail(err, ST_INVALID, "exit-code takes no value");
	}
	drop_own_name(words);
	if (text_equal(words->word[0], "run"))
		return fail(err, ST_INVALID, "a script cannot run another script");
	st = cli_examine((int)words->n, words->word, err);
	if (st != ST_OK)
		return st;
	script->line[script->n++] = (struct script_line){ .number = number, .words = *words };
	*words = (struct words){ 0 };
	return ST_OK;
}

/* `line` has no newline any more. */
static enum status take_line(struct script *script, char *line, unsigned number, struct error *err)
{
	size_t n = text_length(line);
	struct words words = { 0 };
	enum status st;

	while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t'))
		line[--n] = '\0';
	if (number == 1 && !text_starts_with(line, head))
		return fail(err, ST_INVALID, "a script begins with the line \"%s%s\"", head,
			    version);
	if (number == 1 && !text_equal(line + sizeof head - 1, version))
		return fail(err, ST_INVALID, "\"%s\": this efi-img runs scripts of version %s only",
			    line, version);
	while (*line == ' ' || *line == '\t')
		line++;
	if (*line == '#' || *line == '\0')
		return ST_OK;
	st = words_split(line, &words, err);
	if (st == ST_OK)
		st = take_words(script, &words, number, err);
	words_free(&words);
	return st;
}

static void drop_lines(struct script *script)
{
	for (size_t i = 0; i < script->n; i++)
		words_free(&script->line[i].words);
	script->n = 0;
}

void script_free(struct script *script)
{
	drop_lines(script);
	mem_free(script->line);
	*script = (struct script){ 0 };
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

enum status script_parse(const char *name, const char *text, size_t n, struct script *ret,
			 struct error *err)
{
	enum status first = ST_OK;
	unsigned number = 1;
	struct error why;
	char *copy = NULL;

	*ret = (struct script){ .name = name };
	if (decode(text, n, &copy) != ST_OK)
		return fail_no_memory(err);
	ret->line = mem_alloc(count_lines(copy) * sizeof *ret->line);
	if (ret->line == NULL)
		first = fail_no_memory(err);
	/* On after an error: the lines about the ending count all the same. */
	for (char *line = copy, *next; ret->line != NULL && line != NULL; line = next, number++) {
		char *end = (char *)(uintptr_t)text_find(line, '\n'); /* in `copy` */
		enum status st;

		next = end != NULL ? end + 1 : NULL;
		if (end != NULL)
			*end = '\0';
		st = take_line(ret, line, number, &why);
		if (st != ST_OK && first == ST_OK)
			first = fail(err, st, "%s, line %u: %s", name, number, why.text);
	}
	mem_free(copy);
	if (first == ST_OK && ret->n == 0)
		first = fail(err, ST_INVALID, "%s: the script has no commands", name);
	if (first != ST_OK)
		drop_lines(ret);
	return first;
}

/* ---- The disks ---- */

/* Looks up the disk of "serial=X" or "serial=X:3", also after the "if=" and "of=" of dd. */
static enum status find_disk(const char *word, const struct inventory *inventory, struct error *err)
{
	struct selection selection;
	const char *partition;
	enum status st;
	char *name;

	if (text_starts_with(word, "if=") || text_starts_with(word, "of="))
		word += 3;
	if (!text_starts_with(word, "serial="))
		return ST_OK;
	partition = text_find(word, ':');
	name = text_copy_n(word,
			   partition != NULL ? (size_t)(partition - word) : text_length(word));
	if (name == NULL)
		return fail_no_memory(err);
	st = selector_find(inventory, name, &selection, err);
	mem_free(name);
	return st;
}

enum status script_find_disks(const struct script *script, const struct inventory *inventory,
			      struct error *err)
{
	for (size_t i = 0; inventory->n > 0 && i < script->n; i++)
		for (size_t k = 1; k < script->line[i].words.n; k++) {
			struct error why;
			enum status st = find_disk(script->line[i].words.word[k], inventory, &why);

			if (st != ST_OK)
				return fail(err, st, "%s, line %u: %s", script->name,
					    script->line[i].number, why.text);
		}
	return ST_OK;
}

/* ---- Running ---- */

static void print_begin(struct session *session, const struct console *console,
			const struct script *script)
{
	struct tree *tree = session_event(session, "job");

	tree_text(tree, "file", script->name);
	tree_number(tree, "commands", script->n);
	session_event_end(session, console);
	session_print(session, console, "%s: %zu command%s\n", script->name, script->n,
		      script->n == 1 ? "" : "s");
	if (session_log(session) != NULL)
		out_printf(console->out, "The log is %s\n", session_log(session));
}

/* `line`: the one that failed; 0: none. `err`: why nothing was run; NULL: it was. */
static void print_end(struct session *session, const struct console *console,
		      const struct script *script, int code, unsigned line, const struct error *err)
{
	struct tree *tree = session_event(session, "end");

	tree_number(tree, "exit", (uint64_t)code);
	if (line > 0)
		tree_number(tree, "line", line);
	else
		tree_null(tree, "line");
	if (err != NULL)
		tree_text(tree, "message", err->text);
	else
		tree_null(tree, "message");
	if (err != NULL)
		session_print(session, console, "%s\nNothing was run.\n", err->text);
	else if (code == EXIT_OK)
		session_print(session, console, "\nThe script is done.\n");
	else
		session_print(session, console,
			      "\nThe script has stopped at line %u of %s, with exit code %d.\n",
			      line, script->name, code);
	session_event_end(session, console);
}

static int run_lines(struct session *session, const struct console *console,
		     const struct script *script, unsigned *ret_line)
{
	int code = EXIT_OK;

	*ret_line = 0;
	for (size_t i = 0; code == EXIT_OK && i < script->n; i++) {
		const struct words *words = &script->line[i].words;

		out_text(console->out, "\n> ");
		words_print(words->word, words->n, console->out);
		out_text(console->out, "\n");
		code = session_run(session, console, (int)words->n, words->word);
		if (code != EXIT_OK)
			*ret_line = script->line[i].number;
	}
	return code;
}

int script_run(const struct console *console, const char *name, const char *text, size_t n,
	       enum ending *ret_ending)
{
	struct session *session;
	struct script script;
	struct error err, why;
	int code = EXIT_ERROR;
	unsigned line;
	enum status st = script_parse(name, text, n, &script, &err);

	if (session_open(console, &session, &why) != ST_OK) {
		(void)command_failed(console, &why);
		goto done;
	}
	if (st == ST_OK)
		st = script_find_disks(&script, session_inventory(session), &err);
	if (st == ST_OK) {
		print_begin(session, console, &script);
		code = run_lines(session, console, &script, &line);
		print_end(session, console, &script, code, line, NULL);
	} else {
		print_end(session, console, &script, code, 0, &err);
	}
	session_close(session);
done:
	*ret_ending = code == EXIT_OK ? script.on_success : script.on_failure;
	if (platform_cancelled())
		*ret_ending = ENDING_UNSAID; /* a person is there, and wants to see the result */
	if (script.tell)
		platform_tell((unsigned)code);
	script_free(&script);
	return code;
}
