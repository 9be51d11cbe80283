/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/status.h"

/*
 * Whether files on a volume can be written to in the middle, which rewrite_probe() finds out by a
 * file that it makes in `directory` (a path from the root, with "\\" at its end) and removes. The
 * answer is kept for as long as the program runs. `name` gets the path of the file if that could
 * not be removed, and then the status is not ST_OK. ST_UNSUPPORTED: a write in the middle cuts the
 * file off. Otherwise the errors of making, writing and removing a file.
 */
enum { REWRITE_NAME_BYTES = 1024 };
[[nodiscard]] enum status rewrite_probe(EFI_HANDLE volume, EFI_FILE_PROTOCOL *root,
					const char *directory,
					char ret_name[static REWRITE_NAME_BYTES]);

/* Whether rewrite_probe() has found that the volume cuts files off. */
bool rewrite_truncates(EFI_HANDLE volume);
