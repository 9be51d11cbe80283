/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/out.h"

/* Called by firmware_start(). */
void console_start(void);

/*
 * Standard output and standard error. Where a shell started efi-img they follow its redirections
 * (>, >a, |, 2>), and `failed` is set when a redirected file takes no more; otherwise both are the
 * firmware's console. Text is held back to the end of the line, and until the other one is written
 * to.
 */
struct out *console_out(void);
struct out *console_err(void);

/* Writes what is held back: before waiting for the person, and at the end. */
void console_flush(void);

/*
 * From now on to the end of the program, the shell's screen waits for a key each time that it is
 * full.
 */
void console_page(void);

/* Takes back what console_page() has done. */
void console_finish(void);

/* Clears the screen of what the firmware has left there. For where no shell has. */
void console_clear(void);

/*
 * Prints a prompt, waits for a key and takes it; false when `seconds` have gone by without one. 0:
 * for ever. Keys from before the prompt, of the boot menu for example, are no answer to it.
 */
bool console_wait_for_key(const char *prompt, unsigned seconds);

/* The same for what stays until it was read: any other key than Enter, which an impatient person
 * may press, is not enough. */
void console_wait_for_enter(const char *prompt);

/* Whether there is a screen; otherwise all that people see of it comes through a serial line. */
bool console_has_screen(void);

/*
 * Says that something is about to begin and counts the seconds, on a screen by writing the line
 * over; true: a key was pressed, and taken.
 */
bool console_countdown(const char *what, unsigned seconds);
