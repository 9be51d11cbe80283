/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes wrong on the simulated volume: the n-th call fails, all from the n-th on fail, a write
 * is lost without an error, bytes cannot be read. Calls are counted under a lock, since several
 * processors may read.
 */
#include "volume_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static unsigned calls_to_failure;
static enum status failure;
static bool failed, leaves, gone; /* gone: by an earlier call than this one */
static unsigned writes_to_loss;
static bool lost;
static struct {
	char name[32];
	uint64_t offset, end;
} bad[SIM_BAD_MAX];
static unsigned n_bad, n_bad_reads;

void sim_volume_fail(unsigned n, enum status status)
{
	calls_to_failure = n;
	failure = status;
	failed = leaves = gone = false;
}

void sim_volume_leave(unsigned n, enum status status)
{
	sim_volume_fail(n, status);
	leaves = true;
}

bool sim_volume_failed(void)
{
	return failed;
}

void sim_volume_lose(unsigned n)
{
	writes_to_loss = n;
	lost = false;
}

bool sim_volume_lost(void)
{
	return lost;
}

static enum status count_call(void)
{
	gone = leaves && failed;
	if (calls_to_failure == 0 || --calls_to_failure > 0)
		return ST_OK;
	calls_to_failure = leaves ? 1 : 0;
	failed = true;
	return failure;
}

/* Other processors may read. */
enum status volume_call(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	enum status st;

	pthread_mutex_lock(&lock);
	st = count_call();
	pthread_mutex_unlock(&lock);
	return st;
}

bool volume_is_gone(void)
{
	return gone;
}

bool volume_loses_write(void)
{
	if (writes_to_loss == 0 || --writes_to_loss > 0)
		return false;
	lost = true;
	return true;
}

void sim_volume_bad(const char *name, uint64_t offset, uint64_t n)
{
	if (n_bad == SIM_BAD_MAX)
		abort();
	strcpy(bad[n_bad].name, name);
	bad[n_bad].offset = offset;
	bad[n_bad++].end = offset + n;
}

unsigned sim_volume_bad_reads(void)
{
	return n_bad_reads;
}

bool volume_is_bad(const struct sim_file *file, uint64_t offset, size_t len)
{
	for (unsigned i = 0; i < n_bad; i++)
		if (strcmp(bad[i].name, file->name) == 0 && offset < bad[i].end &&
		    bad[i].offset < offset + len) {
			n_bad_reads++;
			return true;
		}
	return false;
}

void volume_forget_bad(void)
{
	n_bad = n_bad_reads = 0;
}
