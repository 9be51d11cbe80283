/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tasks of the menu as data: steps, options with the safe value first, and how the command line
 * is composed.
 */
#include "base/text.h"
#include "menu/flow.h"

static const char *source_of(const struct menu *m)
{
	return m->source.file[0] != '\0' ? m->source.file : m->source.name;
}

/* ---- new images ---- */

static void compose_create(const struct menu *m, struct line *line)
{
	line_begin(line, "create");
	line_choices(m, line);
	line_word(line, m->place.file);
	line_word(line, m->size);
}

const struct flow flow_create = {
	.title = "Create an image",
	.help = "Creates a new, empty disk image in a file, for example for a virtual machine.",
	.step = { step_choices, step_size, step_place, step_name, step_plan },
	.choice = {
		{ "The image is for", {
			{ "QEMU, KVM (qcow2)", "-f qcow2", ".qcow2" },
			{ "QEMU, KVM (qcow2), fully allocated", "-f qcow2 -o preallocation=full",
			  ".qcow2" },
			{ "VMware (vmdk)", "-f vmdk -o subformat=twoGbMaxExtentSparse", ".vmdk" },
			{ "Hyper-V (vhdx)", "-f vhdx", ".vhdx" },
			{ "Hyper-V before 2012 (vhd)", "-f vpc", ".vhd" },
			{ "VirtualBox (vdi)", "-f vdi", ".vdi" },
			{ "any program (raw), fully allocated", "-f raw", ".raw" },
		} },
	},
	.compose = compose_create,
	.verdict = { { 0, "Done: the new, empty image is complete", STYLE_GOOD } },
};

#define CHOICE_FORMAT \
	{ \
		"The image is for", \
		{ \
			{ "QEMU, KVM (qcow2), compressed", "-c -O qcow2", ".qcow2" }, \
				{ "QEMU, KVM (qcow2)", "-O qcow2", ".qcow2" }, \
				{ "VMware (vmdk)", "-O vmdk -o subformat=twoGbMaxExtentSparse", \
				  ".vmdk" }, \
				{ "Hyper-V (vhdx)", "-O vhdx", ".vhdx" }, \
				{ "Hyper-V before 2012 (vhd)", "-O vpc", ".vhd" }, \
				{ "VirtualBox (vdi)", "-O vdi", ".vdi" }, \
				{ "any program (raw), as large as the disk", "-O raw", ".raw" }, \
		} \
	}
#define CHOICE_BAD \
	{ \
		"Unreadable sectors", \
		{ \
			{ "stop the job", "", NULL }, \
				{ "fill with zeros and list them", "--salvage", NULL }, \
		} \
	}
#define CHOICE_VERIFY \
	{ \
		"After writing", \
		{ \
			{ "read back and compare", "", NULL }, \
				{ "do not read back (faster)", "--no-verify", NULL }, \
		} \
	}
#define CHOICE_GPT \
	{ \
		"GPT on a larger disk", \
		{ \
			{ "move its backup to the end", "", NULL }, \
				{ "copy as it is", "--gpt=keep", NULL }, \
				{ "refuse to write", "--gpt=refuse", NULL }, \
		} \
	}

static void compose_capture(const struct menu *m, struct line *line)
{
	line_begin(line, "convert -p");
	line_choices(m, line);
	line_word(line, m->source.name);
	line_word(line, m->place.file);
}

const struct flow flow_capture = {
	.title = "Capture a disk",
	.help = "Copies a whole disk, or a partition, into a new image file. Nothing is written to "
		"the disk. The image cannot be stored on the disk that is captured. Press p in the "
		"list of disks to show their partitions.",
	.step = { step_source_disk, step_choices, step_place, step_name, step_plan },
	.choice = { CHOICE_FORMAT, CHOICE_BAD, CHOICE_VERIFY },
	.compose = compose_capture,
};

/* ---- onto a disk ---- */

/* Repeats the name of the target, which the command wants before it overwrites data. */
static void compose_onto(const struct menu *m, struct line *line)
{
	const char *value = text_find(m->other.name, '=');

	line_begin(line, "convert -p -n");
	line_choices(m, line);
	if (m->source.doubtful)
		line_option(line, "--no-table");
	line_word(line, source_of(m));
	line_word(line, m->other.name);
	line_part(line, "--erase=", value != NULL ? value + 1 : m->other.name);
}

const struct flow flow_restore = {
	.title = "Restore an image",
	.help = "Writes the disk in an image onto a disk or a partition. ALL DATA on it is lost. "
		"Disks that cannot be used are listed with the reason. Press p there to show their "
		"partitions.",
	.step = { step_image, step_target, step_choices, step_erase },
	.choice = { CHOICE_VERIFY, CHOICE_GPT },
	.compose = compose_onto,
};

const struct flow flow_clone = {
	.title = "Clone a disk",
	.help = "Copies a whole disk, or a partition, onto another one. ALL DATA on the other one "
		"is lost. Afterwards both have the same identifiers: start the machine with only "
		"one of them connected.",
	.step = { step_source_disk, step_target, step_choices, step_erase },
	.choice = { CHOICE_VERIFY, CHOICE_BAD, CHOICE_GPT },
	.compose = compose_onto,
};

/* ---- looking ---- */

static void compose_source(const struct menu *m, struct line *line, const char *command)
{
	line_begin(line, command);
	line_word(line, source_of(m));
}

static void compose_check(const struct menu *m, struct line *line)
{
	compose_source(m, line, "check");
}

static void compose_info(const struct menu *m, struct line *line)
{
	compose_source(m, line, "info");
}

static void compose_hash(const struct menu *m, struct line *line)
{
	compose_source(m, line, "hash -p");
}

static void compose_bench(const struct menu *m, struct line *line)
{
	compose_source(m, line, "bench");
}

static void compose_compare(const struct menu *m, struct line *line)
{
	compose_source(m, line, "compare -p");
	line_word(line, m->other.file[0] != '\0' ? m->other.file : m->other.name);
}

static void compose_list(const struct menu *m, struct line *line)
{
	(void)m;
	line_begin(line, "list");
}

const struct flow flow_check = {
	.title = "Check an image",
	.help = "Checks an image for errors. Nothing is changed.",
	.step = { step_any_image },
	.compose = compose_check,
	.answers = true,
	.verdict = { { 0, "The image has no errors", STYLE_GOOD },
		     { 2, "The image is damaged", STYLE_BAD },
		     { 3, "The data is whole; some space is lost", STYLE_LOUD } },
};

const struct flow flow_info = {
	.title = "Describe an image",
	.help = "Shows the format of an image, its size, and the files that it needs. Nothing is "
		"changed.",
	.step = { step_any_image },
	.compose = compose_info,
	.answers = true,
	.verdict = { { 0, "Result", STYLE_PLAIN } },
};

const struct flow flow_compare = {
	.title = "Compare two images",
	.help = "Compares the disks in two images, whatever their formats. Nothing is changed.",
	.step = { step_image, step_other_image },
	.compose = compose_compare,
	.answers = true,
	.verdict = { { 0, "The contents are the same", STYLE_GOOD },
		     { 1, "The contents differ", STYLE_LOUD } },
};

const struct flow flow_compare_disk = {
	.title = "Compare an image with a disk",
	.help = "Compares a disk with the disk in an image. Nothing is changed.",
	.step = { step_image, step_other_disk },
	.compose = compose_compare,
	.answers = true,
	.verdict = { { 0, "The contents are the same", STYLE_GOOD },
		     { 1, "The contents differ", STYLE_LOUD } },
};

const struct flow flow_list = {
	.title = "Disks of this machine",
	.help = "",
	.compose = compose_list,
	.answers = true,
	.verdict = { { 0, "Result", STYLE_PLAIN } },
};

const struct flow flow_bench = {
	.title = "Speed of a disk",
	.help = "Measures how fast a disk can be read, in requests of several sizes. Nothing is "
		"changed.",
	.step = { step_source_disk },
	.compose = compose_bench,
	.answers = true,
	.verdict = { { 0, "Result", STYLE_PLAIN } },
};

const struct flow flow_hash = {
	.title = "SHA-256 of an image",
	.help = "Calculates the SHA-256 of the disk in an image, which is the same for each "
		"format. Nothing is changed.",
	.step = { step_image },
	.compose = compose_hash,
	.answers = true,
	.verdict = { { 0, "Result", STYLE_PLAIN } },
};

const struct flow flow_hash_disk = {
	.title = "SHA-256 of a disk",
	.help = "Calculates the SHA-256 of all bytes of a disk. Nothing is changed.",
	.step = { step_source_disk },
	.compose = compose_hash,
	.answers = true,
	.verdict = { { 0, "Result", STYLE_PLAIN } },
};
