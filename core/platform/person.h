/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The user at the machine: cancelling what runs. */

/*
 * Returns whether the user has cancelled the work; stays true until platform_cancelled_forget(),
 * but for what platform_cancel_defer() says.
 * Cheap enough for one call per transfer. Boot processor only.
 *
 * In the UEFI shell and on Linux, Ctrl-C cancels at once, as it does every other command there.
 * Where efi-img owns the console, Ctrl-C asks first (platform/stop.h), and the work continues until
 * the answer is yes.
 */
bool platform_cancelled(void);

/*
 * From the first call until platform_cancel_allow() was called as often, platform_cancelled() is
 * false, and what the user types waits: for work that must not be left half done, of a second or
 * two. Boot processor only.
 */
void platform_cancel_defer(void);
void platform_cancel_allow(void);

/* Forgets that the user has cancelled, or was asked about it. */
void platform_cancelled_forget(void);

/*
 * Sets how the question is shown: `show` is called with true when it is asked and with false when
 * it has been answered or withdrawn, from platform_cancelled() and platform_cancelled_forget().
 * NULL, as at the start: in a line on the console.
 */
void platform_cancel_ask(void (*show)(void *user, bool asked), void *user);

/*
 * Sets who gets the keys, as characters, that are pressed while the work runs and neither ask nor
 * answer that question. NULL, as at the start: nobody. Where Ctrl-C does not ask, no keys are
 * read.
 */
void platform_other_keys(void (*take)(void *user, uint32_t key), void *user);
