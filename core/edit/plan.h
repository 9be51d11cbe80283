/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/tree.h"
#include "engine/used_blocks.h"
#include "format/chain.h"

/*
 * What the plans of --dry-run have in common, whatever is written to: create_print_*(),
 * target_plan_print_*().
 */

void plan_sources_text(const struct chain *source, size_t n, struct out *);
void plan_sources_json(const struct chain *source, size_t n, struct tree *);

/*
 * What of the source is in use, and why some of it is copied whatever is in use; `disk_bytes` are
 * copied if nothing is left out. NULL: it was not looked for.
 */
void plan_used_text(const struct used_blocks *, struct out *);
void plan_used_json(const struct used_blocks *, uint64_t disk_bytes, struct tree *);

/* What the command touches: its access set. */
void plan_access_text(const struct storage *, struct out *);
void plan_access_json(const struct storage *, struct tree *);

/* The last lines: the reason to refuse, `err`, if `st` is not ST_OK. */
void plan_verdict_text(enum status st, const struct error *err, struct out *);
void plan_verdict_json(enum status st, const struct error *err, struct tree *);
