/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The result of a task in words: first what a person wants to know, then what the command said, and
 * at the end what somebody needs who wants to look it up. How long it took and how much it was are
 * values of the command's events (menu/running.h), not read out of its text.
 */
#include "menu/result.h"

#include "base/size.h"
#include "base/text.h"
#include "platform/files.h"
#include "record/manifest.h"
#include "record/outcome.h"

static const uint64_t second = 1000000000;

/* Whether the target was read back to its end. */
static bool was_read_back(const struct running *r)
{
	return r->n > 1 && r->phase[1].end_ns != 0 && text_equal(r->phase[1].name, "verifying");
}

static const struct verdict *verdict_of(const struct flow *flow, int code)
{
	for (size_t i = 0; i < VERDICTS_MAX && flow->verdict[i].words != NULL; i++)
		if (flow->verdict[i].code == code)
			return &flow->verdict[i];
	return NULL;
}

enum style result_heading(const struct menu *m, int code, struct out *heading)
{
	const struct verdict *verdict = verdict_of(m->flow, code);

	if (verdict != NULL) {
		out_text(heading, verdict->words);
		return verdict->style;
	}
	switch (code) {
	case OUTCOME_DONE:
		out_text(heading, was_read_back(&m->running) ? "Done and verified" : "Done");
		return STYLE_GOOD;
	case OUTCOME_LOST:
		out_text(heading, "Done, but not all of it could be read");
		return STYLE_LOUD;
	case OUTCOME_STOPPED:
		out_text(heading, "Stopped");
		return STYLE_LOUD;
	default:
		out_text(heading, "Not done");
		return STYLE_BAD;
	}
}

static void print_phase_time(const struct running_phase *phase, struct out *out)
{
	print_duration(out, (phase->end_ns - phase->begin_ns) / second);
}

static void print_copy(const struct menu *m, int code, struct out *out)
{
	const struct running *r = &m->running;
	const struct running_phase *copying = &r->phase[0];
	bool to_file = m->place.file[0] != '\0';

	out_printf(out, "%s is %s %s.\n", m->source.brief, to_file ? "in" : "on",
		   to_file ? m->place.file : m->other.brief);
	size_print(out, copying->event.bytes);
	out_text(out, " copied in ");
	print_phase_time(copying, out);
	print_rate(out, copying->event.bytes, copying->end_ns - copying->begin_ns);
	if (was_read_back(r)) {
		out_text(out, "; read back in ");
		print_phase_time(&r->phase[1], out);
		out_text(out, ": identical");
	}
	out_text(out, ".\n");
	if (code == OUTCOME_LOST) {
		out_text(out, PAGE_LOUD);
		size_print(out, r->unreadable_bytes);
		out_text(out, " could not be read; zeros are in their place:\n");
	}
}

/* Whether the image is surely in one file: a VMDK is not, nor what is as large as files can be. */
static bool is_one_file(const struct menu *m, const struct place *place)
{
	const char *extension = m->flow->choice[0].value[m->value[0]].extension;

	return place->existing_bytes < place->file_limit_bytes / 2 &&
	       !(extension != NULL && text_equal(extension, ".vmdk"));
}

static void print_manifest(const struct menu *m, struct out *out)
{
	char name[PATH_BYTES + sizeof MANIFEST_ENDING];
	struct out_buffer manifest;
	struct place place;
	struct error ignored;

	out_buffer_init(&manifest, name, sizeof name);
	out_printf(&manifest.out, "%s" MANIFEST_ENDING, m->place.file);
	if (m->flow->writes_manifest && platform_look(name, &place, &ignored) == ST_OK &&
	    place.exists)
		out_printf(out, "Its checksums are in %s\n", name);
}

static void print_file(const struct menu *m, struct out *out)
{
	struct place place;
	struct error ignored;

	if (m->place.file[0] == '\0' || platform_look(m->place.file, &place, &ignored) != ST_OK ||
	    !place.exists)
		return;
	if (is_one_file(m, &place)) {
		out_text(out, "The file takes ");
		size_print(out, place.existing_bytes);
		out_text(out, "; ");
	}
	size_print(out, place.free_bytes);
	out_printf(out, " are free on %s\n", place.volume_name);
	print_manifest(m, out);
}

void result_text(const struct menu *m, int code, const char *log, struct out *out)
{
	const struct transcript *t = &m->transcript;
	bool copied = m->running.n > 0 && m->running.phase[0].end_ns != 0 && !m->flow->answers;

	if (copied && (code == OUTCOME_DONE || code == OUTCOME_LOST))
		print_copy(m, code, out);
	if (!m->flow->answers && (code == OUTCOME_DONE || code == OUTCOME_LOST)) {
		print_file(m, out);
		out_text(out, "\n");
	}
	out_text(out, t->text + t->head);
	out_printf(out, "\nSame as:  efi-img %s\nExit code %d%s%s\n", m->line.text, code,
		   log[0] != '\0' ? ", log " : "", log);
}
