/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "base/tree.h"
#include "disk/selector.h"

/* Prints the disks of the machine: as text for people, in 80 columns, and as JSON for scripts. */
void inventory_print_text(const struct inventory *, struct out *);
void inventory_print_json(const struct inventory *, struct out *);

/* Prints one disk with its partitions, or one partition, as the list has it. */
void selection_print_text(const struct inventory *, const struct selection *, struct out *);

/* The same as a member "disk" or "partition" of an object. */
void selection_write_json(const struct inventory *, const struct selection *, struct tree *);
