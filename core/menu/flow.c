/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Flows: the steps of one task, from its first question to its result. Each step asks one thing and
 * can be left backwards; together they compose one command line, which is shown, run with --dry-run
 * for its plan, and then run. Whether a disk or a directory is possible is decided by that command,
 * not here.
 */
#include "menu/flow_parts.h"

#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/console.h"
#include "menu/result.h"

enum { SWITCH_OFF_SECONDS = 10, CHECK_CORRUPT = 2 /* exit code of check */ };

/* ---- what steps have in common ---- */

void flow_prepare(struct menu *m, struct pick *pick, const char *ask)
{
	pick->title = m->trail;
	pick->step = m->step;
	pick->ask = ask;
	pick->help = m->flow->help;
	pick->possible = NULL;
	pick->user = m;
}

/* What was chosen in a step, for the title; "": nothing that helps there. */
static const char *chosen_in(const struct menu *m, enum way (*step)(struct menu *))
{
	if (step == step_source_disk || step == step_image)
		return m->source.brief;
	if (step == step_target || step == step_other_disk || step == step_other_image)
		return m->other.brief;
	if (step == step_size)
		return m->size;
	return step == step_name ? m->name : "";
}

static void set_trail(struct menu *m)
{
	struct out_buffer out;

	out_buffer_init(&out, m->trail, sizeof m->trail);
	out_text(&out.out, m->flow->title);
	if (m->flow->has_source)
		out_printf(&out.out, " > %s", m->source.brief);
	for (size_t i = 0; i < m->at; i++) {
		const char *chosen = chosen_in(m, m->flow->step[i]);

		if (chosen[0] != '\0')
			out_printf(&out.out, " > %s", chosen);
	}
}

void line_choices(const struct menu *m, struct line *line)
{
	for (size_t i = 0; m->flow->choice[i].label != NULL; i++)
		line_option(line, m->flow->choice[i].value[m->value[i]].option);
}

/* ---- disks and images ---- */

enum way step_source_disk(struct menu *m)
{
	flow_prepare(m, &m->source, "Choose the disk to read");
	m->source.file[0] = '\0';
	return pick_disk(&m->ui, &m->source);
}

static enum way image(struct menu *m, struct pick *pick, const char *ask)
{
	flow_prepare(m, pick, ask);
	pick->place = false;
	pick->images = true;
	pick->opens = true;
	return pick_file(&m->ui, pick);
}

enum way step_image(struct menu *m)
{
	return image(m, &m->source, "Choose an image");
}

enum way step_other_image(struct menu *m)
{
	return image(m, &m->other, "Choose the image to compare with");
}

enum way step_other_disk(struct menu *m)
{
	flow_prepare(m, &m->other, "Choose the disk to compare with");
	return pick_disk(&m->ui, &m->other);
}

void flow_compose(struct menu *m)
{
	m->flow->compose(m, &m->line);
}

bool flow_possible_as(struct menu *m, char *name, size_t name_bytes, const char *candidate,
		      char *why, size_t why_bytes)
{
	struct out_buffer out;

	out_buffer_init(&out, name, name_bytes);
	out_text(&out.out, candidate);
	flow_compose(m);
	return line_possible(&m->line, NULL, 0, candidate, why, why_bytes);
}

/* Returns whether a disk can be overwritten, with its name repeated as the command wants it. */
static bool target_possible(void *user, const char *candidate, char *why, size_t why_bytes)
{
	struct menu *m = user;

	return flow_possible_as(m, m->other.name, sizeof m->other.name, candidate, why, why_bytes);
}

enum way step_target(struct menu *m)
{
	flow_prepare(m, &m->other, "Choose the disk to overwrite");
	m->other.possible = target_possible;
	return pick_disk(&m->ui, &m->other);
}

/* ---- options ---- */

static void write_choices(const struct menu *m, struct item item[CHOICES_MAX + 1], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct choice *choice = &m->flow->choice[i];
		struct out_buffer out;

		item[i].detail[0] = item[i].why[0] = '\0';
		out_buffer_init(&out, item[i].text, sizeof item[i].text);
		out_printf(&out.out, "%-24s %s", choice->label, choice->value[m->value[i]].words);
	}
	item[n] = (struct item){ .text = "Continue" };
}

enum way step_choices(struct menu *m)
{
	struct item *item = mem_alloc((CHOICES_MAX + 1) * sizeof *item);
	struct list list = {
		.title = m->trail,
		.step = m->step,
		.head = "",
		.columns = "",
		.ask = "Change a setting, or continue",
		.empty = "",
		.help = m->flow->help,
		.letters = "",
		.letters_help = "",
		.item = item,
	};
	enum way way = item != NULL ? WAY_AGAIN : WAY_BACK;
	int n = 0;

	while (m->flow->choice[n].label != NULL)
		n++;
	list.n = (size_t)n + 1;
	list.mark = n;
	while (way == WAY_AGAIN) {
		const struct choice *choice;
		unsigned *value;

		write_choices(m, item, (size_t)n);
		way = list_ask(&m->ui, &list);
		if (way != WAY_NEXT || list.chosen == n)
			continue;
		choice = &m->flow->choice[list.chosen];
		value = &m->value[list.chosen];
		*value = *value + 1 < VALUES_MAX && choice->value[*value + 1].words != NULL
				 ? *value + 1
				 : 0;
		way = WAY_AGAIN;
	}
	mem_free(item);
	return way;
}

enum way step_size(struct menu *m)
{
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "How large should the disk in the image be?",
		.help = m->flow->help,
		.ask = "Size of the disk:",
		.typed = m->size,
		.capacity = sizeof m->size,
	};
	struct error err;

	m->why[0] = '\0';
	for (;;) {
		struct out_buffer out;
		uint64_t bytes;
		enum way way;

		page.text = m->plan;
		out_buffer_init(&out, m->plan, sizeof m->plan);
		out_text(&out.out, "Enter a number with k, M, G or T after it (powers of 1024), "
				   "such as 50G. A number alone is in bytes.\n");
		if (m->flow->has_source)
			out_text(&out.out, "With + before it, the disk grows by that much.\n");
		if (m->flow->has_source && m->source.disk_bytes > 0) {
			out_text(&out.out, "\nThe disk has now: ");
			size_print(&out.out, m->source.disk_bytes);
			out_text(&out.out, "\n");
		}
		if (m->why[0] != '\0')
			out_printf(&out.out, "\n" PAGE_LOUD "%s\n", m->why);
		m->why[0] = '\0';
		way = page_ask(&m->ui, &page);
		if (way != WAY_NEXT ||
		    size_parse(m->size + (m->flow->has_source && m->size[0] == '+'), "size", &bytes,
			       &err) == ST_OK)
			return way;
		out_buffer_init(&out, m->why, sizeof m->why);
		out_text(&out.out, err.text);
	}
}

/* ---- the plan ---- */

/*
 * Asks the command for its plan, in m->plan, or for its reasons to refuse. Returns whether it is
 * possible.
 */
static bool write_plan(struct menu *m)
{
	bool possible;
	struct out_buffer out;
	size_t n;

	flow_compose(m);
	possible = line_possible(&m->line, m->plan, PLAN_BYTES, "", m->why, sizeof m->why);
	n = text_length(m->plan);
	out_buffer_init(&out, m->plan + n, sizeof m->plan - n);
	if (!possible && n == 0)
		out_printf(&out.out, PAGE_LOUD "Refused: %s\n", m->why);
	m->why[0] = '\0';
	forget_typed(&m->ui);
	return possible;
}

static void add_text(struct menu *m, const char *before, const char *text)
{
	size_t n = text_length(m->plan);
	struct out_buffer out;

	out_buffer_init(&out, m->plan + n, sizeof m->plan - n);
	out_printf(&out.out, "\n%s%s\n", before, text);
}

static void add_line(struct menu *m)
{
	add_text(m, "Same as:\n  efi-img ", m->line.text);
}

static enum way ask_plan(struct menu *m, bool possible, char *typed, size_t capacity,
			 const char *ask)
{
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = !possible                  ? "This is not possible"
			   : m->flow->heading != NULL ? m->flow->heading
						      : "Check this once more",
		.style = possible ? STYLE_PLAIN : STYLE_BAD,
		.help = m->flow->help,
		.text = m->plan,
		.ask = possible ? ask : "Press any key to go back.",
		.typed = possible ? typed : NULL,
		.capacity = capacity,
	};
	enum way way = page_ask(&m->ui, &page);

	return way == WAY_NEXT && !possible ? WAY_BACK : way;
}

/* Asks for a word until it is typed. `ask` describes the word, before "to start:". */
static enum way ask_word(struct menu *m, bool possible, const char *word, const char *ask)
{
	const char *wrong = "";

	for (;;) {
		char typed[CONFIRM_BYTES] = "", text[128];
		struct out_buffer out;
		enum way way;

		out_buffer_init(&out, text, sizeof text);
		out_printf(&out.out, "%sType %s to start:", wrong, ask);
		way = ask_plan(m, possible, typed, sizeof typed, text);
		if (way != WAY_NEXT || text_equal_nocase(typed, word))
			return way;
		wrong = "Wrong. ";
	}
}

enum way step_plan(struct menu *m)
{
	static const char ask[] = "Type y and Enter to start:";
	const char *word = m->flow->word;
	char typed[8] = "";
	bool possible = true;
	struct out_buffer out;
	enum way way;

	if (m->flow->explain == NULL) {
		possible = write_plan(m);
	} else {
		flow_compose(m);
		out_buffer_init(&out, m->plan, sizeof m->plan);
		word = m->flow->explain(m, &out.out);
	}
	if (m->flow->note != NULL && possible)
		add_text(m, word != NULL ? PAGE_LOUD : "", m->flow->note);
	add_line(m);
	if (word != NULL)
		return ask_word(m, possible, word, word);
	do {
		typed[0] = '\0';
		way = ask_plan(m, possible, typed, sizeof typed, ask);
	} while (way == WAY_NEXT && !text_equal_nocase(typed, "y"));
	return way;
}

/* Describes the word: the part that is printed on the disk itself is not shown. */
static void describe_word(const struct confirm_word *word, struct out *out)
{
	const char *rest = word->text + word->n_serial;

	if (word->n_serial == 0)
		out_text(out, word->text);
	else
		out_printf(out, "the last %zu characters of its serial number%s%s", word->n_serial,
			   rest[0] != '\0' ? " and " : "", rest);
}

enum way step_erase(struct menu *m)
{
	bool possible = write_plan(m);
	size_t n = text_length(m->plan);
	char ask[96];
	struct out_buffer out;
	enum way way;

	out_buffer_init(&out, m->plan + n, sizeof m->plan - n);
	if (possible)
		out_printf(&out.out, "\n" PAGE_LOUD "ALL DATA on %s WILL BE LOST:\n  %s\n",
			   m->other.words,
			   m->other.contents[0] != '\0'
				   ? m->other.contents
				   : "no known partition table or file system");
	add_line(m);
	way = possible && doubt_concerns(m) ? doubt_ask(m) : WAY_NEXT;
	if (way != WAY_NEXT)
		return way;
	out_buffer_init(&out, ask, sizeof ask);
	describe_word(&m->other.word, &out.out);
	return ask_word(m, possible, m->other.word.text, ask);
}

/* ---- the flow ---- */

/* What a choice is called in a sentence. */
static const char *words_of(const struct pick *pick)
{
	return pick->file[0] != '\0' ? pick->brief : pick->words;
}

/* Shows the result until the person leaves it. WAY_AGAIN: the same task once more. */
static enum way show_result(struct menu *m, struct page *page)
{
	for (;;) {
		enum way way = page_ask_settled(&m->ui, page);

		if (way == WAY_KEY && page->key == 'r')
			m->flow = m->flow->repair;
		if (way != WAY_KEY || page->key != 'o')
			return way == WAY_KEY ? WAY_AGAIN : way == WAY_QUIT ? WAY_QUIT : WAY_BACK;
		if (sure(&m->ui, "Switch the machine off? y = yes, any other key = no")) {
			m->end = MENU_POWER_OFF;
			return WAY_QUIT;
		}
	}
}

/* Switches off unless a key is pressed in time; then the result stays. */
static enum way switch_off(struct menu *m, struct page *page)
{
	struct terminal *terminal = m->ui.screen.terminal;
	const char *ask = page->ask;
	char text[80];
	struct out_buffer out;

	page->loud = true;
	page->ask = text;
	forget_typed(&m->ui);
	for (unsigned left = SWITCH_OFF_SECONDS; left > 0; left--) {
		out_buffer_init(&out, text, sizeof text);
		out_printf(&out.out, "The machine is switched off in %u s. Any key keeps it on.",
			   left);
		page_show(&m->ui, page);
		if (terminal->key(terminal, 1000) != KEY_NONE) {
			page->loud = false;
			page->ask = ask;
			return show_result(m, page);
		}
	}
	m->end = MENU_POWER_OFF;
	return WAY_QUIT;
}

static enum way run(struct menu *m)
{
	struct page page = { .title = m->trail,
			     .step = "",
			     .text = m->result,
			     .ask = "Press Enter to continue.",
			     .help = "",
			     .plain = true,
			     .bare = m->flow->answers,
			     .enter = true };
	char heading[64], log[128];
	struct out_buffer out;
	int code;

	set_trail(m);
	flow_compose(m);
	running_begin(&m->running, &m->ui, m->trail, words_of(&m->source),
		      m->other.name[0] != '\0' || m->other.file[0] != '\0' ? words_of(&m->other)
									   : m->place.file);
	code = line_run(&m->ui, &m->transcript, &m->running, &m->line, log, sizeof log);
	m->code = code;
	out_buffer_init(&out, heading, sizeof heading);
	page.style = result_heading(m, code, &out.out);
	page.heading = heading;
	out_buffer_init(&out, m->result, sizeof m->result);
	result_text(m, code, log, &out.out);
	if (!m->flow->answers) {
		page.letters = m->flow->has_source ? "o" : "ao";
		page.letters_help = m->flow->has_source
					    ? "Enter back   o switch off"
					    : "Enter back to the start   a another one   "
					      "o switch off";
	} else if (m->flow->repair != NULL && code > EXIT_ERROR && m->source.repairable) {
		page.letters = "r";
		page.letters_help = "Enter back   r repair it";
	}
	return m->running.switch_off && code == 0 ? switch_off(m, &page) : show_result(m, &page);
}

static void forget_choices(struct menu *m)
{
	m->size[0] = m->why[0] = m->other.name[0] = m->other.file[0] = '\0';
	m->other.directory[0] = m->place.directory[0] = '\0';
	m->other.all = m->replaces = false;
	memset(m->value, 0, sizeof m->value);
	/* To free space alone would be refused where there are other errors. */
	m->value[0] = m->flow == &flow_repair && m->code == CHECK_CORRUPT;
	if (m->flow != &flow_continue)
		m->place.file[0] = '\0';
	if (m->flow->has_source) {
		if (m->source.file[0] != '\0')
			pick_look_again(&m->source);
		return;
	}
	m->source.words[0] = m->source.name[0] = m->source.file[0] = '\0';
	m->source.directory[0] = '\0';
	m->source.doubt = DOUBT_NONE;
	m->source.all = false;
}

/* Goes through the steps once, and runs what they have made. WAY_AGAIN: all of it once more. */
static enum way once(struct menu *m)
{
	const struct flow *flow = m->flow;
	size_t n = 0;

	forget_choices(m);
	while (flow->step[n] != NULL)
		n++;
	for (m->at = 0; m->at < n;) {
		struct out_buffer out;
		enum way way;

		set_trail(m);
		out_buffer_init(&out, m->step, sizeof m->step);
		if (n > 1)
			out_printf(&out.out, "step %zu of %zu", m->at + 1, n);
		way = flow->step[m->at](m);
		if (way == WAY_NEXT)
			m->at++;
		else if (way != WAY_BACK)
			return WAY_QUIT;
		else if (m->at-- == 0)
			return WAY_BACK;
	}
	return run(m);
}

enum way flow_run(struct menu *m, const struct flow *flow)
{
	enum way way;

	m->flow = flow;
	m->code = NOT_RUN;
	do
		way = once(m);
	while (way == WAY_AGAIN);
	return way;
}
