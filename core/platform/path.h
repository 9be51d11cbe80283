/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The syntax of file names, without looking at any file: "fs0:\dir\a.qcow2", "dir/a.qcow2". Both
 * '/' and '\' separate. What comes before a ':' that precedes every separator names a volume.
 *
 * Functions that return a string allocate it: the caller frees it with mem_free(). NULL: no memory.
 */

/* Returns the length of the volume's name with its colon ("fs0:" has 4); 0: the name has none. */
size_t path_volume_length(const char *path);

/*
 * Returns whether a name selects a disk or partition, as "serial=S4X9NG0R12" does
 * (disk/selector.h).
 */
bool path_is_selector(const char *name);

/*
 * Returns whether an operating system would take a name for a disk: "/dev/sda",
 * "\\.\PhysicalDrive0". No firmware does.
 */
bool path_is_foreign_disk(const char *name);

/* Returns the name without volume and directories, as a pointer into `path`. */
const char *path_leaf(const char *path);

/* Returns the directory of a file of this name, in the form that platform_list() takes. */
char *path_directory(const char *path);

/*
 * Returns a name of `path` to be stored in the file `base`: the inverse of path_relative_to(). Both
 * are full names (platform_full_name()). The result is relative, with '/' between its parts, if
 * both are on one volume, otherwise `path` itself.
 */
char *path_from(const char *base, const char *path);

/*
 * Resolves `name`, which is stored in the file `base`, to a name that can be opened: `name` itself
 * if it names a volume or a disk, or if `base` is a disk; on the volume of `base` if it starts with
 * a separator; otherwise in the directory of `base`.
 */
char *path_relative_to(const char *base, const char *name);
