/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The plan of a copy onto a disk, for people and as JSON. It shows the reason to refuse as well, so
 * that --dry-run and the refusal of the copy are the same text.
 */
#include "base/size.h"
#include "base/tree.h"
#include "copy/target_plan.h"
#include "edit/plan.h"

static void print_device(const struct target_plan *plan, struct out *out)
{
	const struct device *disk = plan->selection.disk->device;

	out_printf(out, "%s (%s%s%s%s", plan->selector, disk->n_names > 0 ? disk->names[0] : "",
		   disk->n_names > 0 ? " " : "", disk->bus, disk->bus[0] != '\0' ? " " : "");
	out_printf(out, "%s%s", disk->model, disk->model[0] != '\0' ? ", " : "");
	if (disk->serial[0] != '\0')
		out_printf(out, "serial %s, ", disk->serial);
	if (plan->selection.part != NULL && plan->selection.part->entry != NULL)
		out_printf(out, "partition %u, ", plan->selection.part->entry->number);
	size_print(out, plan->size_bytes);
	out_printf(out, ", %u-byte sectors)", disk->block_bytes);
}

static void print_gpt(const struct target_plan *plan, struct out *out)
{
	static const char *const words[] = {
		[GPT_FATE_MOVED] = "moved to the end of the target",
		[GPT_FATE_KEPT] = "copied as it is",
		[GPT_FATE_ODD] = "copied as it is",
		[GPT_FATE_UNKNOWN] = "checked after it is written",
	};

	if (plan->gpt.fate != GPT_FATE_NONE)
		out_printf(out, "GPT:     %s%s%s\n", words[plan->gpt.fate],
			   plan->gpt.why[0] != '\0' ? ": " : "", plan->gpt.why);
}

static void print_writes(const struct target_plan *plan, struct out *out)
{
	const struct image_format *format = plan->request->format;

	out_text(out, "writes:  ");
	if (!format->flat)
		out_printf(out, "a %s image of a disk of ", format->name);
	size_print(out, format->flat ? plan->copy_bytes : plan->request->n_bytes);
	out_printf(out, "%s from the start of the target%s\n", format->flat ? "" : ",",
		   format->flat ? ", the first MiB last" : "");
}

void target_plan_print_text(const struct target_plan *plan, enum status st, const struct error *err,
			    struct out *out)
{
	const struct target_request *request = plan->request;

	plan_sources_text(request->source, request->n_sources, out);
	plan_used_text(request->used, out);
	if (plan->source_odd[0] != '\0')
		out_printf(out, "in it:   %s\n", plan->source_odd);
	if (plan->device != NULL) {
		out_text(out, "target:  ");
		print_device(plan, out);
		out_printf(out, "\non it:   %s\n",
			   plan->contents[0] != '\0' ? plan->contents
						     : "no known partition table or file system");
	}
	if (st == ST_OK) {
		print_writes(plan, out);
		print_gpt(plan, out);
	}
	plan_access_text(request->storage, out);
	plan_verdict_text(st, err, out);
}

static void write_target(struct tree *tree, const struct target_plan *plan)
{
	const struct device *disk = plan->selection.disk->device;

	tree_object(tree, "target");
	tree_text(tree, "selector", plan->selector);
	tree_text(tree, "name", plan->device->n_names > 0 ? plan->device->names[0] : "");
	tree_text(tree, "device-path", plan->device->path);
	tree_text(tree, "bus", disk->bus);
	tree_text(tree, "model", disk->model);
	tree_text(tree, "serial", disk->serial);
	if (plan->selection.part != NULL && plan->selection.part->entry != NULL)
		tree_number(tree, "partition", plan->selection.part->entry->number);
	else
		tree_null(tree, "partition");
	tree_number(tree, "size", plan->size_bytes);
	tree_number(tree, "block-size", disk->block_bytes);
	tree_text(tree, "contents", plan->contents);
	tree_end(tree);
}

void target_plan_print_json(const struct target_plan *plan, enum status st, const struct error *err,
			    struct out *out)
{
	static const char *const gpt[] = {
		[GPT_FATE_NONE] = "",   [GPT_FATE_MOVED] = "move",      [GPT_FATE_KEPT] = "keep",
		[GPT_FATE_ODD] = "odd", [GPT_FATE_UNKNOWN] = "unknown",
	};
	const struct target_request *request = plan->request;
	struct tree tree;

	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	plan_sources_json(request->source, request->n_sources, &tree);
	plan_used_json(request->used, request->n_bytes, &tree);
	tree_text(&tree, "contents-note", plan->source_odd);
	if (plan->device != NULL)
		write_target(&tree, plan);
	else
		tree_null(&tree, "target");
	tree_text(&tree, "target-format", request->format->name);
	tree_number(&tree, "bytes",
		    request->format->flat && st == ST_OK ? plan->copy_bytes : request->n_bytes);
	tree_text(&tree, "gpt", gpt[plan->gpt.fate]);
	tree_text(&tree, "gpt-note", plan->gpt.why);
	plan_access_json(request->storage, &tree);
	plan_verdict_json(st, err, &tree);
	tree_end(&tree);
}
