/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Standard output and standard error.
 *
 * Under the shell, both are files of EFI_SHELL_PARAMETERS_PROTOCOL, which alone know every
 * redirection: for a pipe the shell leaves the system table's console as it is. Without a shell
 * they are the console of the system table.
 *
 * EDK2 writes console text more slowly the more calls it comes in, so that text is buffered by
 * lines. The two outputs flush each other, which keeps messages in the order in which they were
 * written.
 */
#include <efi.h>

#include "console.h"

#include <stdint.h>

#include "base/memory.h"
#include "base/utf.h"
#include "console_devices.h"
#include "firmware.h"

enum { LINE_BYTES = 256, READ_SECONDS = 10 };

#define SECOND UINT64_C(10000000) /* in the 100 ns of timers */

struct sink {
	struct out out;         /* first: a struct out * that comes in is a struct sink * */
	SHELL_FILE_HANDLE file; /* of the shell; NULL: the console of the system table */
	size_t n_held;
	char held[LINE_BYTES];
};

/* One of each per program, as file descriptors 1 and 2 elsewhere. */
static struct sink standard_output, standard_error;

/* The parts of the console that text goes to, if that is not all of it. */
static enum console_part shown_on;
static struct console_device shown[CONSOLE_DEVICES_MAX];
static size_t n_shown;

void console_show_on(enum console_part part)
{
	struct console_device device[CONSOLE_DEVICES_MAX], screen;
	size_t n = part != CONSOLE_WHOLE && console_screen(&screen) ? console_devices(device) : 0;

	console_flush();
	shown_on = part;
	n_shown = 0;
	for (size_t i = 0; i < n; i++)
		if ((device[i].handle == screen.handle) == (part == CONSOLE_SCREEN))
			shown[n_shown++] = device[i];
}

/*
 * Writes `n` units, followed by a NUL: EDK2's shell ignores the size when the file is its console,
 * and writes up to the NUL.
 */
static void write_units(struct sink *sink, CHAR16 *units, size_t n)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = firmware.system->ConOut;
	UINTN size = n * sizeof *units;
	EFI_STATUS efi;

	if (sink->file != NULL) {
		efi = firmware.shell->WriteFile(sink->file, &size, units);
		if (EFI_ERROR(efi))
			sink->out.failed = true;
		return;
	}
	/* A missing console, or a missing glyph, does not make a command fail. */
	for (size_t i = 0; i < n_shown; i++)
		(void)shown[i].text->OutputString(shown[i].text, units);
	if (shown_on == CONSOLE_WHOLE && screen != NULL)
		(void)screen->OutputString(screen, units);
}

/* The number of bytes at the start of `held` that are complete characters. */
static size_t whole_characters(const struct sink *sink)
{
	size_t n = sink->n_held, tail = 0;

	while (tail < 3 && tail < n && ((uint8_t)sink->held[n - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail < n) {
		uint8_t first = (uint8_t)sink->held[n - 1 - tail];
		size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;

		if (want > tail + 1)
			return n - 1 - tail;
	}
	return n;
}

static void flush(struct sink *sink)
{
	size_t n_bytes = whole_characters(sink), n_units = 0, n_kept = sink->n_held - n_bytes;
	CHAR16 units[LINE_BYTES + 1], text[2 * LINE_BYTES + 1];
	size_t length = utf16_length_of_utf8(sink->held, n_bytes);

	if (length == 0)
		return;
	utf16_from_utf8(units, sink->held, n_bytes);
	for (size_t i = 0; i < length; i++) {
		if (units[i] == '\n')
			text[n_units++] = '\r';
		text[n_units++] = units[i];
	}
	text[n_units] = 0;
	memmove(sink->held, sink->held + n_bytes, n_kept);
	sink->n_held = n_kept;
	write_units(sink, text, n_units);
}

static void sink_write(struct out *out, const char *bytes, size_t n)
{
	struct sink *sink = (struct sink *)out;

	flush(sink == &standard_output ? &standard_error : &standard_output);
	for (size_t i = 0; i < n; i++) {
		sink->held[sink->n_held++] = bytes[i];
		/* a line of progress ends in \r */
		if (bytes[i] == '\n' || bytes[i] == '\r' || sink->n_held == LINE_BYTES)
			flush(sink);
	}
}

void console_start(void)
{
	standard_output.out.write = sink_write;
	standard_error.out.write = sink_write;
	if (firmware.parameters != NULL) {
		standard_output.file = firmware.parameters->StdOut;
		standard_error.file = firmware.parameters->StdErr;
	}
}

struct out *console_out(void)
{
	return &standard_output.out;
}

struct out *console_err(void)
{
	return &standard_error.out;
}

void console_flush(void)
{
	flush(&standard_output);
	flush(&standard_error);
}

static bool paged; /* console_page() has turned page breaks on */

void console_page(void)
{
	/* if the user has turned them on, they stay on at the end */
	paged = firmware.shell != NULL && !firmware.shell->GetPageBreak();
	if (paged)
		firmware.shell->EnablePageBreak();
}

void console_finish(void)
{
	console_flush();
	if (paged)
		firmware.shell->DisablePageBreak();
}

void console_clear(void)
{
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *screen = firmware.system->ConOut;

	if (screen != NULL)
		(void)screen->ClearScreen(screen); /* a failure only leaves old text */
}

/*
 * Waits up to `seconds` (0: without limit) for a key, and reads it. False: there was none, or there
 * is no keyboard.
 */
static bool key_comes(unsigned seconds, EFI_INPUT_KEY *ret)
{
	SIMPLE_INPUT_INTERFACE *keyboard = firmware.system->ConIn;
	EFI_EVENT events[2];
	UINTN n = 1, which = 0;
	EFI_STATUS efi;

	if (keyboard == NULL)
		return false;
	events[0] = keyboard->WaitForKey;
	if (seconds > 0) {
		efi = firmware.services->CreateEvent(EVT_TIMER, TPL_APPLICATION, NULL, NULL,
						     &events[1]);
		if (efi != EFI_SUCCESS)
			return false;
		n = 2;
		efi = firmware.services->SetTimer(events[1], TimerRelative, seconds * SECOND);
	} else {
		efi = EFI_SUCCESS;
	}
	if (efi == EFI_SUCCESS)
		efi = firmware.services->WaitForEvent(n, events, &which);
	if (n == 2)
		/* fails only for an invalid event */
		(void)firmware.services->CloseEvent(events[1]);
	if (efi != EFI_SUCCESS || which != 0)
		return false;
	efi = keyboard->ReadKeyStroke(keyboard, ret);
	if (efi != EFI_SUCCESS)
		*ret = (EFI_INPUT_KEY){ 0 }; /* a key without a meaning */
	return efi != EFI_DEVICE_ERROR;
}

static void drop_earlier_keys(void)
{
	SIMPLE_INPUT_INTERFACE *keyboard = firmware.system->ConIn;

	if (keyboard != NULL)
		/* if this fails, a key pressed earlier counts as the answer */
		(void)keyboard->Reset(keyboard, FALSE);
}

bool console_wait_for_key(const char *prompt, unsigned seconds)
{
	EFI_INPUT_KEY key;

	drop_earlier_keys();
	out_text(&standard_output.out, prompt);
	console_flush();
	return key_comes(seconds, &key);
}

void console_wait_for_enter(const char *prompt)
{
	EFI_INPUT_KEY key;

	drop_earlier_keys();
	out_text(&standard_output.out, prompt);
	console_flush();
	while (key_comes(0, &key) && key.UnicodeChar != L'\r' && key.UnicodeChar != L'\n')
		;
}

void console_let_read(void)
{
	(void)console_wait_for_key("Press any key to continue.\n", READ_SECONDS);
}

bool console_confirm(const char *question)
{
	EFI_INPUT_KEY key;

	drop_earlier_keys();
	out_text(&standard_output.out, question);
	console_flush();
	return key_comes(0, &key) && (key.UnicodeChar == L'y' || key.UnicodeChar == L'Y');
}

bool console_has_screen(void)
{
	return LOCATE(EFI_GRAPHICS_OUTPUT_PROTOCOL) != NULL;
}

bool console_countdown(const char *what, unsigned seconds)
{
	struct out *out = &standard_output.out;
	unsigned step = console_has_screen() ? 1 : seconds;
	EFI_INPUT_KEY ignored;
	bool key = false;

	drop_earlier_keys();
	for (unsigned left = seconds; left > 0 && !key; left -= step) {
		out_printf(out, "%s begins in %u second%s. Any key stops it. %c", what, left,
			   left == 1 ? "" : "s", step == 1 ? '\r' : '\n');
		console_flush();
		key = key_comes(step, &ignored);
		if (firmware.system->ConIn == NULL) /* no key can stop it, but it can be read */
			(void)firmware.services->Stall((UINTN)step * 1000000);
	}
	if (step == 1)
		out_text(out, "\n");
	return key;
}
