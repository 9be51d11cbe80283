/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of the files that a new image will consist of. A format fills it; who creates the image
 * completes the names, checks the places, and makes the files in this order.
 */
#include "format/create.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"

enum status create_plan_add(struct create_plan *plan, const char *name, uint64_t size,
			    enum prealloc prealloc, struct error *err)
{
	size_t n = plan->n_files;
	struct create_file *more = plan->file;
	char *copy = text_copy(name);

	if (copy != NULL && (n == 0 || is_power_of_two(n))) {
		more = mem_alloc(2 * (n + 1) * sizeof *more);
		if (more != NULL && n > 0)
			memcpy(more, plan->file, n * sizeof *more);
		if (more != NULL)
			mem_free(plan->file);
	}
	if (copy == NULL || more == NULL) {
		mem_free(copy);
		return fail_no_memory(err);
	}
	plan->file = more;
	plan->file[plan->n_files++] = (struct create_file){ copy, size, prealloc };
	return ST_OK;
}

void create_plan_free(struct create_plan *plan)
{
	for (size_t i = 0; i < plan->n_files; i++)
		mem_free(plan->file[i].name);
	mem_free(plan->file);
	*plan = (struct create_plan){ 0 };
}
