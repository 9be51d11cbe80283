/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"

/*
 * Where nobody has said what to do, a job may have been left for us: by whoever runs this virtual
 * machine, or as \efi-img\job.txt on the volume that efi-img was started from; that one begins
 * after five seconds, in which any key stops it. Runs it; *ret is its exit code. False: there is
 * none, or it was stopped.
 */
bool jobs_run(const struct console *, int *ret);
