/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Names of files: "fs0:\dir\a.qcow2", "dir/a.qcow2". `/` and `\` both separate; everything up to
 * the first ':' that stands before any separator names a volume.
 */

/* The length of the volume with its colon ("fs0:" 4), 0 without one. */
size_t path_volume_length(const char *path);

/*
 * Whether a name is that of a disk or partition by what it is, "serial=S4X9NG0R12": never that of a
 * file.
 */
bool path_is_selector(const char *name);

/* A name without volume and directories; it points into `path`. */
const char *path_leaf(const char *path);

/*
 * The directory that a file of this name is in, as platform_list() takes it. Freed with mem_free().
 * NULL: no memory.
 */
char *path_directory(const char *path);

/*
 * A name for `path` that path_relative_to() leads back to it from the file `base`, both being full
 * names (platform_full_name()): relative, with '/' between its parts, if both are on one volume,
 * otherwise `path` itself. Freed with mem_free(). NULL: no memory.
 */
char *path_from(const char *base, const char *path);

/*
 * What `name`, written inside the file `base`, means to whoever opened `base`: `name` itself if it
 * names a volume or a disk, or if `base` is a disk; on the volume of `base` if it starts at the
 * root; otherwise beside `base`. Freed with mem_free(). NULL: no memory.
 */
char *path_relative_to(const char *base, const char *name);
