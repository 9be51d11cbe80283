/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process as the machine: SIGINT cancels, assertions abort, the clock is the system's. Linux is
 * not switched off or restarted by a script.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "host.h"
#include "platform/clock.h"
#include "platform/machine.h"
#include "platform/person.h"

static volatile sig_atomic_t interrupted; /* set by the signal handler */
static unsigned deferred;                 /* calls of platform_cancel_defer() that are open */

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
	return deferred == 0 && interrupted != 0;
}

void platform_cancel_defer(void)
{
	deferred++;
}

void platform_cancel_allow(void)
{
	CHECK(deferred > 0);
	deferred--;
}

void platform_cancelled_forget(void)
{
	interrupted = 0;
}

/* SIGINT stops at once, without a question. */
void platform_cancel_ask(void (*show)(void *user, bool asked), void *user)
{
	(void)show;
	(void)user;
}

/* No keys are read: the terminal is the shell's. */
void platform_other_keys(void (*take)(void *user, uint32_t key), void *user)
{
	(void)take;
	(void)user;
}

void platform_panic(const char *what, const char *file, int line)
{
	fflush(stdout);
	fprintf(stderr, "efi-img: internal error, please report it: %s:%d: %s\n", file, line, what);
	abort();
}

const char *platform_firmware(void)
{
	return "Linux";
}

const char *platform_model(void)
{
	return "";
}

enum secure_boot platform_secure_boot(void)
{
	return SECURE_BOOT_NONE;
}

void platform_end(enum ending ending)
{
	(void)ending; /* the machine is not efi-img's alone */
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

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* always there on Linux */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int32_t platform_utc_offset(int64_t unix_seconds)
{
	time_t moment = (time_t)unix_seconds;
	struct tm local;

	return localtime_r(&moment, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}
