/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "platform/drive.h"

enum { DRIVE_NOTE = 640 };

/*
 * Prints what would make an image of a drive worthless or incomplete, and what to do about it, as
 * clauses separated by "; " and without a full stop, the worst first. Nothing: nothing is known.
 */
void drive_note_print(const struct drive_facts *, struct out *);

/* Prints a controller without a driver, and what to do; a sentence, without a full stop. */
void idle_controller_print(const struct idle_controller *, struct out *);
