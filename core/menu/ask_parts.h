/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/ask.h"

/* What lists and pages have in common; for ask.c and list.c. */

enum { KEYS_BYTES = 160 };

/* Shows the screen and waits for a key. Sets `gone`. */
uint32_t ask_key(struct ui *);

uint32_t key_lower(uint32_t key);

/*
 * Follows one of the keys that work on every screen; `about` is the help. WAY_AGAIN: it does not
 * lead away.
 */
enum way ask_way(struct ui *, uint32_t key, const char *about);

/* Draws the lines of a text after the first `skip`; returns the number of all lines. */
size_t text_draw(struct screen *, const char *text, size_t skip, unsigned first_line);

/* Returns the number of lines of a text in a frame of that kind. */
size_t text_lines(struct ui *, const char *text, bool bare);
