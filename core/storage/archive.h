/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "blk/blk.h"

/*
 * Files in a tar archive, read where they lie: "vm.ova/disk1.vmdk" is the file disk1.vmdk in the
 * archive vm.ova, as if the archive were a directory. So an image in it may be of any format, and
 * the names of further files that it has, which are relative to its own, lead into the archive too.
 * OVA is a tar archive with an OVF descriptor (DMTF DSP0243), which tells the disks of a virtual
 * machine.
 */

/* Whether an open file is a tar archive, by its first block. False too if that cannot be read. */
bool archive_is(struct blk *);

/*
 * Opens the file `member` of the archive, which `name` is for messages: a window of `archive`,
 * which *ret owns; on failure it is still the caller's. ST_NOT_FOUND: the archive has no such file;
 * ST_UNSUPPORTED: it is stored sparsely; those of tar_next().
 */
enum status archive_open(struct blk *archive, const char *name, const char *member,
			 struct blk **ret, struct error *);

/*
 * Finds the disk of the virtual machine in an archive: *ret is the name of its file in the archive,
 * which the caller frees. ST_NOT_FOUND: it has no OVF descriptor; the error is not set.
 * ST_UNSUPPORTED: the descriptor tells of several disks, which the message lists, of none, or of
 * one that cannot be read, with the reason.
 */
enum status archive_find_disk(struct blk *archive, const char *name, char **ret, struct error *);
