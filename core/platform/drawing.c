/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Drawing characters for terminals that have only ASCII.
 */
#include <stddef.h>

#include "platform/terminal.h"

uint16_t drawing_in_ascii(uint16_t c)
{
	static const struct {
		uint16_t drawing;
		char ascii;
	} pairs[] = {
		{ DRAW_HORIZONTAL, '-' }, { DRAW_VERTICAL, '|' }, { DRAW_DOWN_RIGHT, '+' },
		{ DRAW_DOWN_LEFT, '+' },  { DRAW_UP_RIGHT, '+' }, { DRAW_UP_LEFT, '+' },
		{ DRAW_GRID, '+' },       { DRAW_FULL, '#' },     { DRAW_LIGHT, '-' },
		{ DRAW_POINTER, '>' },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if (pairs[i].drawing == c)
			return (uint16_t)pairs[i].ascii;
	return c;
}
