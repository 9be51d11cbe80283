/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "disk/inventory.h"

/* Prints the disks of the machine: as text for people, in 80 columns, and as JSON for scripts. */
void inventory_print_text(const struct inventory *, struct out *);
void inventory_print_json(const struct inventory *, struct out *);
