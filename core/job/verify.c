#include "job/verify.h"

#include "job/scan.h"

_Static_assert((int)SCAN_RESULTS == (int)FINGERPRINT_PARTS && (int)SCAN_PIECE_BYTES <= (int)FINGERPRINT_PIECE_BYTES, "pieces fit");

struct reading {
	struct fingerprint print;
	uint64_t offset; /* of the disk, where the fingerprint begins */
};

static void work(const void *user, uint64_t offset, const uint8_t *bytes, size_t n, uint64_t ret[static SCAN_RESULTS])
{
	const struct reading *reading = user;

	fingerprint_part(&reading->print, offset - reading->offset, bytes, n, ret);
}

static void take(void *user, uint64_t offset, const uint8_t *bytes, uint64_t n, const uint64_t result[static SCAN_RESULTS])
{
	struct reading *reading = user;

	(void)n;
	if (bytes != NULL)
		fingerprint_add(&reading->print, offset - reading->offset, result);
}

enum status verify_disk(struct image *image, uint64_t offset, uint64_t n_bytes, const struct fingerprint *expected, struct progress *progress,
			struct error *err)
{
	struct reading reading = { .offset = offset };
	struct scan_job job = { .image = image, .offset = offset, .n_bytes = n_bytes, .work = work, .take = take, .user = &reading,
				.progress = progress };
	uint64_t at, n;
	enum status st = fingerprint_open(&reading.print, n_bytes, err);

	if (st == ST_OK)
		st = scan_disk(&job, err);
	if (st == ST_OK && !fingerprint_same(&reading.print, expected, &at, &n))
		st = fail(err, ST_MISMATCH, "%s: what was read back is not what was written: the first difference lies in the %ju bytes at "
			  "offset %ju of the disk", image->name, n, offset + at);
	fingerprint_close(&reading.print);
	return st;
}
