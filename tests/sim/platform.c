/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory, panic, the person at the machine, and the clock of the simulated platform. Allocations
 * are counted, and one can be made to fail; buffers of io_alloc() are filled with garbage and
 * remember their size, to be compared when they are freed.
 */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/version.h"
#include "pages.h"
#include "platform/clock.h"
#include "platform/machine.h"
#include "platform/person.h"
#include "platform/stop.h"
#include "sim.h"

enum { PAGE_BYTES = 4096, UNDEFINED = 0xa5 };

/* The same in every build, so that screens and logs can be compared with what they must be. */
const char program_version[] = "0.1.0", program_processor[] = "x86_64",
	   program_build[] = "2ae6d0c2e9c5b7f3a1d4e8f60912b3c4d5e6f708",
	   libdeflate_version[] = "1.14", zstd_version[] = "1.5.4", bzip2_version[] = "1.0.8";

static unsigned calls_to_failure, calls_to_cancel;
static unsigned deferred; /* calls of platform_cancel_defer() that are open */
static bool failed, cancelled;
static size_t n_live, live_bytes, peak_bytes;
static int64_t now_seconds;
static uint32_t now_nanoseconds;
static enum ending ending;
static enum secure_boot secure_boot;
static int told = -1;
static uint64_t clock_now, clock_step = 1000000;
static unsigned calls_to_press;
static const char *pressed = "";
static void (*shower)(void *user, bool asked), (*looker)(void *user);
static void *shower_user, *looker_user;

void sim_fail_allocation(unsigned n)
{
	calls_to_failure = n;
	failed = false;
}

bool sim_allocation_failed(void)
{
	return failed;
}

size_t sim_allocations(void)
{
	return n_live;
}

void sim_peak_restart(void)
{
	peak_bytes = live_bytes;
}

size_t sim_peak_bytes(void)
{
	return peak_bytes;
}

static void *take(void *p, size_t n)
{
	n_live += p != NULL;
	live_bytes += n;
	if (live_bytes > peak_bytes)
		peak_bytes = live_bytes;
	return p;
}

static void give_back(void *p, size_t n)
{
	n_live -= p != NULL;
	live_bytes -= n;
}

static bool is_to_fail(void)
{
	if (calls_to_failure == 0 || --calls_to_failure > 0)
		return false;
	failed = true;
	return true;
}

/*
 * Whether pages_new() makes an allocation. It has to be told the size when that is freed: only the
 * sanitizer's malloc_usable_size() is what was asked for, that of a C library is more. And of the
 * lengths that are kept, only powers of two are not rounded up.
 */
static bool is_in_pages(size_t n)
{
#ifdef __SANITIZE_ADDRESS__
	return n >= PAGES_LEAST && is_power_of_two(n);
#else
	(void)n;
	return false;
#endif
}

void *mem_alloc(size_t n)
{
	void *p;

	if (is_to_fail())
		return NULL;
	p = is_in_pages(n) ? memset(pages_new(n), 0, n) : calloc(n > 0 ? n : 1, 1);
	return take(p, malloc_usable_size(p));
}

void mem_free(void *p)
{
	size_t n = malloc_usable_size(p);

	give_back(p, n);
	if (is_in_pages(n))
		pages_free(p, n);
	else
		free(p);
}

/* A page before the buffer keeps its size, to be compared when it is freed. */
void *io_alloc(size_t n)
{
	void *p;

	if (n == 0)
		platform_panic("io_alloc() of something", __FILE__, __LINE__);
	if (is_to_fail())
		return NULL;
	p = take(pages_new(PAGE_BYTES + n), PAGE_BYTES + n);
	memcpy(p, &n, sizeof n);
	return memset((char *)p + PAGE_BYTES, UNDEFINED, n);
}

void io_free(void *p, size_t n)
{
	size_t allocated;

	if (p == NULL)
		return;
	p = (char *)p - PAGE_BYTES;
	memcpy(&allocated, p, sizeof allocated);
	if (allocated != n)
		platform_panic("io_free() with the size of io_alloc()", __FILE__, __LINE__);
	give_back(p, PAGE_BYTES + n);
	pages_free(p, PAGE_BYTES + n);
}

void platform_panic(const char *what, const char *file, int line)
{
	fprintf(stderr, "panic: \"%s\" does not hold at %s:%d\n", what, file, line);
	abort();
}

void sim_cancel(unsigned n)
{
	calls_to_cancel = n;
	cancelled = false;
}

bool sim_was_cancelled(void)
{
	return cancelled;
}

void sim_press(unsigned n, const char *keys, void (*look)(void *user), void *user)
{
	calls_to_press = n;
	pressed = keys;
	looker = look;
	looker_user = user;
}

const char *sim_pressed_left(void)
{
	return pressed;
}

/* One key a call, or all up to a blank. */
static uint32_t next_pressed(void *user)
{
	(void)user;
	for (; calls_to_press == 0 && *pressed == '\7'; pressed++)
		looker(looker_user);
	if (calls_to_press > 0 || *pressed == '\0' || *pressed == ' ')
		return 0;
	return (unsigned char)*pressed++;
}

static void show_question(void *user, bool asked)
{
	(void)user;
	if (shower != NULL)
		shower(shower_user, asked);
}

static struct stop stop = { .show = show_question, .next = next_pressed };

/* A person who was asked, or one whose Ctrl-C stops at once. */
bool platform_cancelled(void)
{
	if (deferred > 0)
		return false;
	if (calls_to_cancel > 0 && --calls_to_cancel == 0)
		cancelled = true;
	if (calls_to_press > 0)
		calls_to_press--;
	else if (*pressed == ' ')
		pressed++;
	return stop_look(&stop) || cancelled;
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
	cancelled = false;
	stop_forget(&stop);
}

void platform_cancel_ask(void (*show)(void *user, bool asked), void *user)
{
	shower = show;
	shower_user = user;
}

void platform_other_keys(void (*taker)(void *user, uint32_t key), void *user)
{
	stop.other = taker;
	stop.other_user = user;
}

void sim_time(int64_t unix_seconds, uint32_t nanoseconds)
{
	now_seconds = unix_seconds;
	now_nanoseconds = nanoseconds;
}

const char *platform_firmware(void)
{
	return "simulated";
}

const char *platform_model(void)
{
	return "Simulated Bench 5";
}

void sim_secure_boot(enum secure_boot state)
{
	secure_boot = state;
}

enum secure_boot platform_secure_boot(void)
{
	return secure_boot;
}

void platform_end(enum ending how)
{
	ending = how;
}

enum ending sim_ending(void)
{
	return ending;
}

void platform_tell(unsigned exit_code)
{
	told = (int)exit_code;
}

int sim_told(void)
{
	int ret = told;

	told = -1;
	return ret;
}

bool platform_time(int64_t *ret_unix_seconds, uint32_t *ret_nanoseconds)
{
	*ret_unix_seconds = now_seconds;
	*ret_nanoseconds = now_nanoseconds;
	return now_seconds != 0;
}

void sim_clock_step(uint64_t nanoseconds)
{
	clock_step = nanoseconds;
}

void sim_clock_pass(uint64_t nanoseconds)
{
	clock_now += nanoseconds;
}

uint64_t platform_nanoseconds(void)
{
	clock_now += clock_step;
	return clock_now;
}

int32_t platform_utc_offset(int64_t unix_seconds)
{
	(void)unix_seconds;
	return 0;
}
