/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sparse.h"

/*
 * Puts the checksums of a file system, or of a physical volume of LVM2, right: they would otherwise
 * keep every changed byte from being looked at. Of ext (but with meta_bg), XFS, Btrfs and LVM2; the
 * others have none that a map depends on, or are in the corpus without.
 */
void seal(struct sparse *);
