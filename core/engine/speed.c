/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Measures how fast a disk is read or written: requests of one size, one after the other, at
 * regular places, through the same functions as everything else, so that the number is the one that
 * a copy meets.
 */
#include "engine/speed.h"

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/person.h"

static enum status request(const struct speed_job *job, uint64_t offset, uint8_t *buf, uint64_t n,
			   struct error *err)
{
	enum status st = job->write ? blk_write(&job->image->blk, offset, buf, job->bytes)
				    : blk_read(&job->image->blk, offset, buf, job->bytes);

	if (st == ST_OK && job->flush_every > 0 && (n + 1) % job->flush_every == 0)
		st = blk_flush(&job->image->blk);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: %s %zu bytes at offset %ju: %s", job->image->name,
				  job->write ? "writing" : "reading", job->bytes, offset,
				  status_text(st));
}

enum status speed_run(const struct speed_job *job, struct speed *ret, struct error *err)
{
	uint64_t size = job->image->size, at = job->offset, start, n = 0;
	enum status st = ST_OK;
	uint8_t *buf;

	if (job->bytes > size)
		return fail(err, ST_INVALID,
			    "%s: its disk of %ju bytes is smaller than a request of %zu",
			    job->image->name, size, job->bytes);
	buf = io_alloc(job->bytes);
	if (buf == NULL)
		return fail_no_memory(err);
	memset(buf, job->pattern, job->bytes);
	start = platform_nanoseconds();
	for (; st == ST_OK && n < job->count; n++) {
		if (job->limit_ns > 0 && platform_nanoseconds() - start >= job->limit_ns)
			break;
		if (at > size - job->bytes)
			at %= size - job->bytes + 1;
		if (platform_cancelled())
			st = fail(err, ST_CANCELLED, "%s: stopped after %ju requests",
				  job->image->name, n);
		else
			st = request(job, at, buf, n, err);
		at += job->step;
	}
	*ret = (struct speed){ .count = n, .nanoseconds = platform_nanoseconds() - start };
	io_free(buf, job->bytes);
	return st;
}
