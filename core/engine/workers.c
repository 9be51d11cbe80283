/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Work on other processors: a ring of work, filled by the boot processor, from which every
 * processor takes the next item by compare-and-exchange. No locks, because other processors may
 * call no firmware service: who has nothing to do waits for a sequence number to change
 * (platform_word_wait()). The boot processor takes work, too, while it waits.
 */
#include "engine/workers.h"

#include "base/check.h"
#include "base/memory.h"
#include "platform/processors.h"

/* Work takes milliseconds, on the slowest machines a second. */
enum { WORKER_TIMEOUT_MS = 30000 };

struct workers {
	size_t n;
	struct work *ring[WORK_MAX];
	atomic_uint_least32_t first, end; /* of what is in the ring, counted without bounds */
	atomic_uint_least32_t submit_seq; /* changes with each submission, and at the end */
	atomic_uint_least32_t done_seq;   /* changes with each piece of work that is done */
	atomic_bool stop;
};

/*
 * The next work that no processor has taken, or NULL. A place in the ring is not reused before its
 * work was waited for.
 */
static struct work *take(struct workers *workers)
{
	uint32_t at = atomic_load(&workers->first);
	struct work *work;

	do {
		if (at == atomic_load(&workers->end))
			return NULL;
		work = workers->ring[at % WORK_MAX];
	} while (!atomic_compare_exchange_weak(&workers->first, &at, at + 1));
	return work;
}

static void do_work(struct workers *workers, struct work *work, size_t worker)
{
	work->run(work, worker);
	atomic_store(&work->done, true);
	atomic_fetch_add(&workers->done_seq, 1);
	platform_word_wake(&workers->done_seq);
}

/* What another processor does all the time. */
static void serve(void *arg, size_t worker)
{
	struct workers *workers = arg;

	for (;;) {
		uint32_t seen = atomic_load(&workers->submit_seq);
		struct work *work;

		if (atomic_load(&workers->stop))
			return;
		work = take(workers);
		if (work != NULL)
			do_work(workers, work, worker);
		else
			/* without a limit of time, so it has come */
			(void)platform_word_wait(&workers->submit_seq, seen, 0);
	}
}

void workers_add(struct workers *workers, size_t least, size_t most)
{
	CHECK(workers->n == 0);
	workers->n = platform_processors_start(least, most, serve, workers);
}

enum status workers_start(struct workers **ret, struct error *err)
{
	struct workers *workers = mem_alloc(sizeof *workers);

	if (workers == NULL)
		return fail_no_memory(err);
	*ret = workers;
	return ST_OK;
}

static void announce(struct workers *workers)
{
	atomic_fetch_add(&workers->submit_seq, 1);
	platform_word_wake(&workers->submit_seq);
}

void workers_stop(struct workers *workers)
{
	if (workers == NULL)
		return;
	atomic_store(&workers->stop, true);
	announce(workers);
	if (workers->n > 0)
		platform_processors_stop();
	mem_free(workers);
}

size_t workers_count(const struct workers *workers)
{
	return workers->n;
}

void work_submit(struct workers *workers, struct work *work)
{
	uint32_t end = atomic_load(&workers->end);

	CHECK(end - atomic_load(&workers->first) < WORK_MAX);
	atomic_store(&work->done, false);
	workers->ring[end % WORK_MAX] = work;
	atomic_store(&workers->end, end + 1);
	announce(workers);
}

bool work_wait(struct workers *workers, struct work *work)
{
	for (;;) {
		uint32_t seen = atomic_load(&workers->done_seq);
		struct work *next;

		if (atomic_load(&work->done))
			return true;
		next = take(workers);
		if (next != NULL)
			do_work(workers, next, 0);
		else if (!platform_word_wait(&workers->done_seq, seen, WORKER_TIMEOUT_MS))
			return atomic_load(&work->done);
	}
}
