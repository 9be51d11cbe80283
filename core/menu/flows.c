/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tasks of the menu as data: steps, options with the safe value first, and how the command line
 * is composed.
 */
#include "base/text.h"
#include "menu/flow.h"
#include "record/manifest.h"

static const char *source_of(const struct menu *m)
{
	return m->source.file[0] != '\0' ? m->source.file : m->source.name;
}

/* ---- new images ---- */

/* Adds what is read, unless that is NULL, and the new file, which may replace one. */
static void line_new_file(const struct menu *m, struct line *line, const char *source)
{
	if (m->replaces)
		line_option(line, "--force");
	if (source != NULL)
		line_word(line, source);
	line_word(line, m->place.file);
}

static void compose_create(const struct menu *m, struct line *line)
{
	line_begin(line, "create");
	line_choices(m, line);
	line_new_file(m, line, NULL);
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
			{ "QEMU, KVM (qcow2), compressed", "", ".qcow2" }, \
				{ "QEMU, KVM (qcow2)", "--no-compress", ".qcow2" }, \
				{ "VMware (vmdk)", "--format=vmdk", ".vmdk" }, \
				{ "Hyper-V (vhdx)", "--format=vhdx", ".vhdx" }, \
				{ "Hyper-V before 2012 (vhd)", "--format=vpc", ".vhd" }, \
				{ "VirtualBox (vdi)", "--format=vdi", ".vdi" }, \
				{ "any program (raw), as large as the disk", "--format=raw", \
				  ".raw" }, \
		} \
	}
#define CHOICE_MANIFEST \
	{ \
		"Manifest", \
		{ \
			{ "write the checksums beside the image", "", NULL }, \
				{ "none", "--no-manifest", NULL }, \
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
	line_begin(line, "capture");
	line_choices(m, line);
	line_new_file(m, line, m->source.name);
}

const struct flow flow_capture = {
	.title = "Capture a disk",
	.help = "Copies a whole disk, or a partition, into a new image file. Nothing is written to "
		"the disk. The image cannot be stored on the disk that is captured. Press p in the "
		"list of disks to show their partitions.",
	.step = { step_source_disk, step_choices, step_place, step_name, step_plan },
	.choice = { CHOICE_FORMAT, CHOICE_BAD, CHOICE_VERIFY, CHOICE_MANIFEST },
	.compose = compose_capture,
	.writes_manifest = true,
};

static void compose_continue(const struct menu *m, struct line *line)
{
	struct place place;
	struct error ignored; /* then it can be written, as far as is known */
	char manifest[PATH_BYTES + sizeof MANIFEST_ENDING];
	struct out_buffer out;

	out_buffer_init(&out, manifest, sizeof manifest);
	out_printf(&out.out, "%s" MANIFEST_ENDING, m->place.file);
	line_begin(line, "convert -p --resume");
	line_option(line, m->continues->options);
	line_choices(m, line);
	if (platform_look(manifest, &place, &ignored) != ST_OK || !place.exists)
		line_part(line, "--manifest=", manifest);
	line_word(line, m->source.name);
	line_word(line, m->place.file);
}

const struct flow flow_continue = {
	.title = "Continue a capture",
	.help = "Continues a capture that was interrupted. What was copied before is compared with "
		"the disk first: if the disk has changed since, nothing is mixed.",
	.step = { step_choices, step_plan },
	.choice = { CHOICE_BAD, CHOICE_VERIFY },
	.compose = compose_continue,
	.has_source = true,
	.writes_manifest = true,
};

/* ---- onto a disk ---- */

/* Repeats the name of the target, which the command wants before it overwrites data. */
static void compose_onto(const struct menu *m, struct line *line, const char *command)
{
	const char *value = text_find(m->other.name, '=');

	line_begin(line, command);
	line_choices(m, line);
	line_option(line, doubt_option(m));
	line_word(line, source_of(m));
	line_word(line, m->other.name);
	line_part(line, "--erase=", value != NULL ? value + 1 : m->other.name);
}

static void compose_restore(const struct menu *m, struct line *line)
{
	compose_onto(m, line, "restore");
}

static void compose_clone(const struct menu *m, struct line *line)
{
	compose_onto(m, line, "clone");
}

const struct flow flow_restore = {
	.title = "Restore an image",
	.help = "Writes the disk in an image onto a disk or a partition. ALL DATA on it is lost. "
		"Disks that cannot be used are listed with the reason. Press p there to show their "
		"partitions.",
	.step = { step_image, step_target, step_choices, step_erase },
	.choice = { CHOICE_VERIFY, CHOICE_GPT },
	.compose = compose_restore,
};

const struct flow flow_clone = {
	.title = "Clone a disk",
	.help = "Copies a whole disk, or a partition, onto another one. ALL DATA on the other one "
		"is lost. Afterwards both have the same identifiers: start the machine with only "
		"one of them connected.",
	.step = { step_source_disk, step_target, step_choices, step_erase },
	.choice = { CHOICE_VERIFY, CHOICE_BAD, CHOICE_GPT },
	.compose = compose_clone,
};

/* ---- looking ---- */

static void compose_source(const struct menu *m, struct line *line, const char *command)
{
	line_begin(line, command);
	line_word(line, source_of(m));
}

static void compose_hash(const struct menu *m, struct line *line)
{
	compose_source(m, line, "hash -p");
}

static void compose_bench(const struct menu *m, struct line *line)
{
	compose_source(m, line, "bench");
}

/* ---- the stick ---- */

static void compose_stick(const struct menu *m, struct line *line)
{
	(void)m;
	line_begin(line, "stick");
}

const struct flow flow_stick = {
	.title = "This stick",
	.help = "Makes a FAT32 volume for images in the space after the last partition of the "
		"stick.",
	.step = { step_plan },
	.compose = compose_stick,
	.heading = "Use the rest of this stick for images?",
	.note = "The volume is called IMAGES. Nothing else on the stick is changed. Start from the "
		"stick again afterwards: then the volume is in the lists. Esc: no; the "
		"tools of the menu have it later.",
	.verdict = { { 0, "Done: start from the stick again to use the volume", STYLE_GOOD } },
};

/* ---- lists and measurements ---- */

static void compose_list(const struct menu *m, struct line *line)
{
	(void)m;
	line_begin(line, "list");
}

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
