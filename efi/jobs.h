/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"

/*
 * Runs the script that was prepared for a start without a command line, as far as the rules of
 * cli/start.h allow it: one that was handed to this virtual machine (virtual_machine.h), otherwise
 * \efi-img\job.txt on the volume that efi-img was started from. Returns whether a script was run;
 * *ret is its exit code then.
 */
bool jobs_run(const struct console *, int *ret);
