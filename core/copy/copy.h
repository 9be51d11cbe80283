/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/convert.h"
#include "engine/fingerprint.h"

/*
 * Copies `size` bytes of what the sources of the job make into job->target, which is loaded for
 * writing, and flushes it. Reading and writing are done by the boot processor, in the order of the
 * disk; what lies between them (and on platforms that can, reading) by all processors. `print`
 * (NULL: not wanted) is open, for `size` bytes, and gets what was read to be written.
 */
enum status copy_disk(const struct convert_job *, uint64_t size, struct fingerprint *print,
		      struct error *);
