/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* The person at the machine: stopping the work. */

/*
 * True from the moment the person has stopped the work. Cheap enough to be asked once per transfer,
 * on the boot processor. In the UEFI shell and on Linux Ctrl-C stops at once, as it does for every
 * other command there. Where efi-img has the console for itself, Ctrl-C only asks
 * (platform/stop.h), and the work goes on until that is confirmed.
 */
bool platform_cancelled(void);

/* What was asked for till now is over: it is false again, until the person asks once more. */
void platform_cancelled_forget(void);

/*
 * Where that question is shown: `show` is called by platform_cancelled() and
 * platform_cancelled_forget(), with true when it is asked and with false when it is over. NULL: in
 * a line on the console, as at the start.
 */
void platform_cancel_ask(void (*show)(void *user, bool asked), void *user);
