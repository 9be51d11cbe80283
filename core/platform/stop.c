/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The question "Stop? y/n".
 *
 * One stray key must not end hours of copying, and the question must not hold up the copying
 * either. So it is a state that is looked at whenever the work asks whether it has been stopped, a
 * few times a second:
 *
 *   not asked  -- Ctrl-C -->  asked  -- y, or Ctrl-C again -->  confirmed
 *                  ^            |
 *                  +------------+  any other key, or no answer in 10 s
 *
 * All waiting keys are taken at each look. Those that have no meaning are gone then, so that they
 * answer nothing that is asked later; and those that came along with the first Ctrl-C were typed
 * before the question was shown, so they do not answer it. Esc is a key like any other: terminals
 * and firmware turn into it what they do not know (F1, Delete, Alt).
 */

#include "platform/stop.h"

#include "platform/clock.h"

#define SECOND UINT64_C(1000000000)

enum { KEYS_MAX = 256 }; /* of a look, should a keyboard never run out of them */

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
