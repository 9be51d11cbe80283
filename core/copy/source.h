/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "base/warnings.h"
#include "format/chain.h"

/* The disks and partitions among what a copy reads; other sources do not matter to any of these. */

/*
 * Has the firmware write out what it holds of the volumes on them, so that it is read. Fails with
 * words that name the disk: the errors of flushing; with warnings, that is only a warning.
 */
enum status source_settle(const struct chain *source, size_t n, struct warnings *, struct error *);

/* Says how many writes this program has sent to each since it was opened. */
void source_print_writes(const struct chain *source, size_t n, struct out *);
