/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/target.h"

/*
 * The GPT of a disk that is copied as a whole onto another one, for target.c. Sets job->gpt_fate
 * and gpt_why.
 */

/*
 * Before anything is written: what there is in the source. Errors: ST_REFUSED, ST_NO_MEMORY, those
 * of reading.
 */
enum status target_gpt_plan(struct target_job *, struct error *);

/*
 * After everything is written, and while the beginning is kept back: moves the backup to the end,
 * if what was written is a good GPT of a smaller disk. Errors: those of gpt_move().
 */
enum status target_gpt_run(struct target_job *, struct error *);
