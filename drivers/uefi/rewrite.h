/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/status.h"

enum { REWRITE_NAME_BYTES = 1024 };

/*
 * Finds out whether files on a volume can be written before their end, with a temporary file in
 * `directory` (an absolute path with '\' at its end). The result is kept per volume until the
 * program ends. `root` is the root directory of the volume.
 *
 * ret_name is "", or the path of the temporary file if that could not be removed; the status is not
 * ST_OK then. Statuses: ST_UNSUPPORTED (a write truncates the file), those of creating, writing and
 * removing a file.
 */
[[nodiscard]] enum status rewrite_probe(EFI_HANDLE volume, EFI_FILE_PROTOCOL *root,
					const char *directory,
					char ret_name[static REWRITE_NAME_BYTES]);

/* Returns whether rewrite_probe() has found that a write truncates files of this volume. */
bool rewrite_truncates(EFI_HANDLE volume);
