/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/console.h"
#include "engine/observer.h"

/* Follows a copy for the code that runs the command: passes its parts to events->part. */
struct copy_watch {
	struct observer observer;
	struct events *events;
	uint64_t read_back; /* so far */
};

/* Returns the observer, which is in the struct; NULL: nobody wants to know. */
struct observer *copy_watch_begin(struct copy_watch *, const struct console *);
