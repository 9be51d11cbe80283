/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Parses command lines as getopt_long does, since scripts for qemu-img rely on it: options and
 * operands in any order, letters together, long options shortened. Differs in two places: a '-'
 * before a digit is a number (resize FILE -512M), and a wrong option is answered with the most
 * similar one, or with the reason why efi-img does not have it. Values are not looked at here.
 */
#include "cli/options.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/text.h"

enum { NOT_FOUND = OPTIONS_MAX, HELP };

bool option_is_end(const struct option *option)
{
	return option->letter == 0 && option->name == NULL && option->help == NULL;
}

bool option_is_section(const struct option *option)
{
	return option->letter == 0 && option->name == NULL && option->help != NULL;
}

static size_t find_letter(const struct option *options, char letter)
{
	for (size_t i = 0; !option_is_end(&options[i]); i++)
		if (options[i].letter == letter)
			return i;
	return letter == 'h' ? HELP : NOT_FOUND;
}

/* Spellings of the same option count as the first of them. */
static size_t first_spelling(const struct option *options, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if ((options[j].letter != 0 && options[j].letter == options[i].letter) ||
		    (options[j].name != NULL && options[i].name != NULL &&
		     text_equal(options[j].name, options[i].name)))
			return j;
	return i;
}

/* Sets the error for a long name that the command does not have. */
static enum status unknown(const struct option *options, const struct option *refused,
			   const char *text, size_t n, struct error *err)
{
	struct nearest nearest = { 0 };

	for (; n > 0 && refused != NULL && !option_is_end(refused); refused++)
		if (text_length(refused->name) >= n && memcmp(refused->name, text, n) == 0)
			return fail(err, ST_INVALID, "there is no option --%s here: %s",
				    refused->name, refused->help);
	for (; !option_is_end(options); options++)
		if (options->name != NULL)
			nearest_try(&nearest, text, n, options->name);
	error_set(err, "unknown option --%.*s", (int)n, text);
	nearest_say(&nearest, "--", err);
	return ST_INVALID;
}

/*
 * Finds the option whose long name is the `n` bytes at `text`, otherwise the only one that begins
 * with them.
 */
static enum status find_name(const struct option *options, const struct option *refused,
			     const char *text, size_t n, size_t *ret, struct error *err)
{
	static const char help[] = "help";
	size_t found = NOT_FOUND;

	for (size_t i = 0; !option_is_end(&options[i]); i++) {
		const char *name = options[i].name;

		if (name == NULL || text_length(name) < n || memcmp(name, text, n) != 0)
			continue;
		if (name[n] == '\0') {
			*ret = i;
			return ST_OK;
		}
		if (found != NOT_FOUND &&
		    first_spelling(options, found) != first_spelling(options, i))
			return fail(err, ST_INVALID, "option --%.*s is ambiguous: --%s or --%s",
				    (int)n, text, options[found].name, name);
		found = i;
	}
	if (n <= sizeof help - 1 && n > 0 && memcmp(help, text, n) == 0)
		found = found == NOT_FOUND ? HELP : found;
	if (found == NOT_FOUND)
		return unknown(options, refused, text, n, err);
	*ret = found;
	return ST_OK;
}

static void record(struct arguments *a, size_t option, const char *value)
{
	if (option == HELP) {
		a->help = true;
		return;
	}
	option = first_spelling(a->options, option);
	a->given[option].count++;
	a->given[option].value = value;
	a->values[a->n_values].option = option;
	a->values[a->n_values++].value = value;
}

static enum status parse_long(struct arguments *a, const struct option *refused, int argc,
			      char **argv, int *at, struct error *err)
{
	const char *text = argv[*at] + 2;
	const char *equals = text_find(text, '=');
	size_t n = equals != NULL ? (size_t)(equals - text) : text_length(text);
	size_t option = NOT_FOUND;
	enum status st = find_name(a->options, refused, text, n, &option, err);
	bool takes_value;
	const char *name, *value = NULL;

	if (st != ST_OK)
		return st;
	takes_value = option != HELP && a->options[option].value != NULL;
	name = option == HELP ? "help" : a->options[option].name;
	if (equals != NULL) {
		if (!takes_value)
			return fail(err, ST_INVALID,
				    "option --%s takes no value, but was given \"%s\"", name,
				    equals + 1);
		value = equals + 1;
	} else if (takes_value) {
		if (*at + 1 >= argc)
			return fail(err, ST_INVALID, "option --%s needs a value (%s)", name,
				    a->options[option].value);
		value = argv[++*at];
	}
	record(a, option, value);
	return ST_OK;
}

static enum status unknown_letter(const struct option *refused, char letter, struct error *err)
{
	for (; refused != NULL && !option_is_end(refused); refused++)
		if (refused->letter == letter)
			return fail(err, ST_INVALID, "there is no option -%c here: %s", letter,
				    refused->help);
	return fail(err, ST_INVALID, "unknown option -%c", letter);
}

static enum status parse_letters(struct arguments *a, const struct option *refused, int argc,
				 char **argv, int *at, struct error *err)
{
	for (const char *p = argv[*at] + 1; *p != '\0'; p++) {
		size_t option = find_letter(a->options, *p);

		if (option == NOT_FOUND)
			return unknown_letter(refused, *p, err);
		if (option == HELP || a->options[option].value == NULL) {
			record(a, option, NULL);
			continue;
		}
		if (p[1] != '\0') {
			record(a, option, p + 1);
		} else {
			if (*at + 1 >= argc)
				return fail(err, ST_INVALID, "option -%c needs a value (%s)", *p,
					    a->options[option].value);
			record(a, option, argv[++*at]);
		}
		return ST_OK;
	}
	return ST_OK;
}

enum status arguments_parse(const struct option *options, const struct option *refused, int argc,
			    char **argv, struct arguments *ret, struct error *err)
{
	static const struct option none[] = { { 0 } };
	struct arguments a = { .options = options != NULL ? options : none };
	bool only_operands = false;
	size_t letters = 1;
	enum status st = ST_OK;

	for (size_t i = 0; !option_is_end(&a.options[i]); i++)
		CHECK(i < OPTIONS_MAX);
	for (int i = 0; i < argc; i++) /* each letter of "-qf" may be an option */
		letters += text_length(argv[i]) + 1;
	a.values = mem_alloc(letters * sizeof *a.values);
	a.operands = mem_alloc(((size_t)argc + 1) * sizeof *a.operands);
	if (a.values == NULL || a.operands == NULL)
		st = fail_no_memory(err);
	for (int i = 0; st == ST_OK && i < argc; i++) {
		/* No option is a digit: "-512M" is a size. */
		if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0' ||
		    text_is_digit(argv[i][1]))
			a.operands[a.n_operands++] = argv[i];
		else if (text_equal(argv[i], "--"))
			only_operands = true;
		else if (argv[i][1] == '-')
			st = parse_long(&a, refused, argc, argv, &i, err);
		else
			st = parse_letters(&a, refused, argc, argv, &i, err);
	}
	if (st != ST_OK) {
		arguments_free(&a);
		return st;
	}
	*ret = a;
	return ST_OK;
}

void arguments_free(struct arguments *a)
{
	for (size_t i = 0; a->owns_operands && i < a->n_operands; i++)
		mem_free(a->operands[i]);
	mem_free(a->values);
	mem_free(a->operands);
	*a = (struct arguments){ 0 };
}

static size_t find_either(const struct arguments *a, const char *letter_or_name)
{
	size_t i = 0;

	for (; !option_is_end(&a->options[i]); i++) {
		const struct option *option = &a->options[i];

		if (letter_or_name[1] == '\0'
			    ? option->letter == letter_or_name[0]
			    : option->name != NULL && text_equal(option->name, letter_or_name))
			break;
	}
	CHECK(!option_is_end(&a->options[i]) && i < OPTIONS_MAX);
	return i;
}

bool arguments_has(const struct arguments *a, const char *letter_or_name)
{
	return a->given[find_either(a, letter_or_name)].count > 0;
}

const char *arguments_value(const struct arguments *a, const char *letter_or_name)
{
	return a->given[find_either(a, letter_or_name)].value;
}
