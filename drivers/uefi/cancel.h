/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Signals ExecutionBreak once more if the user has pressed Ctrl-C: reading the event has reset it,
 * and a shell script would continue with its next line. Call before the program returns.
 */
void cancel_finish(void);
