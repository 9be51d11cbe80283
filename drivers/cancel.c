#include <efi.h>

#include "cancel.h"

#include "base/platform.h"
#include "firmware.h"

enum { CONTROL_C = 3, SCAN_ESCAPE = 0x17 };

static bool cancelled;

static bool break_key(void)
{
	SIMPLE_INPUT_INTERFACE *keyboard = firmware.system->ConIn;
	EFI_INPUT_KEY key = { 0 };

	return keyboard != NULL && keyboard->ReadKeyStroke(keyboard, &key) == EFI_SUCCESS &&
	       (key.UnicodeChar == CONTROL_C || key.ScanCode == SCAN_ESCAPE);
}

bool platform_cancelled(void)
{
	if (cancelled)
		return true;
	if (firmware.shell != NULL)
		/* The shell watches for Ctrl-C. CheckEvent takes the signal away, so it is remembered here. */
		cancelled = firmware.services->CheckEvent(firmware.shell->ExecutionBreak) == EFI_SUCCESS;
	else
		cancelled = break_key();
	return cancelled;
}

void platform_cancelled_forget(void)
{
	cancelled = false;
}

void cancel_finish(void)
{
	if (cancelled && firmware.shell != NULL)
		/* If it fails, the script goes on, and there is nobody left to tell. */
		(void)firmware.services->SignalEvent(firmware.shell->ExecutionBreak);
}
