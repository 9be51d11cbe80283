/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/warnings.h"
#include "engine/used_blocks.h"
#include "storage/storage.h"

/*
 * Finds what of the disk or partition `name` is in use, as used_blocks_of_disk() does; `image` is
 * that, and flat. Errors: those of it, of the inventory, and of looking up the name.
 */
enum status used_of_device(struct used_blocks *, struct storage *, const char *name, struct image *,
			   struct error *);

/* Reports the file systems of it of which everything is copied, each with the reason. */
void used_warn(const struct used_blocks *, const char *name, struct warnings *);
