/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"
#include "menu/flow.h"

/*
 * What the menu can do: for each the steps, the options with the safe ones first, and the command
 * line.
 */

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
	.title = "CREATE AN IMAGE",
	.help = "Makes a new, empty disk image in a file: for a virtual machine, or to copy "
		"something into.",
	.step = { step_choices, step_size, step_place, step_name, step_plan },
	.choice = {
		{ "Format of the image", {
			{ "qcow2, which grows as it is filled", "-f qcow2" },
			{ "qcow2, all of its space taken now", "-f qcow2 -o preallocation=full" },
			{ "raw, all of its space taken now", "-f raw" },
		} },
	},
	.compose = compose_create,
	.done = "DONE: THE NEW, EMPTY IMAGE IS COMPLETE",
};

#define CHOICE_FORMAT \
	{ \
		"Format of the image", \
		{ \
			{ "qcow2, compressed", "-c -O qcow2" }, { "qcow2", "-O qcow2" }, \
				{ "raw, as large as the disk", "-O raw" }, \
		} \
	}
#define CHOICE_BAD \
	{ \
		"What cannot be read", \
		{ \
			{ "stops the job", "" }, { "becomes zeros, and is listed", "--salvage" }, \
		} \
	}
#define CHOICE_VERIFY \
	{ \
		"What was written", \
		{ \
			{ "is read back and compared", "" }, \
				{ "is not read back (faster)", "--no-verify" }, \
		} \
	}
#define CHOICE_GPT \
	{ \
		"GPT on a larger disk", \
		{ \
			{ "its backup is moved to the end", "" }, \
				{ "stays as it is", "--gpt=keep" }, \
				{ "is a reason to refuse", "--gpt=refuse" }, \
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
	.title = "CAPTURE A DISK",
	.help = "Copies all of a disk, or of a partition, into a new image in a file. Nothing is "
		"written to the disk. The image cannot lie on the disk that is read. Press p in "
		"the list of disks to see their partitions.",
	.step = { step_source_disk, step_choices, step_place, step_name, step_plan },
	.choice = { CHOICE_FORMAT, CHOICE_BAD, CHOICE_VERIFY },
	.compose = compose_capture,
};

/* ---- onto a disk ---- */

/* The name of the target once more, as the guard wants it of what has something on it. */
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
	.title = "RESTORE AN IMAGE",
	.help = "Copies the disk that an image holds onto a disk or a partition. ALL that is on it "
		"is lost. Which disks are not possible, and why, is said in the list. Press p "
		"there to see their partitions.",
	.step = { step_image, step_target, step_choices, step_erase },
	.choice = { CHOICE_VERIFY, CHOICE_GPT },
	.compose = compose_onto,
};

const struct flow flow_clone = {
	.title = "CLONE A DISK",
	.help = "Copies all of a disk, or of a partition, onto another one. ALL that is on that "
		"one is lost. Afterwards both look the same: start the machine with one of them "
		"only.",
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
	.title = "CHECK AN IMAGE",
	.help = "Looks whether what an image says of itself holds together. Nothing is changed.",
	.step = { step_any_image },
	.compose = compose_check,
	.answers = true,
};

const struct flow flow_info = {
	.title = "DESCRIBE AN IMAGE",
	.help = "Says what an image is: its format, its size, and what it needs. Nothing is "
		"changed.",
	.step = { step_any_image },
	.compose = compose_info,
	.answers = true,
};

const struct flow flow_compare = {
	.title = "COMPARE TWO IMAGES",
	.help = "Whether two images hold the same disk, whatever their formats. Nothing is "
		"changed.",
	.step = { step_image, step_other_image },
	.compose = compose_compare,
	.answers = true,
};

const struct flow flow_compare_disk = {
	.title = "COMPARE AN IMAGE WITH A DISK",
	.help = "Whether a disk has what an image holds. Nothing is changed.",
	.step = { step_image, step_other_disk },
	.compose = compose_compare,
	.answers = true,
};

const struct flow flow_list = {
	.title = "DISKS OF THIS MACHINE",
	.help = "",
	.compose = compose_list,
	.answers = true,
};

const struct flow flow_bench = {
	.title = "SPEED OF A DISK",
	.help = "How fast a disk is read, in requests of several sizes. Nothing is changed.",
	.step = { step_source_disk },
	.compose = compose_bench,
	.answers = true,
};

const struct flow flow_hash = {
	.title = "SHA-256 OF AN IMAGE",
	.help = "The SHA-256 of the disk that an image holds, the same for each format.",
	.step = { step_image },
	.compose = compose_hash,
	.answers = true,
};

const struct flow flow_hash_disk = {
	.title = "SHA-256 OF A DISK",
	.help = "The SHA-256 of all bytes of a disk.",
	.step = { step_source_disk },
	.compose = compose_hash,
	.answers = true,
};
