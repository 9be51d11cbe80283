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
