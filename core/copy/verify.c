/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a target back and compares its fingerprint with that of the data that was read from the
 * sources. Only what the target itself stores is read: data of its backing files was not copied.
 */
#include "copy/verify.h"

#include "base/memory.h"
#include "base/range.h"
#include "engine/scan.h"

_Static_assert((int)SCAN_RESULTS == (int)FINGERPRINT_PARTS &&
		       (int)SCAN_PIECE_BYTES <= (int)FINGERPRINT_PIECE_BYTES,
	       "pieces fit");

/* What is being read back. */
struct reading {
	struct fingerprint print;
	const struct observers *observers;
};

static void work(const void *user, uint64_t offset, const uint8_t *bytes, size_t n,
		 uint64_t ret[static SCAN_RESULTS])
{
	memset(ret, 0, FINGERPRINT_PARTS * sizeof *ret);
	fingerprint_part(&((const struct reading *)user)->print, offset, offset, bytes, n, ret);
}

static void take(void *user, uint64_t offset, const uint8_t *bytes, uint64_t n,
		 const uint64_t result[static SCAN_RESULTS])
{
	struct reading *reading = user;

	if (bytes != NULL)
		fingerprint_add(&reading->print, offset, result);
	observers_read_back(reading->observers, offset + n);
}

enum status verify_disk(struct image *image, const struct fingerprint *expected,
			const struct used_map *used, const struct observers *observers,
			struct progress *progress, struct error *err)
{
	const struct observer *chooser = observers_with_next(observers);
	struct reading reading = { .observers = observers };
	struct scan_job job = { .image = image,
				.n_bytes = expected->size,
				.own = true,
				.used = used,
				.work = work,
				.take = take,
				.user = &reading,
				.progress = progress };
	uint64_t at = 0, seen = 0, n, end = expected->size;
	enum status st = fingerprint_open(&reading.print, expected->size, err);

	if (st != ST_OK)
		return st;
	progress_phase(progress, "verifying", expected->size);
	while (st == ST_OK && at < expected->size &&
	       (chooser == NULL || chooser->ops->next(chooser, &at, &end))) {
		job.offset = min_u64(at, expected->size);
		job.n_bytes = min_u64(end, expected->size) - job.offset;
		progress_skip(progress, job.offset - seen);
		seen = job.offset + job.n_bytes;
		st = scan_disk(&job, err);
		at = end;
	}
	if (st == ST_OK)
		progress_skip(progress, expected->size - seen);
	if (st == ST_OK && !fingerprint_same(&reading.print, expected, &at, &n))
		st = fail(err, ST_MISMATCH,
			  "%s: verification failed: the first difference from the source is in the "
			  "%ju bytes at offset %ju of the disk",
			  image->name, n, at);
	fingerprint_close(&reading.print);
	return st;
}
