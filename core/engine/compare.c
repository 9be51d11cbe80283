/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot processor goes along both disks, looks up what they have and reads it; other processors
 * decompress and compare, a piece each. The first difference is reported nevertheless: pieces
 * are waited for in their order.
 */
#include "engine/compare.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "engine/pipeline.h"

enum { SECTOR_BYTES = 512 };

/* One of the disks, as the comparison goes along it. */
struct side {
	struct image *image;
	struct disk_range range; /* of what comes next; its length 0: not asked yet */
};

/* A range that is compared. */
struct piece {
	struct slot slot;
	const struct unpacker *unpacker; /* of each processor */
	uint64_t at;
	size_t n;
	bool zero[2]; /* zeros on that side, which are not fetched */
	struct fetch fetch[2];
	enum status st_read[2]; /* of what the boot processor did */
	enum status st[2];      /* of all of it */
	size_t same;            /* so many bytes are, if both could be read */
};

struct run {
	const struct comparison *comparison;
	struct side side[2];
	size_t piece_bytes;
	uint64_t at, end;           /* of the range, what was not looked at so far */
	enum compare_outcome ahead; /* of what lies at `at` */
	enum compare_outcome
		outcome; /* of everything before the first piece that is not finished */
	uint64_t offset; /* of what differs */
	struct pipeline line;
};

/* Makes side->status count at `at`. Past its end a disk reads as zeros. */
static enum compare_outcome look(const struct comparison *comparison, struct side *side,
				 uint64_t at, struct error *err)
{
	uint64_t size = side->image->size;
	enum status st;

	if (side->range.length > 0)
		return COMPARE_SAME;
	if (at >= size) {
		side->range = (struct disk_range){ .length = UINT64_MAX,
						   .zero = true,
						   .image = side->image };
		return COMPARE_SAME;
	}
	st = comparison->strict ? disk_map_at_sliced(side->image, at, size - at, &side->range)
				: disk_map_at(side->image, at, size - at, &side->range);
	if (st == ST_OK)
		return COMPARE_SAME;
	error_set(err, "%s: reading the map at offset %ju: %s", side->image->name, at,
		  status_text(st));
	return COMPARE_NO_MAP;
}

/* ---- strict ---- */

/* Zeros past the end of a backing file count as allocated by it. */
static bool is_allocated(const struct disk_range *range)
{
	return range->present || range->image->backing != NULL;
}

/*
 * Whether it extends to the end of the disk, or to that of the last image if none has anything
 * there.
 */
static bool is_last(const struct side *side, uint64_t at)
{
	uint64_t end = at + side->range.length;

	return end == side->image->size || (!side->range.present && end == side->range.image->size);
}

/*
 * Whether both have the same allocated: nothing, zeros, data with a place of its own, compressed
 * data. qemu-img compares all flags that it has, and so calls some disks different that are only
 * fragmented differently; is_last() is here to do the same.
 */
static bool is_alike(const struct side side[], uint64_t at)
{
	const struct disk_range *a = &side[0].range, *b = &side[1].range;

	return a->data == b->data && a->zero == b->zero && a->has_offset == b->has_offset &&
	       is_allocated(a) == is_allocated(b) && is_last(&side[0], at) == is_last(&side[1], at);
}

/* ---- contents ---- */

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

static size_t first_not_zero(const uint8_t *bytes, size_t n)
{
	size_t i = 0;

	if (is_zero(bytes, n))
		return n;
	while (bytes[i] == 0)
		i++;
	return i;
}

/* On any processor. */
static void compare_piece(struct work *work, size_t worker)
{
	struct piece *piece = (struct piece *)work;

	for (size_t i = 0; i < 2; i++) {
		piece->st[i] = piece->st_read[i];
		if (piece->st[i] == ST_OK && !piece->zero[i])
			piece->st[i] = fetch_finish(&piece->fetch[i], &piece->unpacker[worker]);
	}
	if (piece->st[0] != ST_OK || piece->st[1] != ST_OK)
		return;
	if (piece->zero[0] || piece->zero[1])
		piece->same = first_not_zero(piece->fetch[piece->zero[0]].bytes, piece->n);
	else
		piece->same = first_difference(piece->fetch[0].bytes, piece->fetch[1].bytes,
					       piece->n);
}

static enum compare_outcome not_read(const struct run *run, const struct piece *piece, size_t i,
				     struct error *err)
{
	error_set(err, "%s: reading %zu bytes at offset %ju: %s", run->side[i].image->name,
		  piece->n, piece->at, status_text(piece->st[i]));
	return COMPARE_NO_DATA;
}

/* Cuts off the first `n` bytes. */
static void advance(struct disk_range *range, uint64_t n)
{
	range->length -= n;
	range->offset += range->compressed ? 0 : n;
}

/*
 * What both sides have at `at`, as far as each has the same kind of thing up to `end`: *ret_n
 * bytes.
 */
static enum compare_outcome look_both(struct run *run, uint64_t at, uint64_t end, uint64_t *ret_n,
				      uint64_t *ret_offset, struct error *err)
{
	enum compare_outcome outcome = look(run->comparison, &run->side[0], at, err);

	if (outcome == COMPARE_SAME)
		outcome = look(run->comparison, &run->side[1], at, err);
	if (outcome != COMPARE_SAME)
		return outcome;
	if (run->comparison->strict && !is_alike(run->side, at)) {
		*ret_offset = at;
		return COMPARE_ALLOCATION;
	}
	*ret_n = min_u64(min_u64(run->side[0].range.length, run->side[1].range.length), end - at);
	return COMPARE_SAME;
}

/*
 * Adds the next `n` bytes of both sides. What cannot be read comes to light when the piece's turn
 * is.
 */
static void add(struct run *run, struct piece *piece, uint64_t n)
{
	for (size_t i = 0; i < 2; i++) {
		struct disk_range *range = &run->side[i].range;

		if (piece->st_read[i] == ST_OK && !piece->zero[i])
			piece->st_read[i] = fetch_add(&piece->fetch[i], range, piece->at + piece->n,
						      (size_t)n);
		advance(range, n);
	}
	piece->n += (size_t)n;
}

/*
 * Begins with the piece from `at` on: zeros on both sides, or as much as goes into the buffers and
 * is zeros on the same sides. An outcome that is not SAME counts if everything before `at` is; a
 * piece before of such a place ends there.
 */
static enum compare_outcome read_piece(struct run *run, struct piece *piece, uint64_t at,
				       uint64_t end, uint64_t *ret_offset, struct error *err)
{
	uint64_t n;
	enum compare_outcome outcome = look_both(run, at, end, &n, ret_offset, err);

	if (outcome != COMPARE_SAME)
		return outcome;
	piece->at = at;
	piece->n = 0;
	for (size_t i = 0; i < 2; i++) {
		piece->zero[i] = run->side[i].range.zero;
		piece->st_read[i] = ST_OK;
		fetch_begin(&piece->fetch[i]);
	}
	piece->slot.has_work = !piece->zero[0] || !piece->zero[1];
	if (!piece->slot.has_work) {
		add(run, piece, n);
		return COMPARE_SAME;
	}
	end = min_u64(end, at + run->piece_bytes);
	do {
		add(run, piece, min_u64(n, end - at - piece->n));
		if (at + piece->n == end)
			break;
		outcome = look_both(run, at + piece->n, end, &n, ret_offset, err);
	} while (outcome == COMPARE_SAME && run->side[0].range.zero == piece->zero[0] &&
		 run->side[1].range.zero == piece->zero[1]);
	for (size_t i = 0; i < 2; i++)
		if (piece->st_read[i] == ST_OK)
			piece->st_read[i] = fetch_read(&piece->fetch[i]);
	return COMPARE_SAME;
}

/* ---- the whole way ---- */

static void piece_free(struct slot *slot, void *user)
{
	struct piece *piece = (struct piece *)slot;

	(void)user;
	for (size_t i = 0; i < 2; i++)
		fetch_close(&piece->fetch[i]);
	mem_free(piece);
}

static struct slot *piece_new(void *user)
{
	const struct run *run = user;
	struct piece *piece = mem_alloc(sizeof *piece);

	if (piece == NULL)
		return NULL;
	piece->unpacker = run->line.unpacker;
	if (fetch_open(&piece->fetch[0], run->piece_bytes) == ST_OK &&
	    fetch_open(&piece->fetch[1], run->piece_bytes) == ST_OK)
		return &piece->slot;
	piece_free(&piece->slot, user);
	return NULL;
}

static enum status piece_copy(struct slot *to, const struct slot *from)
{
	const struct piece *lost = (const struct piece *)from;
	struct piece *piece = (struct piece *)to;
	enum status st = ST_OK;

	piece->at = lost->at;
	piece->n = lost->n;
	for (size_t i = 0; st == ST_OK && i < 2; i++) {
		piece->zero[i] = lost->zero[i];
		piece->st_read[i] = lost->st_read[i];
		if (!piece->zero[i] && piece->st_read[i] == ST_OK)
			st = fetch_copy(&piece->fetch[i], &lost->fetch[i]);
	}
	return st;
}

/* Whether both sides are the same in the piece whose turn it is. */
static enum compare_outcome finish_piece(struct run *run, const struct piece *piece,
					 struct error *err)
{
	if (!piece->slot.has_work)
		return COMPARE_SAME;
	for (size_t i = 0; i < 2; i++)
		if (piece->st[i] != ST_OK)
			return not_read(run, piece, i, err);
	if (piece->same == piece->n)
		return COMPARE_SAME;
	run->offset = round_down(piece->at + piece->same, SECTOR_BYTES);
	return COMPARE_CONTENT;
}

/* What ends the comparison is no error of the pipeline: run->outcome has it. */
static enum status finish(void *user, struct slot *slot, struct error *err)
{
	struct run *run = user;
	const struct piece *piece = (const struct piece *)slot;

	run->outcome = finish_piece(run, piece, err);
	if (run->outcome != COMPARE_SAME)
		return ST_MISMATCH;
	progress_advance(run->comparison->progress, piece->n);
	return ST_OK;
}

/* Where the disks are not the same, the pieces before that place come first. */
static enum status fill(void *user, struct slot *slot, bool *ret_filled, struct error *err)
{
	struct run *run = user;
	struct piece *piece = (struct piece *)slot;

	*ret_filled = false;
	if (run->at == run->end)
		return ST_OK;
	run->ahead = read_piece(run, piece, run->at, run->end, &run->offset, err);
	if (run->ahead != COMPARE_SAME)
		return ST_OK;
	*ret_filled = true;
	run->at += piece->n;
	slot->expensive = piece->fetch[0].has_packed || piece->fetch[1].has_packed;
	return ST_OK;
}

static void cancelled(void *user, const struct slot *first, struct error *err)
{
	const struct run *run = user;

	error_set(err, "stopped at offset %ju; the disks are identical up to there",
		  first != NULL ? ((const struct piece *)first)->at : run->at);
}

static const struct pipeline_ops ops = {
	.create = piece_new,
	.copy = piece_copy,
	.free = piece_free,
	.fill = fill,
	.work = compare_piece,
	.finish = finish,
	.cancelled = cancelled,
};

static enum compare_outcome compare_pieces(struct run *run, struct error *err)
{
	size_t unit_bytes = (size_t)max_u64(image_largest_packed_unit(run->side[0].image),
					    image_largest_packed_unit(run->side[1].image));
	bool parallel_reads = image_parallel_reads(run->side[0].image) ||
			      image_parallel_reads(run->side[1].image);
	enum status st = pipeline_start(&run->line, run->end - run->at, unit_bytes, parallel_reads,
					EFFORT_LOOK, err);

	run->piece_bytes = pipeline_piece_bytes(2, unit_bytes);
	if (st == ST_OK)
		st = pipeline_run(&run->line, &ops, run, run->comparison->progress, err);
	if (run->outcome != COMPARE_SAME)
		return run->outcome;
	return st == ST_OK ? run->ahead : COMPARE_NO_DATA;
}

static enum compare_outcome compare_range(const struct comparison *comparison, uint64_t start,
					  uint64_t end, uint64_t *ret_offset, struct error *err)
{
	struct run *run = mem_alloc(sizeof *run);
	enum compare_outcome outcome;

	if (run == NULL) {
		(void)fail_no_memory(err);
		return COMPARE_NO_DATA;
	}
	run->comparison = comparison;
	run->at = start;
	run->end = end;
	for (size_t i = 0; i < 2; i++)
		run->side[i].image = comparison->disk[i];
	outcome = compare_pieces(run, err);
	*ret_offset = run->offset;
	pipeline_close(&run->line);
	mem_free(run);
	return outcome;
}

enum compare_outcome compare_common(const struct comparison *comparison, uint64_t *ret_offset,
				    struct error *err)
{
	uint64_t end = min_u64(comparison->disk[0]->size, comparison->disk[1]->size);

	return compare_range(comparison, 0, end, ret_offset, err);
}

enum compare_outcome compare_rest(const struct comparison *comparison, uint64_t *ret_offset,
				  struct error *err)
{
	uint64_t start = min_u64(comparison->disk[0]->size, comparison->disk[1]->size);
	uint64_t end = max_u64(comparison->disk[0]->size, comparison->disk[1]->size);

	return compare_range(comparison, start, end, ret_offset, err);
}
