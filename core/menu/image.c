/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What can be done with one image, which is chosen first: it is looked at, repaired, changed,
 * renamed or removed. Commands that have no --dry-run are explained here before they run; what
 * loses data is started by a word that says so.
 */
#include "base/size.h"
#include "base/text.h"
#include "menu/flow_parts.h"
#include "platform/path.h"

enum { CODE_CORRUPT = 2, CODE_LEAKS = 3 }; /* of check */

static void compose_file(const struct menu *m, struct line *line, const char *command)
{
	line_begin(line, command);
	line_choices(m, line);
	line_word(line, m->source.file);
}

/* ---- looking ---- */

static void compose_check(const struct menu *m, struct line *line)
{
	compose_file(m, line, "check");
}

const struct flow flow_check = {
	.title = "Check an image",
	.help = "Checks an image for errors. Nothing is changed.",
	.compose = compose_check,
	.has_source = true,
	.answers = true,
	.repair = &flow_repair,
	.verdict = { { 0, "The image has no errors", STYLE_GOOD },
		     { CODE_CORRUPT, "The image is damaged", STYLE_BAD },
		     { CODE_LEAKS, "The data is whole; some space is lost", STYLE_LOUD } },
};

static const char *explain_repair(const struct menu *m, struct out *out)
{
	out_printf(out, "%s is repaired.\n\n", m->source.brief);
	if (m->value[0] == 0)
		out_text(out, "Space in the file that nothing uses is freed. Its data is not "
			      "changed.\n");
	else
		out_text(out, "Everything is repaired that would damage data later: reference "
			      "counts, flags, and invalid entries without data. Errors that cannot "
			      "be repaired without losing data are reported, and stay as they "
			      "are.\n");
	out_text(out, "\nA power failure meanwhile does no harm. Afterwards, the image is checked "
		      "once more.\n");
	return NULL;
}

const struct flow flow_repair = {
	.title = "Repair an image",
	.help = "Repairs what a check of the image has found.",
	.step = { step_choices, step_plan },
	.choice = { { "Repair",
		      { { "lost space only", "-r leaks", NULL },
			{ "all errors", "-r all", NULL } } } },
	.compose = compose_check,
	.explain = explain_repair,
	.has_source = true,
	.answers = true,
	.verdict = { { 0, "Repaired: the image has no errors", STYLE_GOOD },
		     { CODE_CORRUPT, "The image is still damaged", STYLE_BAD },
		     { CODE_LEAKS, "The data is whole; some space is still lost", STYLE_LOUD } },
};

static void compose_info(const struct menu *m, struct line *line)
{
	compose_file(m, line, "info");
}

const struct flow flow_info = {
	.title = "Describe an image",
	.compose = compose_info,
	.has_source = true,
	.answers = true,
	.verdict = { { 0, "Result", STYLE_PLAIN } },
};

static void compose_compare(const struct menu *m, struct line *line)
{
	compose_file(m, line, "compare -p");
	line_word(line, m->other.file[0] != '\0' ? m->other.file : m->other.name);
}

const struct flow flow_compare = {
	.title = "Compare with an image",
	.help = "Compares the disks in two images, whatever their formats. Nothing is changed.",
	.step = { step_other_image },
	.compose = compose_compare,
	.has_source = true,
	.answers = true,
	.verdict = { { 0, "The contents are the same", STYLE_GOOD },
		     { 1, "The contents differ", STYLE_LOUD } },
};

const struct flow flow_compare_disk = {
	.title = "Compare with a disk",
	.help = "Compares a disk with the disk in an image. Nothing is changed.",
	.step = { step_other_disk },
	.compose = compose_compare,
	.has_source = true,
	.answers = true,
	.verdict = { { 0, "The contents are the same", STYLE_GOOD },
		     { 1, "The contents differ", STYLE_LOUD } },
};

/* ---- another image of it ---- */

static void compose_convert(const struct menu *m, struct line *line)
{
	line_begin(line, "convert -p");
	line_choices(m, line);
	if (m->replaces)
		line_option(line, "--force");
	line_word(line, m->source.file);
	line_word(line, m->place.file);
}

const struct flow flow_convert = {
	.title = "Convert an image",
	.help = "Copies the disk in an image into a new image of another format. The old image is "
		"not changed.",
	.step = { step_choices, step_place, step_name, step_plan },
	.choice = { { "The image is for",
		      { { "QEMU, KVM (qcow2), compressed", "-c -O qcow2", ".qcow2" },
			{ "QEMU, KVM (qcow2)", "-O qcow2", ".qcow2" },
			{ "VMware (vmdk)", "-O vmdk -o subformat=twoGbMaxExtentSparse", ".vmdk" },
			{ "Hyper-V (vhdx)", "-O vhdx", ".vhdx" },
			{ "Hyper-V before 2012 (vhd)", "-O vpc", ".vhd" },
			{ "VirtualBox (vdi)", "-O vdi", ".vdi" },
			{ "any program (raw), as large as the disk", "-O raw", ".raw" } } } },
	.compose = compose_convert,
	.has_source = true,
	.verdict = { { 0, "Done: the new image is complete", STYLE_GOOD } },
};

/* ---- size ---- */

/* The size that was typed; 0: it is relative. */
static uint64_t new_size(const struct menu *m)
{
	struct error ignored; /* the step has parsed it */
	uint64_t bytes = 0;

	if (size_parse(m->size, "size", &bytes, &ignored) != ST_OK)
		return 0;
	return bytes;
}

static bool shrinks(const struct menu *m)
{
	return new_size(m) != 0 && new_size(m) < m->source.disk_bytes;
}

static void compose_resize(const struct menu *m, struct line *line)
{
	compose_file(m, line, shrinks(m) ? "resize --shrink" : "resize");
	line_word(line, m->size);
}

static const char *explain_resize(const struct menu *m, struct out *out)
{
	bool less = shrinks(m);

	out_printf(out,
		   less ? PAGE_LOUD "%s SHRINKS to %s: data past that is lost.\n\n"
			: "%s gets a size of %s. New space reads as zeros.\n\n",
		   m->source.brief, m->size);
	out_text(out, less ? "Partitions and file systems are not changed: they must be made "
			     "smaller before, in the system that uses them.\n"
			   : "Partitions and file systems are not changed: make them larger "
			     "afterwards, in the system that uses them.\n");
	return less ? "shrink" : NULL;
}

const struct flow flow_resize = {
	.title = "Resize an image",
	.help = "Gives the disk in an image another size.",
	.step = { step_size, step_plan },
	.compose = compose_resize,
	.explain = explain_resize,
	.has_source = true,
	.verdict = { { 0, "Done: the disk has the new size", STYLE_GOOD } },
};

/* ---- another name ---- */

/* Adds the ending of the old name where the new one has none: lists show images by it. */
static void complete_name(struct menu *m)
{
	const char *ending = NULL;
	size_t n = text_length(m->name);
	struct out_buffer out;

	for (const char *s = path_leaf(m->source.file); *s != '\0'; s++)
		if (*s == '.')
			ending = s;
	if (ending == NULL || text_find(m->name, '.') != NULL)
		return;
	out_buffer_init(&out, m->name + n, sizeof m->name - n);
	out_text(&out.out, ending);
}

static enum way step_new_name(struct menu *m)
{
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "What should the image be called?",
		.help = m->flow->help,
		.text = m->plan,
		.ask = "New name:",
		.typed = m->name,
		.capacity = sizeof m->name,
	};
	struct out_buffer out;
	enum way way;

	out_buffer_init(&out, m->plan, sizeof m->plan);
	out_printf(&out.out,
		   "Its name is %s\n\nIt stays in its directory. Without an ending, the new name "
		   "gets that of the old one.\n",
		   path_leaf(m->source.file));
	m->name[0] = '\0';
	do
		way = page_ask(&m->ui, &page);
	while (way == WAY_NEXT && m->name[0] == '\0');
	complete_name(m);
	return way;
}

static void compose_rename(const struct menu *m, struct line *line)
{
	compose_file(m, line, "rename");
	line_word(line, m->name);
}

const struct flow flow_rename = {
	.title = "Rename an image",
	.help = "Gives an image another name, with all files that have its name.",
	.step = { step_new_name, step_plan },
	.compose = compose_rename,
	.has_source = true,
	.verdict = { { 0, "Done: the image has its new name", STYLE_GOOD } },
};

/* ---- away with it ---- */

static void compose_remove(const struct menu *m, struct line *line)
{
	compose_file(m, line, "remove");
}

const struct flow flow_remove = {
	.title = "Delete an image",
	.help = "Removes an image, with all files that it consists of.",
	.step = { step_plan },
	.compose = compose_remove,
	.note = "The image will be DELETED, with all files that are listed above.",
	.word = "delete",
	.has_source = true,
	.verdict = { { 0, "Done: the image was deleted", STYLE_GOOD } },
};

/* ---- snapshots ---- */

static void compose_snapshot(const struct menu *m, struct line *line, const char *option,
			     const char *which)
{
	line_begin(line, option);
	line_word(line, which);
	line_word(line, m->source.file);
}

static void compose_take(const struct menu *m, struct line *line)
{
	compose_snapshot(m, line, "snapshot -c", m->name);
}

static void compose_revert(const struct menu *m, struct line *line)
{
	compose_snapshot(m, line, "snapshot -a", m->snapshot.id);
}

static void compose_forget(const struct menu *m, struct line *line)
{
	compose_snapshot(m, line, "snapshot -d", m->snapshot.name);
}

static enum way step_snapshot_name(struct menu *m)
{
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "What should the snapshot be called?",
		.help = m->flow->help,
		.text = "The disk in the image can be reverted to the snapshot later.",
		.ask = "Name of the snapshot",
		.suggested = m->suggested,
		.typed = m->name,
		.capacity = sizeof m->name,
	};

	m->name[0] = '\0';
	return page_ask(&m->ui, &page);
}

static const char *explain_take(const struct menu *m, struct out *out)
{
	out_printf(out, "Takes the snapshot \"%s\" of the disk in %s. The disk does not change.\n",
		   m->name, m->source.brief);
	return NULL;
}

static const char *explain_revert(const struct menu *m, struct out *out)
{
	out_printf(out,
		   "The disk in %s becomes what it was at the snapshot \"%s\".\n\n" PAGE_LOUD
		   "What was changed since then is LOST, unless a snapshot has it, too.\n",
		   m->source.brief, m->snapshot.name);
	return "revert";
}

static const char *explain_forget(const struct menu *m, struct out *out)
{
	out_printf(out,
		   PAGE_LOUD "The snapshot \"%s\" of %s will be DELETED.\n\n"
			     "The disk as it is now does not change.\n",
		   m->snapshot.name, m->source.brief);
	return "delete";
}

const struct flow flow_snapshot_take = {
	.title = "Take a snapshot",
	.help = "Keeps the disk in the image as it is now, inside the image.",
	.step = { step_snapshot_name, step_plan },
	.compose = compose_take,
	.explain = explain_take,
	.has_source = true,
	.verdict = { { 0, "Done: the snapshot was taken", STYLE_GOOD } },
};

const struct flow flow_snapshot_revert = {
	.title = "Revert to a snapshot",
	.help = "Makes the disk in the image what it was at a snapshot.",
	.step = { step_plan },
	.compose = compose_revert,
	.explain = explain_revert,
	.has_source = true,
	.verdict = { { 0, "Done: the disk is as it was at the snapshot", STYLE_GOOD } },
};

const struct flow flow_snapshot_delete = {
	.title = "Delete a snapshot",
	.help = "Removes a snapshot from the image, and frees its space in the file.",
	.step = { step_plan },
	.compose = compose_forget,
	.explain = explain_forget,
	.has_source = true,
	.verdict = { { 0, "Done: the snapshot was deleted", STYLE_GOOD } },
};
