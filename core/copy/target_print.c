/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The plan of a copy onto a disk, for people and as JSON. It shows the reason to refuse as well, so
 * that --dry-run and the refusal of the copy are the same text.
 */
#include "base/size.h"
#include "base/tree.h"
#include "copy/target.h"
#include "edit/plan.h"

static void print_device(const struct target_job *job, struct out *out)
{
	const struct device *disk = job->selection.disk->device;

	out_printf(out, "%s (%s%s%s%s", job->selector, disk->n_names > 0 ? disk->names[0] : "",
		   disk->n_names > 0 ? " " : "", disk->bus, disk->bus[0] != '\0' ? " " : "");
	out_printf(out, "%s%s", disk->model, disk->model[0] != '\0' ? ", " : "");
	if (disk->serial[0] != '\0')
		out_printf(out, "serial %s, ", disk->serial);
	if (job->selection.part != NULL && job->selection.part->entry != NULL)
		out_printf(out, "partition %u, ", job->selection.part->entry->number);
	size_print(out, job->size_bytes);
	out_printf(out, ", %u-byte sectors)", disk->block_bytes);
}

static void print_gpt(const struct target_job *job, struct out *out)
{
	static const char *const words[] = {
		[GPT_FATE_MOVED] = "moved to the end of the target",
		[GPT_FATE_KEPT] = "copied as it is",
		[GPT_FATE_ODD] = "copied as it is",
		[GPT_FATE_UNKNOWN] = "checked after it is written",
	};

	if (job->gpt_fate != GPT_FATE_NONE)
		out_printf(out, "GPT:     %s%s%s\n", words[job->gpt_fate],
			   job->gpt_why[0] != '\0' ? ": " : "", job->gpt_why);
}

void target_print_text(const struct target_job *job, enum status st, const struct error *err,
		       struct out *out)
{
	plan_sources_text(job->source, job->n_sources, out);
	if (job->source_odd[0] != '\0')
		out_printf(out, "in it:   %s\n", job->source_odd);
	if (job->device != NULL) {
		out_text(out, "target:  ");
		print_device(job, out);
		out_printf(out, "\non it:   %s\n",
			   job->contents[0] != '\0' ? job->contents : "nothing");
	}
	if (st == ST_OK && job->format->flat)
		out_printf(out,
			   "writes:  %ju bytes from the start of the target, the first MiB last\n",
			   job->copy_bytes);
	else if (st == ST_OK)
		out_printf(out,
			   "writes:  a %s image of a disk of %ju bytes, from the start of the "
			   "target\n",
			   job->format->name, job->n_bytes);
	if (st == ST_OK)
		print_gpt(job, out);
	plan_access_text(job->storage, out);
	plan_verdict_text(st, err, out);
}

static void write_target(struct tree *tree, const struct target_job *job)
{
	const struct device *disk = job->selection.disk->device;

	tree_object(tree, "target");
	tree_text(tree, "selector", job->selector);
	tree_text(tree, "name", job->device->n_names > 0 ? job->device->names[0] : "");
	tree_text(tree, "device-path", job->device->path);
	tree_text(tree, "bus", disk->bus);
	tree_text(tree, "model", disk->model);
	tree_text(tree, "serial", disk->serial);
	if (job->selection.part != NULL && job->selection.part->entry != NULL)
		tree_number(tree, "partition", job->selection.part->entry->number);
	else
		tree_null(tree, "partition");
	tree_number(tree, "size", job->size_bytes);
	tree_number(tree, "block-size", disk->block_bytes);
	tree_text(tree, "contents", job->contents);
	tree_end(tree);
}

void target_print_json(const struct target_job *job, enum status st, const struct error *err,
		       struct out *out)
{
	static const char *const gpt[] = {
		[GPT_FATE_NONE] = "",   [GPT_FATE_MOVED] = "move",      [GPT_FATE_KEPT] = "keep",
		[GPT_FATE_ODD] = "odd", [GPT_FATE_UNKNOWN] = "unknown",
	};
	struct tree tree;

	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	plan_sources_json(job->source, job->n_sources, &tree);
	tree_text(&tree, "contents-note", job->source_odd);
	if (job->device != NULL)
		write_target(&tree, job);
	else
		tree_null(&tree, "target");
	tree_text(&tree, "target-format", job->format->name);
	tree_number(&tree, "bytes",
		    job->format->flat && st == ST_OK ? job->copy_bytes : job->n_bytes);
	tree_text(&tree, "gpt", gpt[job->gpt_fate]);
	tree_text(&tree, "gpt-note", job->gpt_why);
	plan_access_json(job->storage, &tree);
	plan_verdict_json(st, err, &tree);
	tree_end(&tree);
}
