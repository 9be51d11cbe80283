/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/out.h"
#include "base/words.h"
#include "platform/machine.h"

/*
 * Who decides that something runs which nobody at this machine has typed.
 *
 * Under Secure Boot, a signature vouches for efi-img and not for what it is told to do: anybody who
 * can write to a stick or to the firmware's boot entries can have written that. A person at the
 * machine has to confirm it then, and what only the host of a virtual machine has handed over is
 * not run at all.
 */
enum start_source {
	START_HYPERVISOR, /* a script that was handed to a virtual machine */
	START_STICK,      /* a script on the volume that efi-img was started from */
	START_BOOT_ENTRY, /* the command line of a boot entry */
};

enum start_rule {
	START_AT_ONCE,
	START_UNLESS_STOPPED, /* after a countdown, which any key stops */
	START_IF_CONFIRMED,   /* when a person has seen all of it, and pressed Y */
	START_NEVER,
};

enum start_rule start_rule(enum start_source, enum secure_boot);

/*
 * Prints a command line for a person who is to confirm it, so that it cannot act on the terminal.
 * Returns the rows that it takes on a screen of 80 columns; 0: nothing was printed, because it is
 * too long to be taken in (more than 511 bytes).
 */
unsigned start_show(const struct words *, struct out *);

/*
 * Whether start_show() shows all that the command line will do. False: it runs a script, whose
 * lines are in a file, which can be another one when it is run.
 */
bool start_shows_all(const struct words *);

/* Returns the state in words: "on", for example. NULL: the firmware has no Secure Boot. */
const char *secure_boot_text(enum secure_boot);
