/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The consoles that the firmware's ConOut is made of, which EDK2 marks: screens, and terminals on
 * serial lines. Firmware that marks none does not tell.
 */
enum { CONSOLE_DEVICES_MAX = 8 };

struct console_device {
	EFI_HANDLE handle;
	EFI_SIMPLE_TEXT_OUT_PROTOCOL *text;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics; /* NULL: it is no screen */
};

/* Returns their number; ConOut itself is not among them. */
size_t console_devices(struct console_device ret[static CONSOLE_DEVICES_MAX]);

/* Finds the screen among them, the first one if there are several. False: there is none. */
bool console_screen(struct console_device *ret);
