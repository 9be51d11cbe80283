/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of new images, `-o name=value,name=value`, from a table of the format: taking a list
 * apart, the defaults, and the help. Types and choices are checked here, once for all formats; what
 * values go together is the format's to say.
 *
 * The order of the table is that of qemu-img's "Formatting" line; its help is sorted by name. A
 * name that is not in the table is answered with the nearest one that is.
 */
#include "format/create_options.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/size.h"
#include "base/text.h"

static const char *type_name(enum create_option_type type)
{
	switch (type) {
	case OPTION_SIZE:
		return "size";
	case OPTION_NUMBER:
		return "num";
	case OPTION_BOOL:
		return "bool (on/off)";
	default:
		return "str";
	}
}

static enum status parse_bool(const char *name, const char *text, bool *ret, struct error *err)
{
	static const char *const words[][2] = {
		{ "off", "on" }, { "no", "yes" }, { "false", "true" }, { "n", "y" }
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		for (int on = 0; on < 2; on++)
			if (text_equal(text, words[i][on])) {
				*ret = on;
				return ST_OK;
			}
	return fail(err, ST_INVALID, "option %s: \"%s\" is neither on nor off", name, text);
}

static enum status parse_choice(const struct create_option *option, const char *text, uint64_t *ret,
				struct error *err)
{
	struct out_buffer known;
	char names[128];

	out_buffer_init(&known, names, sizeof names);
	for (size_t i = 0; option->choices[i] != NULL; i++) {
		if (text_equal(option->choices[i], text)) {
			*ret = i;
			return ST_OK;
		}
		out_printf(&known.out, "%s%s", i > 0 ? ", " : "", option->choices[i]);
	}
	return fail(err, ST_INVALID, "option %s: \"%s\" is none of its values, which are %s",
		    option->name, text, names);
}

static enum status parse_value(const struct create_option *option, const char *text,
			       struct create_value *value, struct error *err)
{
	switch (option->type) {
	case OPTION_SIZE:
		return size_parse(text, option->name, &value->number, err);
	case OPTION_NUMBER:
		if (!text_to_u64(text, &value->number))
			return fail(err, ST_INVALID, "option %s: \"%s\" is not a number",
				    option->name, text);
		return ST_OK;
	case OPTION_BOOL:
		return parse_bool(option->name, text, &value->on, err);
	case OPTION_CHOICE:
		return parse_choice(option, text, &value->number, err);
	default:
		return ST_OK;
	}
}

static const struct create_option *find_option(const struct create_values *values, const char *name,
					       size_t *ret_index)
{
	for (size_t i = 0; values->table[i].name != NULL; i++) {
		CHECK(i < CREATE_OPTIONS_MAX);
		if (text_equal(values->table[i].name, name)) {
			*ret_index = i;
			return &values->table[i];
		}
	}
	return NULL;
}

enum status create_values_set(struct create_values *values, const char *name, const char *text,
			      struct error *err)
{
	size_t i;
	const struct create_option *option = find_option(values, name, &i);
	struct create_value value = { 0 };
	enum status st;

	CHECK(option != NULL);
	st = parse_value(option, text, &value, err);
	if (st != ST_OK)
		return st;
	value.text = text_copy(text);
	if (value.text == NULL)
		return fail_no_memory(err);
	mem_free(values->value[i].text);
	values->value[i] = value;
	return ST_OK;
}

enum status create_values_init(const char *format, const struct create_option *table,
			       enum options_purpose purpose, struct create_values *ret,
			       struct error *err)
{
	*ret = (struct create_values){ .format = format, .purpose = purpose, .table = table };
	for (size_t i = 0; purpose == OPTIONS_CREATE && table[i].name != NULL; i++) {
		enum status st;

		if (table[i].default_text == NULL)
			continue;
		st = create_values_set(ret, table[i].name, table[i].default_text, err);
		if (st != ST_OK) {
			create_values_free(ret);
			return st;
		}
	}
	return ST_OK;
}

void create_values_free(struct create_values *values)
{
	for (size_t i = 0; i < CREATE_OPTIONS_MAX; i++)
		mem_free(values->value[i].text);
	*values = (struct create_values){ 0 };
}

/*
 * Copies the member of the list at `list` to `to`, with ",," made one comma, and returns what
 * follows it.
 */
static const char *take_member(const char *list, char *to)
{
	for (; *list != '\0'; list++) {
		if (*list == ',') {
			if (list[1] != ',')
				return list + 1;
			list++;
		}
		*to++ = *list;
		*to = '\0';
	}
	return list;
}

/* A comma at either end, or nothing at all, leaves a member without a name. */
static bool is_well_formed(const char *list)
{
	size_t commas = 0;

	if (*list == '\0' || (*list == ',' && list[1] != ','))
		return false;
	for (; *list != '\0'; list++)
		commas = *list == ',' ? commas + 1 : 0;
	return commas % 2 == 0;
}

/* Why there is no option of that name, where other programs have one; NULL: none has. */
static const char *why_not(const char *name)
{
	static const struct {
		const char *prefix, *why;
	} others[] = {
		{ "encrypt", "efi-img cannot make encrypted images" },
		{ "nocow", "it is for file systems of Linux" },
		{ "extent_size_hint", "it is for file systems of Linux" },
	};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (text_starts_with(name, others[i].prefix))
			return others[i].why;
	return NULL;
}

static enum status parse_member(struct create_values *values, char *member, struct error *err)
{
	const char *equals = text_find(member, '=');
	struct nearest nearest = { 0 };
	size_t i;

	if (equals != NULL)
		member[equals - member] = '\0';
	if (find_option(values, member, &i) == NULL && why_not(member) != NULL)
		return fail(err, ST_UNSUPPORTED, "option %s is not there: %s", member,
			    why_not(member));
	if (find_option(values, member, &i) == NULL) {
		error_set(err,
			  "format %s has no option \"%s\"; `efi-img %s -f %s -o help` lists those "
			  "it has",
			  values->format, member,
			  values->purpose == OPTIONS_AMEND ? "amend" : "create", values->format);
		for (const struct create_option *option = values->table; option->name != NULL;
		     option++)
			nearest_try(&nearest, member, text_length(member), option->name);
		nearest_say(&nearest, "", err);
		return ST_INVALID;
	}
	if (values->purpose == OPTIONS_AMEND && !values->table[i].amendable)
		return fail(err, ST_INVALID,
			    "option %s: it can only be chosen when an image is made; convert the "
			    "image to get another",
			    member);
	if (equals == NULL && values->table[i].type != OPTION_BOOL)
		return fail(err, ST_INVALID, "option %s needs a value: %s=%s", member, member,
			    type_name(values->table[i].type));
	return create_values_set(values, member, equals != NULL ? equals + 1 : "on", err);
}

enum status create_values_parse(struct create_values *values, const char *list, struct error *err)
{
	char *member;
	enum status st = ST_OK;

	if (!is_well_formed(list))
		return fail(err, ST_INVALID,
			    "-o \"%s\": a list of options is name=value,name=value, with nothing "
			    "empty between the commas",
			    list);
	member = mem_alloc(text_length(list) + 1);
	if (member == NULL)
		return fail_no_memory(err);
	while (st == ST_OK && *list != '\0') {
		member[0] = '\0';
		list = take_member(list, member);
		st = parse_member(values, member, err);
	}
	mem_free(member);
	return st;
}

const struct create_value *create_value(const struct create_values *values, const char *name)
{
	size_t i;

	return find_option(values, name, &i) != NULL ? &values->value[i] : NULL;
}

bool create_options_want_help(const char *list)
{
	for (const char *member = list; *member != '\0';) {
		size_t n = 0;

		while (member[n] != '\0' && (member[n] != ',' || member[n + 1] == ','))
			n += member[n] == ',' ? 2 : 1; /* two commas are one of the value */
		if ((n == 4 && memcmp(member, "help", 4) == 0) || (n == 1 && *member == '?'))
			return true;
		member += n + (member[n] == ',');
	}
	return false;
}

/*
 * The index of the option whose name comes next after `previous` in the alphabet (NULL: the first
 * of all); -1: none.
 */
static int next_by_name(const struct create_option *table, enum options_purpose purpose,
			const char *previous)
{
	int best = -1;

	for (int i = 0; table[i].name != NULL; i++)
		if ((purpose == OPTIONS_CREATE || table[i].amendable) &&
		    (previous == NULL || text_compare(table[i].name, previous) > 0) &&
		    (best < 0 || text_compare(table[i].name, table[best].name) < 0))
			best = i;
	return best;
}

/* Writes words below an option, on as many lines as they take. */
static void print_wrapped(const char *text, struct out *out)
{
	const int indent = 10, last = 79;
	int column = indent;

	out_text(out, "        - ");
	while (*text != '\0') {
		int n = 0;

		while (text[n] != '\0' && text[n] != ' ')
			n++;
		if (column > indent && column + 1 + n > last) {
			out_printf(out, "\n%*s", indent, "");
			column = indent;
		}
		out_printf(out, "%s%.*s", column > indent ? " " : "", n, text);
		column += n + (column > indent);
		text += n;
		text += *text == ' ';
	}
	out_text(out, "\n");
}

void create_options_explain(const struct create_option *table, const char *format,
			    enum options_purpose purpose, struct out *out)
{
	const size_t column = 24;
	struct out_buffer left, right;
	char left_text[80], right_text[160];

	out_printf(out,
		   purpose == OPTIONS_AMEND ? "Amend options for '%s':\n"
					    : "Supported %s options:\n",
		   format);
	for (int i = next_by_name(table, purpose, NULL); i >= 0;
	     i = next_by_name(table, purpose, table[i].name)) {
		const struct create_option *option = &table[i];
		const char *text = option->default_text == NULL && option->choices != NULL
					   ? option->choices[0]
					   : option->default_text;
		out_buffer_init(&left, left_text, sizeof left_text);
		out_printf(&left.out, "  %s=<%s>", option->name, type_name(option->type));
		out_buffer_init(&right, right_text, sizeof right_text);
		out_text(&right.out, option->help);
		if (text != NULL && purpose == OPTIONS_CREATE)
			out_printf(&right.out, " (default: %s)", text);
		if (left.length <= column && column + right.length < 80 - 3)
			out_printf(out, "%-*s - %s\n", (int)column, left_text, right_text);
		else {
			out_printf(out, "%s\n", left_text);
			print_wrapped(right_text, out);
		}
	}
}

/* A text as a list of options has it: its commas are written twice. */
static void print_text(struct out *out, const char *text)
{
	for (const char *comma; (comma = text_find(text, ',')) != NULL; text = comma + 1)
		out_printf(out, "%.*s,,", (int)(comma - text), text);
	out_text(out, text);
}

void create_values_print(const struct create_values *values, struct out *out)
{
	for (size_t i = 0; values->table[i].name != NULL; i++) {
		const struct create_value *value = &values->value[i];
		enum create_option_type type = values->table[i].type;

		if (value->text == NULL)
			continue;
		out_printf(out, " %s=", values->table[i].name);
		if (type == OPTION_SIZE || type == OPTION_NUMBER)
			out_printf(out, "%ju", value->number);
		else
			print_text(out, value->text);
	}
}
