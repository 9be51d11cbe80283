/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"

/* The GPT of a disk that is copied as a whole onto another one. */

enum gpt_fate {
	GPT_FATE_NONE, /* nothing: there is none, or it fits */
	GPT_FATE_MOVED,
	GPT_FATE_KEPT,    /* it could be moved, but is not to be */
	GPT_FATE_ODD,     /* it cannot be moved, and is copied as it is */
	GPT_FATE_UNKNOWN, /* known only after the copy */
};

/* What becomes of it. */
struct target_gpt {
	enum gpt_fate fate;
	char why[256]; /* the reason, in words */
};

struct target_plan;
struct target_run;

/*
 * Before anything is written: decides plan->gpt by what there is in the source. Errors: ST_REFUSED,
 * ST_NO_MEMORY, those of reading.
 */
enum status target_gpt_plan(struct target_plan *, struct error *);

/*
 * After everything is written, and while the beginning is kept back: moves the backup to the end,
 * if what was written is a good GPT of a smaller disk. Sets run->gpt. Errors: those of gpt_move().
 */
enum status target_gpt_run(struct target_run *, struct error *);
