/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The menu's screen on the firmware's console (EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL, UEFI 2.10, 12.4).
 *
 * The console may be several at once, graphics and serial line. The mode is one that all have, 80
 * by 25, and only a few attributes are used. Text is printed to each of them by itself, because not
 * all of them have the characters for frames: a screen has them, and so has a serial line of the
 * type VT-UTF8. The others get ASCII: VT100 has no more, and for PC-ANSI the firmware sends code
 * page 437, which the terminal programs of today do not show.
 */
#include <efi.h>

#include "terminal.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/utf.h"
#include "console.h"
#include "console_devices.h"
#include "device_path.h"
#include "firmware.h"
#include "large_text.h"
#include "platform/clock.h"

enum {
	COLUMNS = 80,
	USUAL_ROWS = 25, /* of the firmware's mode 0 */
	MIN_ROWS = 24,   /* of the usual terminal window on a serial line */
	LINE_UNITS = 512,
	KEYS_MAX = 256,     /* dropped at once, in case a keyboard repeats without end */
	VENDOR_GUID_AT = 4, /* in a node of a device path (UEFI 2.10, 10.3.4.18) */
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
	[STYLE_GOOD] = EFI_LIGHTGREEN | EFI_BACKGROUND_BLACK,
	[STYLE_BAD] = EFI_LIGHTRED | EFI_BACKGROUND_BLACK,
};

/* The terminal type VT-UTF8 in a device path (UEFI 2.10, 10.3.4.18.1). */
#define TERMINAL_UTF8_GUID \
	{ \
		0xad15a0d6, 0x8bec, 0x4acf, \
		{ \
			0xa0, 0x73, 0xd0, 0x1d, 0xe7, 0x7e, 0x2d, 0x88 \
		} \
	}

static struct console {
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen;
	bool draws; /* has the drawing characters */
	struct large_text large;
} consoles[CONSOLE_DEVICES_MAX];
static size_t n_consoles;

/* What has the mode and the cursor of all of them: ConOut, or the only one that is used. */
static struct console_device whole;

static int32_t mode_before = -1; /* the mode to restore; -1: unchanged */

/* Failures of the calls here and in print() only change how the screen looks. */
static void clear(struct terminal *terminal)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = whole.text;

	(void)terminal;
	(void)screen->SetAttribute(screen, attributes[STYLE_PLAIN]);
	(void)screen->ClearScreen(screen);
	(void)screen->EnableCursor(screen, FALSE);
	for (size_t i = 0; i < n_consoles; i++)
		if (consoles[i].large.screen != NULL)
			large_text_clear(&consoles[i].large);
}

/* ---- printing ---- */

static void add_console(const struct console_device *device, unsigned rows)
{
	static const EFI_GUID utf8 = TERMINAL_UTF8_GUID;
	struct console *console = &consoles[n_consoles++];

	console->screen = device->text;
	console->draws = device->graphics != NULL;
	large_text_begin(device->graphics, COLUMNS, rows, &console->large);
	FOR_EACH_NODE(node, device_path_of(device->handle))
	if (DevicePathType(node) == MESSAGING_DEVICE_PATH &&
	    DevicePathSubType(node) == MSG_VENDOR_DP &&
	    (size_t)DevicePathNodeLength(node) >= VENDOR_GUID_AT + sizeof utf8 &&
	    memcmp((const uint8_t *)node + VENDOR_GUID_AT, &utf8, sizeof utf8) == 0)
		console->draws = true;
}

/* Finds the consoles that ConOut is made of; it stands for itself if the firmware shows none. */
static void find_consoles(unsigned rows)
{
	struct console_device device[CONSOLE_DEVICES_MAX];
	size_t n = console_devices(device);

	if (n == 0)
		device[n++] = whole;
	n_consoles = 0;
	for (size_t i = 0; i < n; i++)
		add_console(&device[i], rows);
}

static void print(struct terminal *terminal, unsigned column, unsigned row, enum style style,
		  const char *text)
{
	size_t n = text_length(text), length = utf16_length_of_utf8(text, n);
	CHAR16 units[LINE_UNITS], plain[LINE_UNITS];

	(void)terminal;
	if (length >= LINE_UNITS)
		return;
	utf16_from_utf8(units, text, n);
	for (size_t i = 0; i <= length; i++)
		plain[i] = drawing_in_ascii(units[i]);
	for (size_t i = 0; i < n_consoles; i++) {
		EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = consoles[i].screen;

		if (consoles[i].large.screen != NULL) {
			large_text_print(&consoles[i].large, column, row, attributes[style], units);
			continue;
		}
		(void)screen->SetAttribute(screen, attributes[style]);
		(void)screen->SetCursorPosition(screen, column, row);
		(void)screen->OutputString(screen, consoles[i].draws ? units : plain);
	}
}

/* ---- the keyboard ---- */

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

/* ---- the mode ---- */

/*
 * Sets a mode of 80 columns; false: there is none. If the current mode has another width, that is
 * mode 0, 80 by 25, which every console has (UEFI 2.10, 12.4): of several consoles not all reach
 * the columns of a wider mode. Mode 0 also replaces one with more rows if there is only a serial
 * line, because the window of a terminal program usually has 24 or 25, and if large characters
 * then fit on the screen.
 */
static bool take_mode(struct terminal *terminal)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = whole.text;
	UINTN columns = 0, rows = 0;
	struct large_text large;

	large_text_begin(whole.graphics, COLUMNS, MIN_ROWS, &large);
	if (screen->QueryMode(screen, (UINTN)screen->Mode->Mode, &columns, &rows) != EFI_SUCCESS)
		return false;
	if (columns != COLUMNS ||
	    (rows > USUAL_ROWS && (!console_has_screen() || large.screen != NULL))) {
		mode_before = screen->Mode->Mode;
		if (screen->SetMode(screen, 0) != EFI_SUCCESS ||
		    screen->QueryMode(screen, 0, &columns, &rows) != EFI_SUCCESS)
			return false;
	}
	terminal->columns = COLUMNS;
	terminal->rows = rows == USUAL_ROWS ? MIN_ROWS : (unsigned)rows;
	return columns >= COLUMNS && rows >= MIN_ROWS;
}

static struct terminal *begin(const struct console_device *device)
{
	static struct terminal terminal = {
		.clear = clear, .print = print, .key = next_key, .forget_keys = forget_keys
	};

	whole = *device;
	return firmware.system->ConIn != NULL && whole.text->Mode != NULL && take_mode(&terminal)
		       ? &terminal
		       : NULL;
}

struct terminal *terminal_open(void)
{
	EFI_HANDLE handle = firmware.system->ConsoleOutHandle;
	struct console_device device = { .handle = handle, .text = firmware.system->ConOut };
	struct terminal *terminal;

	if (device.text == NULL)
		return NULL;
	device.graphics = PROTOCOL(handle, EFI_GRAPHICS_OUTPUT_PROTOCOL);
	terminal = begin(&device);
	if (terminal != NULL)
		find_consoles(terminal->rows);
	return terminal;
}

struct terminal *terminal_open_screen(void)
{
	struct console_device device;
	struct terminal *terminal;

	if (!console_screen(&device))
		return NULL;
	terminal = begin(&device);
	if (terminal == NULL)
		return NULL;
	n_consoles = 0;
	add_console(&device, terminal->rows);
	return terminal;
}

void terminal_close(void)
{
	if (mode_before >= 0)
		(void)whole.text->SetMode(whole.text, (UINTN)mode_before);
	mode_before = -1;
	clear(NULL);
	(void)whole.text->EnableCursor(whole.text, TRUE);
}
