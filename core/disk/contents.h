/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "disk/inventory.h"

/*
 * Describes what is on a disk or partition: 'a GPT with 2 partitions (FAT32 "ESP", ext4)'. Writes
 * nothing if neither a table nor a volume is recognised and the first blocks are zeros or cannot be
 * read. `part` NULL: the whole disk.
 */
void contents_say(const struct inventory_disk *, const struct inventory_part *part, struct out *);
