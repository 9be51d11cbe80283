/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The engine's loop: whatever the number of processors, pieces are finished once each, in the order
 * in which they were filled, after their work; an error, the end, or a person ends it, and every
 * slot is freed.
 */
#include "engine/pipeline.h"
#include "processors.h"
#include "unit.h"
#include "volume.h"

enum { N = 200 };

struct piece {
	struct slot slot;
	unsigned number, square;
};

struct job {
	unsigned n, filled, finished;
	unsigned fill_fails, finish_fails; /* at this piece; N: never */
	unsigned cancelled_at;             /* number of the first piece then; N: none */
	atomic_uint slots;
	struct pipeline line;
};

static struct slot *create(void *user)
{
	struct job *job = user;
	struct piece *piece = calloc(1, sizeof *piece);

	assert_non_null(piece);
	job->slots++;
	return &piece->slot;
}

static enum status copy(struct slot *to, const struct slot *from)
{
	((struct piece *)to)->number = ((const struct piece *)from)->number;
	return ST_OK;
}

static void release(struct slot *slot, void *user)
{
	((struct job *)user)->slots--;
	free(slot);
}

static enum status failed(enum status st, struct error *err)
{
	error_set(err, "failed");
	return st;
}

static enum status fill(void *user, struct slot *slot, bool *ret_filled, struct error *err)
{
	struct job *job = user;
	struct piece *piece = (struct piece *)slot;

	*ret_filled = job->filled < job->n;
	if (!*ret_filled)
		return ST_OK;
	if (job->filled == job->fill_fails)
		return failed(ST_IO, err);
	piece->number = job->filled++;
	piece->square = 0;
	slot->has_work = piece->number % 5 != 4;
	slot->expensive = true;
	return ST_OK;
}

static void work(struct work *its_work, size_t worker)
{
	struct piece *piece = (struct piece *)its_work;

	assert_true(worker <= PIPELINE_WORKERS_MAX);
	sim_processor_works();
	piece->square = piece->number * piece->number;
}

static enum status finish(void *user, struct slot *slot, struct error *err)
{
	struct job *job = user;
	const struct piece *piece = (const struct piece *)slot;

	assert_int_equal(piece->number, job->finished);
	assert_int_equal(piece->square, slot->has_work ? piece->number * piece->number : 0);
	if (job->finished == job->finish_fails)
		return failed(ST_NO_SPACE, err);
	job->finished++;
	return ST_OK;
}

static void cancelled(void *user, const struct slot *first, struct error *err)
{
	struct job *job = user;

	job->cancelled_at = first != NULL ? ((const struct piece *)first)->number : N;
	error_set(err, "cancelled");
}

static const struct pipeline_ops ops = { create, copy, release, fill, work, finish, cancelled };

/* One run with so many other processors. */
static enum status run_job(struct job *job, size_t others, struct error *err)
{
	enum status st;

	sim_processors(others);
	st = pipeline_start(&job->line, 1 << 30, 0, false, EFFORT_PACK, err);
	if (st == ST_OK)
		st = pipeline_run(&job->line, &ops, job, NULL, err);
	pipeline_close(&job->line);
	assert_int_equal(job->slots, 0);
	sim_processors(0);
	return st;
}

static struct job job_of(unsigned n)
{
	return (struct job){ .n = n, .fill_fails = N, .finish_fails = N, .cancelled_at = N };
}

static void in_order(void **state)
{
	(void)state;
	for (size_t others = 0; others <= 4; others++)
		for (unsigned n = 0; n <= N; n += n < 20 ? 1 : 45) {
			struct job job = job_of(n);
			struct error err;

			assert_ok(run_job(&job, others, &err));
			assert_int_equal(job.filled, n);
			assert_int_equal(job.finished, n);
		}
}

/* What was filled before a failure to fill is not finished; what comes after a failure to finish,
 * neither. */
static void errors(void **state)
{
	(void)state;
	for (size_t others = 0; others <= 3; others++)
		for (unsigned at = 0; at < 30; at++) {
			struct job job = job_of(N);
			struct error err;

			job.fill_fails = at;
			assert_int_equal(run_job(&job, others, &err), ST_IO);
			assert_true(job.filled == at && job.finished <= at);
			job = job_of(N);
			job.finish_fails = at;
			assert_int_equal(run_job(&job, others, &err), ST_NO_SPACE);
			assert_true(job.finished == at && job.filled > at);
		}
}

/* The person stops it at each question; the words are about the first piece not finished. */
static void stopped(void **state)
{
	(void)state;
	for (size_t others = 0; others <= 2; others += 2)
		for (unsigned n = 1; n < 60; n++) {
			struct job job = job_of(N);
			struct error err;

			sim_cancel(n);
			assert_int_equal(run_job(&job, others, &err), ST_CANCELLED);
			sim_cancel(0);
			assert_string_equal(err.text, "cancelled");
			assert_true(job.cancelled_at == job.finished ||
				    (job.cancelled_at == N && job.finished == job.filled));
		}
}

/* The work of a processor that stops responding is done by another one, once. */
static void one_stops(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 12; n++) {
		struct job job = job_of(N);
		struct error err;

		sim_processors(3);
		sim_processor_stops(n);
		assert_ok(run_job(&job, 3, &err));
		assert_int_equal(job.finished, N);
	}
}

/* As long as a slot allows, but never shorter than a unit. */
static void piece_bytes(void **state)
{
	(void)state;
	assert_int_equal(pipeline_piece_bytes(1, 0), PIPELINE_SLOT_BYTES);
	for (size_t n = 1; n <= 8; n++) {
		size_t bytes = pipeline_piece_bytes(n, 512);

		assert_row(bytes * n <= PIPELINE_SLOT_BYTES && 2 * bytes * n > PIPELINE_SLOT_BYTES,
			   n);
		assert_row((bytes & (bytes - 1)) == 0, n);
		assert_row(pipeline_piece_bytes(n, 2 << 20) == 2 << 20, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),    cmocka_unit_test(errors),
		cmocka_unit_test(stopped),     cmocka_unit_test(one_stops),
		cmocka_unit_test(piece_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
