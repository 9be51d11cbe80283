/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Other processors as threads. A processor can be told to stop in the middle of its work, as
 * firmware's can; the time that others wait for it is shortened. No other one is given up, however
 * busy this machine is.
 */
#include "processors.h"

#include <pthread.h>
#include <time.h>

#include "base/check.h"
#include "platform/processors.h"

enum { THREADS_MAX = 8, STOPPED_MS = 50 };

static struct thread {
	pthread_t id;
	size_t n;
	void (*run)(void *arg, size_t n);
	void *arg;
} threads[THREADS_MAX];
static size_t n_wanted, n_threads, n_started;
static bool cannot_read;
static atomic_uint waits_to_stop;
static atomic_bool stopping, one_stands;
static _Thread_local bool is_other;
static void (*given_up)(void);

void sim_processors(size_t n)
{
	n_wanted = n < THREADS_MAX ? n : THREADS_MAX;
}

void sim_processors_read(bool can)
{
	cannot_read = !can;
}

size_t sim_processors_started(void)
{
	size_t n = n_started;

	n_started = 0;
	return n;
}

void sim_processor_stops(unsigned n)
{
	atomic_store(&waits_to_stop, n);
}

void sim_processor_given_up(void (*act)(void))
{
	given_up = act;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

static void *run_thread(void *arg)
{
	struct thread *thread = arg;

	is_other = true;
	thread->run(thread->arg, thread->n);
	return NULL;
}

size_t platform_processors_start(size_t least, size_t most, void (*run)(void *arg, size_t n),
				 void *arg)
{
	atomic_store(&stopping, false);
	atomic_store(&one_stands, false);
	if (n_wanted < least)
		return 0;
	for (n_threads = 0; n_threads < n_wanted && n_threads < most; n_threads++) {
		struct thread *thread = &threads[n_threads];

		*thread = (struct thread){ .n = n_threads + 1, .run = run, .arg = arg };
		if (pthread_create(&thread->id, NULL, run_thread, thread) != 0)
			platform_panic("pthread_create() works", __FILE__, __LINE__);
	}
	n_started += n_threads;
	return n_threads;
}

void platform_processors_stop(void)
{
	atomic_store(&stopping, true);
	while (n_threads > 0)
		pthread_join(threads[--n_threads].id, NULL);
}

bool sim_processors_can_read(void)
{
	return n_wanted > 0 && !cannot_read;
}

void sim_processor_works(void)
{
	unsigned left = atomic_load(&waits_to_stop);

	if (!is_other || left == 0)
		return;
	while (!atomic_compare_exchange_weak(&waits_to_stop, &left, left - 1))
		if (left == 0)
			return;
	if (left == 1)
		atomic_store(&one_stands, true);
	while (left == 1 && !atomic_load(&stopping))
		nap();
}

static int64_t milliseconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Time goes faster here: who is waited for in vain is given up soon. */
bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds)
{
	int64_t end = milliseconds_now() + STOPPED_MS;

	while (atomic_load(word) == seen) {
		if (milliseconds > 0 && atomic_load(&one_stands) && milliseconds_now() >= end) {
			if (given_up != NULL)
				given_up();
			return false;
		}
		nap();
	}
	return true;
}

void platform_word_wake(const atomic_uint_least32_t *word)
{
	(void)word;
}
