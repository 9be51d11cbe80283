/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts that all plans have in common: the sources, the access set, and the verdict.
 */
#include "edit/plan.h"

#include "base/size.h"
#include "record/outcome.h"

void plan_sources_text(const struct chain *source, size_t n, struct out *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct image *image = source[i].link[0].image;

		out_printf(out, "source:  %s (%s, ", image->name, image->format->name);
		size_print(out, image->size);
		out_text(out, ")\n");
	}
}

void plan_sources_json(const struct chain *source, size_t n, struct tree *tree)
{
	tree_array(tree, "sources");
	for (size_t i = 0; i < n; i++) {
		const struct image *image = source[i].link[0].image;

		tree_object(tree, NULL);
		tree_text(tree, "filename", image->name);
		tree_text(tree, "format", image->format->name);
		tree_number(tree, "virtual-size", image->size);
		tree_end(tree);
	}
	tree_end(tree);
}

static bool is_unknown(const struct used_part *part)
{
	return part->number > 0 && part->map == NULL && part->fs.type[0] == '\0' &&
	       part->why.text[0] == '\0';
}

/* A disk of another system can have dozens of partitions that are not known here. */
static void unknown_text(const struct used_blocks *used, struct out *out)
{
	size_t n = 0, printed = 0;

	for (size_t i = 0; i < used->n; i++)
		n += is_unknown(&used->part[i]);
	if (n > 0)
		out_printf(out, "used:    partition%s", n > 1 ? "s" : "");
	for (size_t i = 0; i < used->n; i++)
		if (is_unknown(&used->part[i]))
			out_printf(out, "%s %u", printed++ > 0 ? "," : "", used->part[i].number);
	if (n > 0)
		out_text(out, ": unknown contents: all of it is copied\n");
}

static void part_text(const struct used_part *part, struct out *out)
{
	out_text(out, "used:    ");
	if (part->number > 0)
		out_printf(out, "partition %u: ", part->number);
	out_printf(out, "%s: ", part->fs.type[0] != '\0' ? part->fs.type : "unknown contents");
	if (part->map != NULL) {
		size_print(out, part->size - fs_map_unused(part->map));
		out_text(out, " of ");
		size_print(out, part->size);
		out_printf(out, "%s%s", part->why.text[0] != '\0' ? "; " : "", part->why.text);
	} else {
		out_printf(out, "all of it is copied%s%s", part->why.text[0] != '\0' ? ": " : "",
			   part->why.text);
	}
	out_text(out, "\n");
}

void plan_used_text(const struct used_blocks *used, struct out *out)
{
	if (used == NULL)
		return;
	if (used->why[0] != '\0')
		out_printf(out, "used:    all of it is copied: %s\n", used->why);
	for (size_t i = 0; used->why[0] == '\0' && i < used->n; i++)
		if (!is_unknown(&used->part[i]))
			part_text(&used->part[i], out);
	if (used->why[0] == '\0')
		unknown_text(used, out);
	if (!used_blocks_any(used))
		return;
	out_text(out, "unused:  ");
	size_print(out, used->unused_bytes);
	if (used->of_image && !used->keeps)
		out_text(out, " are not in the image's block map: zeros are written there\n");
	else
		out_text(out, used->of_image ? " were not in use when the image was made, and are "
					       "not written\n"
					     : " are not copied: no file system uses them\n");
}

static void part_json(const struct used_part *part, struct tree *tree)
{
	bool known = part->map != NULL;

	tree_object(tree, NULL);
	if (part->number > 0)
		tree_number(tree, "partition", part->number);
	else
		tree_null(tree, "partition");
	tree_text(tree, "type", part->fs.type);
	tree_number(tree, "size", part->size);
	tree_number(tree, "unused", known ? fs_map_unused(part->map) : 0);
	tree_text(tree, "reason", part->why.text);
	tree_end(tree);
}

void plan_used_json(const struct used_blocks *used, uint64_t disk_bytes, struct tree *tree)
{
	uint64_t unused = used != NULL ? used->unused_bytes : 0;

	tree_number(tree, "copied", disk_bytes - unused);
	tree_number(tree, "unused", unused);
	tree_text(tree, "unused-note", used != NULL ? used->why : "");
	tree_array(tree, "parts");
	for (size_t i = 0; used != NULL && used->why[0] == '\0' && i < used->n; i++)
		part_json(&used->part[i], tree);
	tree_end(tree);
}

void plan_access_text(const struct storage *storage, struct out *out)
{
	access_print_text(&storage->access, "touches: ", out);
}

void plan_access_json(const struct storage *storage, struct tree *tree)
{
	access_print_json(&storage->access, "access", tree);
}

void plan_verdict_text(enum status st, const struct error *err, struct out *out)
{
	if (st == ST_OK)
		out_text(out, "Ready. Nothing has been written.\n");
	else
		out_printf(out, "Refused: %s\n", err->text);
}

void plan_verdict_json(enum status st, const struct error *err, struct tree *tree)
{
	tree_number(tree, "exit-code", outcome_of(st));
	if (st == ST_OK)
		tree_null(tree, "refused");
	else
		tree_text(tree, "refused", err->text);
}
