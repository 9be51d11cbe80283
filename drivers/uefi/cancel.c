/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ctrl-C (platform/person.h). Under the UEFI shell, the shell watches the keyboard and signals the
 * event ExecutionBreak (UEFI Shell 2.2, 2.2.2). Without a shell, the keys are read here, and Ctrl-C
 * asks whether to stop (platform/stop.h). No other key does, in particular not Esc: EDK2's terminal
 * driver reports every sequence that it does not know as Esc, those of F1 and Delete among them.
 */
#include <efi.h>

#include "cancel.h"

#include "base/check.h"
#include "base/out.h"
#include "console.h"
#include "firmware.h"
#include "platform/person.h"
#include "platform/stop.h"

enum { NO_CHARACTER = 0xffff };

static bool broken;       /* ExecutionBreak was signalled */
static unsigned deferred; /* calls of platform_cancel_defer() that are open */
/* The caller's way to show the question (platform_cancel_ask()); NULL: a line on the console. */
static void (*shower)(void *user, bool asked);
static void *shower_user;

static uint32_t next(void *user)
{
	SIMPLE_INPUT_INTERFACE *keyboard = firmware.system->ConIn;
	EFI_INPUT_KEY key = { 0 };

	(void)user;
	if (keyboard == NULL || keyboard->ReadKeyStroke(keyboard, &key) != EFI_SUCCESS)
		return 0;
	return key.UnicodeChar != 0 ? key.UnicodeChar : NO_CHARACTER;
}

static void show(void *user, bool asked)
{
	(void)user;
	if (shower != NULL) {
		shower(shower_user, asked);
		return;
	}
	out_text(console_err(), asked ? STOP_LINE : "\n");
	console_flush();
}

static struct stop stop = { .show = show, .next = next };

bool platform_cancelled(void)
{
	if (deferred > 0)
		return false;
	if (firmware.shell == NULL)
		return stop_look(&stop);
	/* CheckEvent() resets the event, so the result is kept. */
	if (!broken)
		broken = firmware.services->CheckEvent(firmware.shell->ExecutionBreak) ==
			 EFI_SUCCESS;
	return broken;
}

void platform_cancel_defer(void)
{
	deferred++;
}

void platform_cancel_allow(void)
{
	CHECK(deferred > 0);
	deferred--;
}

void platform_cancelled_forget(void)
{
	broken = false;
	stop_forget(&stop);
}

void platform_cancel_ask(void (*ask)(void *user, bool asked), void *user)
{
	shower = ask;
	shower_user = user;
}

void platform_other_keys(void (*taker)(void *user, uint32_t key), void *user)
{
	stop.other = taker;
	stop.other_user = user;
}

void cancel_finish(void)
{
	if (broken && firmware.shell != NULL)
		/* If this fails, the script continues; there is no way left to report that. */
		(void)firmware.services->SignalEvent(firmware.shell->ExecutionBreak);
}
