/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The version of qemu-img whose output is imitated where versions differ: major * 100 + minor. This
 * is the only place that says it; a build has one, and no option chooses another. 702 and 1000 are
 * known here: the output of both is compared with that of the programs (docs/TESTING.md).
 */
#ifndef QEMU_IMG_VERSION
#define QEMU_IMG_VERSION 702
#endif

enum {
	/* info: the file below the format, as "Child node" and "children" */
	QEMU_IMG_HAS_CHILDREN = QEMU_IMG_VERSION >= 1000,
	/* map --output=json: whether a range is compressed */
	QEMU_IMG_MAPS_COMPRESSED = QEMU_IMG_VERSION >= 1000,
	/* info, snapshot: columns that do not run into each other */
	QEMU_IMG_HAS_WIDE_SNAPSHOTS = QEMU_IMG_VERSION >= 1000,
	/* info: whether the LUKS header is in a file of its own */
	QEMU_IMG_TELLS_DETACHED_HEADER = QEMU_IMG_VERSION >= 1000,
};
