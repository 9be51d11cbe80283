/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads in place of other processors (platform/processors.h), and futexes in place of spinning: a
 * thread that waits must not take a processor from one that works.
 */

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/range.h"
#include "platform/processors.h"

enum { THREADS_MAX = 16, STACK_BYTES = 128 << 10 };

static const int64_t NANOSECONDS = 1000000000; /* of a second */

/* The threads that platform_processors_start() has started. */
static struct thread {
	pthread_t id;
	size_t n;
	void (*run)(void *arg, size_t n);
	void *arg;
} threads[THREADS_MAX];
static size_t n_threads;

static void *run_thread(void *arg)
{
	struct thread *thread = arg;

	thread->run(thread->arg, thread->n);
	return NULL;
}

size_t platform_processors_start(size_t least, size_t most, void (*run)(void *arg, size_t n),
				 void *arg)
{
	cpu_set_t usable;
	sigset_t all, before;
	pthread_attr_t attributes;
	size_t others = sched_getaffinity(0, sizeof usable, &usable) == 0
				? (size_t)CPU_COUNT(&usable) - 1
				: 0;

	others = (size_t)min_u64(min_u64(most, others), THREADS_MAX);
	sigfillset(&all);
	if (others < least || pthread_attr_init(&attributes) != 0)
		return 0;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* Ctrl-C is for the first thread */
	for (n_threads = 0; n_threads < others; n_threads++) {
		struct thread *thread = &threads[n_threads];

		*thread = (struct thread){ .n = n_threads + 1, .run = run, .arg = arg };
		if (pthread_create(&thread->id, &attributes, run_thread, thread) != 0)
			break; /* continue with fewer */
	}
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n_threads;
}

void platform_processors_stop(void)
{
	while (n_threads > 0)
		pthread_join(threads[--n_threads].id, NULL);
}

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

/* FUTEX_WAIT compares the word with `seen` again, so that no change is missed. */
bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds)
{
	int64_t left = milliseconds * (NANOSECONDS / 1000), end = nanoseconds() + left;

	while (atomic_load(word) == seen) {
		struct timespec limit = { (time_t)(left / NANOSECONDS),
					  (long)(left % NANOSECONDS) };

		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, milliseconds > 0 ? &limit : NULL,
			NULL, 0);
		left = end - nanoseconds();
		if (milliseconds > 0 && left <= 0)
			return atomic_load(word) != seen;
	}
	return true;
}

void platform_word_wake(const atomic_uint_least32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
