/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "disk/inventory.h"

/*
 * What is on a disk or partition, in words: 'a GPT with 2 partitions (FAT32 "ESP", ext4)'. Nothing
 * is written where neither a table nor a volume is recognised, blank or not. `part` NULL: the whole
 * disk.
 */
void contents_say(const struct inventory_disk *, const struct inventory_part *part, struct out *);
