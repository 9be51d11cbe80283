/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The plan of a new image in a file, for people and as JSON.
 */
#include "base/size.h"
#include "base/tree.h"
#include "edit/create.h"
#include "edit/plan.h"

static bool looked(const struct create_job *job)
{
	return job->place.cluster_bytes > 0;
}

static void print_writes(const struct create_job *job, struct out *out)
{
	out_printf(out, "writes:  a %s image of a disk of ", job->format->name);
	size_print(out, job->request.size);
	if (job->split_bytes > 0) {
		out_text(out, ", in files of at most ");
		size_print(out, job->split_bytes);
	}
	out_text(out, "\n");
}

void create_print_text(const struct create_job *job, const struct chain *source, size_t n,
		       enum status st, const struct error *err, struct out *out)
{
	plan_sources_text(source, n, out);
	plan_used_text(job->used, out);
	out_printf(out, "target:  %s", job->file_name);
	if (looked(job)) {
		out_printf(out, " (%s; ",
			   job->continued      ? "unfinished, and continued"
			   : job->place.exists ? "a file that is replaced"
					       : "a new file");
		size_print(out, job->place.free_bytes);
		out_printf(out, " free on %s)", job->place.volume_name);
	}
	out_text(out, "\n");
	if (st == ST_OK)
		print_writes(job, out);
	plan_access_text(job->storage, out);
	plan_verdict_text(st, err, out);
}

void create_print_json(const struct create_job *job, const struct chain *source, size_t n,
		       enum status st, const struct error *err, struct out *out)
{
	struct tree tree;

	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	plan_sources_json(source, n, &tree);
	plan_used_json(job->used, job->request.size, &tree);
	tree_object(&tree, "target");
	tree_text(&tree, "filename", job->file_name);
	tree_text(&tree, "volume", job->place.volume_name);
	tree_bool(&tree, "exists", job->place.exists);
	if (looked(job))
		tree_number(&tree, "free", job->place.free_bytes);
	else
		tree_null(&tree, "free");
	tree_end(&tree);
	tree_text(&tree, "target-format", job->format->name);
	tree_number(&tree, "bytes", job->request.size);
	tree_number(&tree, "split", job->split_bytes);
	plan_access_json(job->storage, &tree);
	plan_verdict_json(st, err, &tree);
	tree_end(&tree);
}
