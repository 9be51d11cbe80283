/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The menu's screen on the firmware's console (EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL, UEFI 2.10, 12.4).
 *
 * The console may be several at once, graphics and serial line, of which each shows what is
 * printed. So the mode is one that all have, 80 by 25, and only a few attributes are used.
 */
#include <efi.h>

#include "terminal.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "base/utf.h"
#include "console.h"
#include "firmware.h"
#include "platform/clock.h"

enum {
	COLUMNS = 80,
	USUAL_ROWS = 25, /* of the firmware's mode 0 */
	MIN_ROWS = 24,   /* of the usual terminal window on a serial line */
	LINE_UNITS = 512,
	KEYS_MAX = 256, /* dropped at once, in case a keyboard repeats without end */
};

#define MILLISECOND    UINT64_C(10000) /* in units of 100 ns, as timers have them */
#define MILLISECOND_NS UINT64_C(1000000)

/* Few colours: how a serial terminal shows them is unknown. */
static const UINTN attributes[N_STYLES] = {
	[STYLE_PLAIN] = EFI_WHITE | EFI_BACKGROUND_BLACK,
	[STYLE_TITLE] = EFI_WHITE | EFI_BACKGROUND_BLUE,
	[STYLE_CHOSEN] = EFI_BLACK | EFI_BACKGROUND_LIGHTGRAY,
	[STYLE_DIM] = EFI_LIGHTGRAY | EFI_BACKGROUND_BLACK,
	[STYLE_LOUD] = EFI_YELLOW | EFI_BACKGROUND_BLACK,
};

static int32_t mode_before = -1; /* the mode to restore; -1: unchanged */

/* Failures of the calls here and in print() only change how the screen looks. */
static void clear(struct terminal *terminal)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = firmware.system->ConOut;

	(void)terminal;
	(void)screen->SetAttribute(screen, attributes[STYLE_PLAIN]);
	(void)screen->ClearScreen(screen);
	(void)screen->EnableCursor(screen, FALSE);
}

static void print(struct terminal *terminal, unsigned column, unsigned row, enum style style,
		  const char *text)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = firmware.system->ConOut;
	size_t n = text_length(text), length = utf16_length_of_utf8(text, n);
	CHAR16 units[LINE_UNITS];

	(void)terminal;
	if (length >= LINE_UNITS)
		return;
	utf16_from_utf8(units, text, n);
	units[length] = 0;
	(void)screen->SetAttribute(screen, attributes[style]);
	(void)screen->SetCursorPosition(screen, column, row);
	(void)screen->OutputString(screen, units);
}

/* Waits for a key. False: the time is over, or waiting is impossible. */
static bool wait(SIMPLE_INPUT_INTERFACE *keyboard, unsigned milliseconds)
{
	EFI_EVENT events[2] = { keyboard->WaitForKey };
	UINTN n = 1, which = 0;
	EFI_STATUS efi = EFI_SUCCESS;

	if (milliseconds > 0) {
		efi = firmware.services->CreateEvent(EVT_TIMER, TPL_APPLICATION, NULL, NULL,
						     &events[1]);
		if (efi != EFI_SUCCESS)
			return false;
		n = 2;
		efi = firmware.services->SetTimer(events[1], TimerRelative,
						  milliseconds * MILLISECOND);
	}
	if (efi == EFI_SUCCESS)
		efi = firmware.services->WaitForEvent(n, events, &which);
	if (n == 2)
		/* fails only for an invalid event */
		(void)firmware.services->CloseEvent(events[1]);
	return efi == EFI_SUCCESS && which == 0;
}

static uint32_t key_of(const EFI_INPUT_KEY *key)
{
	switch (key->ScanCode) {
	case SCAN_NULL:
		return key->UnicodeChar != 0 ? key->UnicodeChar : KEY_OTHER;
	case SCAN_UP:
		return KEY_UP;
	case SCAN_DOWN:
		return KEY_DOWN;
	case SCAN_PAGE_UP:
		return KEY_PAGE_UP;
	case SCAN_PAGE_DOWN:
		return KEY_PAGE_DOWN;
	case SCAN_ESC:
		return KEY_ESCAPE;
	case SCAN_DELETE:
		return KEY_BACKSPACE;
	default:
		return KEY_OTHER;
	}
}

static uint32_t next_key(struct terminal *terminal, unsigned milliseconds)
{
	SIMPLE_INPUT_INTERFACE *keyboard = firmware.system->ConIn;
	EFI_INPUT_KEY key = { 0 };
	EFI_STATUS efi;

	(void)terminal;
	for (;;) {
		if (!wait(keyboard, milliseconds))
			return milliseconds > 0 ? KEY_NONE : KEY_GONE;
		efi = keyboard->ReadKeyStroke(keyboard, &key);
		if (efi == EFI_SUCCESS)
			return key_of(&key);
		/* EFI_NOT_READY: the event was signalled for no key, a modifier for example */
		if (efi != EFI_NOT_READY)
			return KEY_GONE;
	}
}

static void forget_keys(struct terminal *terminal, unsigned milliseconds)
{
	SIMPLE_INPUT_INTERFACE *keyboard = firmware.system->ConIn;
	uint64_t begin = platform_nanoseconds(), passed = 0;
	EFI_INPUT_KEY key;

	(void)terminal;
	(void)keyboard->Reset(keyboard, FALSE); /* if this fails, the keys are read one by one */
	for (unsigned n = 0;
	     n < KEYS_MAX && keyboard->ReadKeyStroke(keyboard, &key) == EFI_SUCCESS;)
		n++;
	while (passed < milliseconds && wait(keyboard, milliseconds - (unsigned)passed)) {
		if (keyboard->ReadKeyStroke(keyboard, &key) == EFI_DEVICE_ERROR)
			return;
		passed = (platform_nanoseconds() - begin) / MILLISECOND_NS;
	}
}

/*
 * Sets a mode of 80 columns; false: there is none. If the current mode has another width, that is
 * mode 0, 80 by 25, which every console has (UEFI 2.10, 12.4): of several consoles not all reach
 * the columns of a wider mode. Mode 0 also replaces one with more rows if there is only a serial
 * line, because the window of a terminal program usually has 24 or 25.
 */
static bool take_mode(EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen, struct terminal *terminal)
{
	UINTN columns = 0, rows = 0;

	if (screen->QueryMode(screen, (UINTN)screen->Mode->Mode, &columns, &rows) != EFI_SUCCESS)
		return false;
	if (columns != COLUMNS || (rows > USUAL_ROWS && !console_has_screen())) {
		mode_before = screen->Mode->Mode;
		if (screen->SetMode(screen, 0) != EFI_SUCCESS ||
		    screen->QueryMode(screen, 0, &columns, &rows) != EFI_SUCCESS)
			return false;
	}
	terminal->columns = COLUMNS;
	terminal->rows = rows == USUAL_ROWS ? MIN_ROWS : (unsigned)rows;
	return columns >= COLUMNS && rows >= MIN_ROWS;
}

struct terminal *terminal_open(void)
{
	static struct terminal terminal = {
		.clear = clear, .print = print, .key = next_key, .forget_keys = forget_keys
	};
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = firmware.system->ConOut;

	if (screen == NULL || firmware.system->ConIn == NULL || screen->Mode == NULL ||
	    !take_mode(screen, &terminal))
		return NULL;
	return &terminal;
}

void terminal_close(void)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = firmware.system->ConOut;

	if (mode_before >= 0)
		(void)screen->SetMode(screen, (UINTN)mode_before);
	clear(NULL);
	(void)screen->EnableCursor(screen, TRUE);
}
