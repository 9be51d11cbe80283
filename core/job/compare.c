#include "job/compare.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "job/status.h"

enum { PIECE_BYTES = 1 << 20, SECTOR_BYTES = 512 };

/* One of the disks, as the comparison goes along it. */
struct side {
	struct image *image;
	struct disk_status status; /* of what comes next; its length 0: not asked yet */
	uint8_t *buf;
	size_t n_zeros;            /* so many bytes at the beginning of `buf` are zeros */
};

/* Makes side->status count at `at`. Behind its end a disk is zeros. */
static enum compare_outcome look(const struct comparison *comparison, struct side *side, uint64_t at, struct error *err)
{
	uint64_t size = side->image->size;
	enum status st;

	if (side->status.length > 0)
		return COMPARE_SAME;
	if (at >= size) {
		side->status = (struct disk_status){ .length = UINT64_MAX, .zero = true, .image = side->image };
		return COMPARE_SAME;
	}
	st = comparison->strict ? disk_status_sliced(side->image, at, size - at, &side->status)
				: disk_status(side->image, at, size - at, &side->status);
	if (st == ST_OK)
		return COMPARE_SAME;
	error_set(err, "%s: looking at what is at offset %ju: %s", side->image->name, at, status_text(st));
	return COMPARE_NO_STATUS;
}

/* ---- strict ------------------------------------------------------------------------------------------------------- */

/* Zeros past the end of a backing file count as allocated by it. */
static bool is_allocated(const struct disk_status *status)
{
	return status->present || status->image->backing != NULL;
}

/* Whether it goes on to the end of the disk, or to that of the last image if none has anything there. */
static bool is_last(const struct side *side, uint64_t at)
{
	uint64_t end = at + side->status.length;

	return end == side->image->size || (!side->status.present && end == side->status.image->size);
}

/*
 * Whether both have the same allocated: nothing, zeros, data with a place of its own, compressed data. qemu-img compares
 * all flags that it has, and so calls some disks different that are only fragmented differently; is_last() is here to
 * say the same.
 */
static bool is_alike(const struct side side[], uint64_t at)
{
	const struct disk_status *a = &side[0].status, *b = &side[1].status;

	return a->data == b->data && a->zero == b->zero && a->has_offset == b->has_offset &&
	       is_allocated(a) == is_allocated(b) && is_last(&side[0], at) == is_last(&side[1], at);
}

/* ---- contents ----------------------------------------------------------------------------------------------------- */

/* Gets the `n` bytes at `at` into side->buf. */
static enum compare_outcome fetch(struct side *side, uint64_t at, size_t n, struct error *err)
{
	enum status st;

	if (side->status.zero) {
		if (side->n_zeros < n)
			memset(side->buf + side->n_zeros, 0, n - side->n_zeros);
		side->n_zeros = n > side->n_zeros ? n : side->n_zeros;
		return COMPARE_SAME;
	}
	side->n_zeros = 0;
	st = blk_read(&side->image->blk, at, side->buf, n);
	if (st == ST_OK)
		return COMPARE_SAME;
	error_set(err, "%s: reading %zu bytes at offset %ju: %s", side->image->name, n, at, status_text(st));
	return COMPARE_NO_DATA;
}

/* The index of the first byte that differs, `n` if none does. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	if (memcmp(a, b, n) == 0)
		return n;
	while (n - i > SECTOR_BYTES && memcmp(a + i, b + i, SECTOR_BYTES) == 0)
		i += SECTOR_BYTES;
	while (a[i] == b[i])
		i++;
	return i;
}

static enum compare_outcome compare_piece(struct side side[], uint64_t at, size_t n, uint64_t *ret_offset,
					  struct error *err)
{
	enum compare_outcome outcome = fetch(&side[0], at, n, err);
	size_t same;

	if (outcome == COMPARE_SAME)
		outcome = fetch(&side[1], at, n, err);
	if (outcome != COMPARE_SAME)
		return outcome;
	same = first_difference(side[0].buf, side[1].buf, n);
	if (same == n)
		return COMPARE_SAME;
	*ret_offset = round_down(at + same, SECTOR_BYTES);
	return COMPARE_CONTENT;
}

static enum compare_outcome compare_between(const struct comparison *comparison, struct side side[], uint64_t at,
					    uint64_t end, uint64_t *ret_offset, struct error *err)
{
	enum compare_outcome outcome = COMPARE_SAME;

	while (at < end) {
		struct disk_status *a = &side[0].status, *b = &side[1].status;
		uint64_t n;

		if (platform_cancelled()) {
			error_set(err, "stopped at offset %ju; what is in front of it is the same", at);
			return COMPARE_NO_DATA;
		}
		outcome = look(comparison, &side[0], at, err);
		if (outcome == COMPARE_SAME)
			outcome = look(comparison, &side[1], at, err);
		if (outcome != COMPARE_SAME)
			break;
		if (comparison->strict && !is_alike(side, at)) {
			*ret_offset = at;
			return COMPARE_STATUS;
		}
		n = min_u64(min_u64(a->length, b->length), end - at);
		if (!a->zero || !b->zero) {
			n = min_u64(n, PIECE_BYTES);
			outcome = compare_piece(side, at, (size_t)n, ret_offset, err);
			if (outcome != COMPARE_SAME)
				break;
		}
		a->length -= n;
		b->length -= n;
		at += n;
		progress_advance(comparison->progress, n);
	}
	return outcome;
}

static enum compare_outcome compare_range(const struct comparison *comparison, uint64_t start, uint64_t end,
					  uint64_t *ret_offset, struct error *err)
{
	struct side side[2];
	enum compare_outcome outcome = COMPARE_NO_DATA;

	for (size_t i = 0; i < 2; i++)
		side[i] = (struct side){ .image = comparison->disk[i], .buf = io_alloc(PIECE_BYTES) };
	if (side[0].buf != NULL && side[1].buf != NULL)
		outcome = compare_between(comparison, side, start, end, ret_offset, err);
	else
		error_set(err, "%s", status_text(ST_NO_MEMORY));
	for (size_t i = 0; i < 2; i++)
		io_free(side[i].buf, PIECE_BYTES);
	return outcome;
}

enum compare_outcome compare_common(const struct comparison *comparison, uint64_t *ret_offset, struct error *err)
{
	uint64_t end = min_u64(comparison->disk[0]->size, comparison->disk[1]->size);

	return compare_range(comparison, 0, end, ret_offset, err);
}

enum compare_outcome compare_rest(const struct comparison *comparison, uint64_t *ret_offset, struct error *err)
{
	uint64_t start = min_u64(comparison->disk[0]->size, comparison->disk[1]->size);
	uint64_t end = max_u64(comparison->disk[0]->size, comparison->disk[1]->size);

	return compare_range(comparison, start, end, ret_offset, err);
}
