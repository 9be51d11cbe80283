/* SPDX-License-Identifier: BSD-2-Clause */
/* Panic, interruption and clock. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "host.h"
#include "platform/clock.h"
#include "platform/machine.h"
#include "platform/person.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

void interruption_catch(void)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
}

bool platform_cancelled(void)
{
	return interrupted != 0;
}

void platform_cancelled_forget(void)
{
	interrupted = 0;
}

/* Nobody is asked: SIGINT stops at once. */
void platform_cancel_ask(void (*show)(void *user, bool asked), void *user)
{
	(void)show;
	(void)user;
}

void platform_panic(const char *what, const char *file, int line)
{
	fflush(stdout);
	fprintf(stderr, "efi-img: a mistake in this program: \"%s\" does not hold at %s:%d\n", what,
		file, line);
	abort();
}

const char *platform_firmware(void)
{
	return "Linux";
}

void platform_end(enum ending ending)
{
	(void)ending; /* this machine is not efi-img's own */
}

void platform_tell(unsigned exit_code)
{
	(void)exit_code;
}

bool platform_time(int64_t *ret_unix_seconds, uint32_t *ret_nanoseconds)
{
	struct timespec now = { 0 };
	bool known = clock_gettime(CLOCK_REALTIME, &now) == 0;

	*ret_unix_seconds = now.tv_sec;
	*ret_nanoseconds = (uint32_t)now.tv_nsec;
	return known;
}

uint64_t platform_nanoseconds(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* Linux has it */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int32_t platform_utc_offset(int64_t unix_seconds)
{
	time_t moment = (time_t)unix_seconds;
	struct tm local;

	return localtime_r(&moment, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}
