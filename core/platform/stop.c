/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The question "Stop? y/n".
 *
 * A single stray key must not end hours of copying, and the question must not halt the copying
 * either. So the question is a state, advanced whenever the work asks whether it has been
 * cancelled, a few times per second:
 *
 *   not asked  -- Ctrl-C -->  asked  -- y, or Ctrl-C again -->  confirmed
 *                  ^            |
 *                  +------------+  any other key, or no answer in 10 s
 *
 * Each call reads all keys that are waiting. Keys without a meaning go to `other`, so that they
 * cannot answer a later question. Keys that arrive together with the first Ctrl-C were typed before
 * the question was shown, and do not answer it either. Esc has no meaning: terminals and firmware
 * report unknown keys (F1, Delete, Alt) as Esc.
 */

#include "platform/stop.h"

#include <stddef.h>

#include "platform/clock.h"

#define SECOND UINT64_C(1000000000)

enum { KEYS_MAX = 256 }; /* per call, in case a keyboard repeats without end */

static void set(struct stop *stop, enum stop_state state)
{
	stop->state = state;
	stop->show(stop->user, state == STOP_ASKED);
}

static bool is_yes(uint32_t key)
{
	return key == 'y' || key == 'Y' || key == STOP_CTRL_C;
}

bool stop_look(struct stop *stop)
{
	bool just_asked = false;
	uint32_t key;

	for (unsigned n = 0; n < KEYS_MAX && stop->state != STOP_CONFIRMED; n++) {
		key = stop->next(stop->user);
		if (key == 0)
			break;
		if (just_asked)
			continue;
		if (stop->state == STOP_ASKED) {
			set(stop, is_yes(key) ? STOP_CONFIRMED : STOP_NOT_ASKED);
		} else if (key == STOP_CTRL_C) {
			stop->asked_ns = platform_nanoseconds();
			just_asked = true;
			set(stop, STOP_ASKED);
		} else if (stop->other != NULL) {
			stop->other(stop->other_user, key);
		}
	}
	if (stop->state == STOP_ASKED &&
	    platform_nanoseconds() - stop->asked_ns >= STOP_WAIT_SECONDS * SECOND)
		set(stop, STOP_NOT_ASKED);
	return stop->state == STOP_CONFIRMED;
}

void stop_forget(struct stop *stop)
{
	if (stop->state != STOP_NOT_ASKED)
		set(stop, STOP_NOT_ASKED);
}
