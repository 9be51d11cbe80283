/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/out.h"

/* Prepares both outputs. firmware_start() calls it. */
void console_start(void);

/*
 * Standard output and standard error. If a shell started efi-img, they follow its redirections (>,
 * >a, |, 2>), and `failed` is set when a write to the file fails. Otherwise both are the firmware's
 * console. Text is buffered until the line ends, or until the other output is written to.
 */
struct out *console_out(void);
struct out *console_err(void);

/* Writes what is buffered. Call before waiting for the user, and before the program ends. */
void console_flush(void);

/* Turns on the shell's page breaks: the screen waits for a key whenever it is full. */
void console_page(void);

/* Flushes both outputs and turns page breaks off if console_page() turned them on. */
void console_finish(void);

/* Clears the screen. For starts without a shell, where the firmware has left text on it. */
void console_clear(void);

/*
 * Prints a prompt and waits up to `seconds` for a key (0: without limit). False: no key was
 * pressed, or there is no keyboard. Keys pressed before the prompt, in the boot menu for example,
 * are dropped.
 */
bool console_wait_for_key(const char *prompt, unsigned seconds);

/* Prints a prompt and waits for Enter. Other keys, pressed out of impatience, are dropped. */
void console_wait_for_enter(const char *prompt);

/*
 * Keeps a message on the screen until it has been read, which the menu would clear: until a key is
 * pressed, at most ten seconds.
 */
void console_let_read(void);

/* Prints a question and waits for a key, without limit. True: it was Y. Drops earlier keys. */
bool console_confirm(const char *question);

/* Where text appears from here on, where no shell has redirected it. */
enum console_part {
	CONSOLE_WHOLE,  /* as at the start */
	CONSOLE_SCREEN, /* the graphics screen alone, as terminal_open_screen() finds it */
	CONSOLE_OTHERS, /* everywhere but there */
};
void console_show_on(enum console_part);

/* Returns whether there is a graphics screen; otherwise the console is a serial line. */
bool console_has_screen(void);

/*
 * Announces that `what` begins in `seconds`, and counts down, on a screen within one line. True: a
 * key was pressed, which cancels it.
 */
bool console_countdown(const char *what, unsigned seconds);
