#pragma once

#include "job/convert.h"

/*
 * Copies `size` bytes of what the sources of the job make into job->target, which is loaded for writing, and flushes
 * it. Reading and writing are done by the boot processor, in the order of the disk; what lies between them (and on
 * platforms that can, reading) by all processors.
 */
enum status copy_disk(const struct convert_job *, uint64_t size, struct error *);
