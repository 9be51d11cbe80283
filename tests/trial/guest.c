/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include "format/chain.h"
#include "pages.h"
#include "run.h"

enum { STEPS_MAX = 200, PIECE_MAX = 9000, LARGE = 64 << 10 };

/* What it did last. */
static struct step {
	bool is_flush;
	uint8_t fill;
	uint64_t offset, n;
	size_t journal; /* changes that there were before a write, and after a flush */
} steps[STEPS_MAX];
static size_t n_steps;

static size_t journal_length(void)
{
	size_t n;

	(void)sim_journal(&n);
	return n;
}

static enum status write_piece(struct blk *blk, const struct step *step)
{
	uint8_t bytes[PIECE_MAX];

	memset(bytes, step->fill, step->n);
	if (step->fill == 0)
		return blk_write_zeros(blk, step->offset, step->n);
	return blk_write(blk, step->offset, bytes, (size_t)step->n);
}

static enum status flush(struct image *image, struct error *why)
{
	enum status st = image_flush(image, why);

	if (st == ST_OK)
		steps[n_steps++] = (struct step){ .is_flush = true, .journal = journal_length() };
	return st;
}

static enum status write_and_flush(struct image *image, unsigned n, uint32_t seed,
				   struct error *why)
{
	enum status st = ST_OK;

	for (unsigned i = 0; st == ST_OK && i < n; i++) {
		struct step *step = &steps[n_steps++];

		*step = (struct step){ .fill = dice(&seed) % 4 == 0 ? 0 : (uint8_t)(i + 1),
				       .journal = journal_length() };
		step->n = (dice(&seed) % 3 == 0 ? 512 * (1 + dice(&seed) % 16)
						: 1 + dice(&seed) % PIECE_MAX);
		step->offset = dice(&seed) % (image->size - step->n);
		if (dice(&seed) % 2 == 0)
			step->offset = step->offset / 4096 * 4096;
		else if (image->cluster_bytes > LARGE && image->cluster_bytes < image->size)
			/* across the border of two blocks, which chance would seldom find */
			step->offset = image->cluster_bytes - step->n % 512 * 8;
		st = write_piece(&image->blk, step);
		if (st != ST_OK)
			error_set(why, "%s: writing it: %s", image->name, status_text(st));
		if (st == ST_OK && dice(&seed) % 3 == 0)
			st = flush(image, why);
	}
	return st == ST_OK ? flush(image, why) : st;
}

int guest_run(unsigned n, uint32_t seed)
{
	struct console console = { .out = &out.out, .err = &err.out, .progress_in_out = true };
	struct storage storage;
	struct chain chain;
	struct error why;
	enum status st;

	assert_true(2 * n + 1 <= STEPS_MAX);
	n_steps = 0;
	capture_clear(&out);
	capture_clear(&err);
	st = storage_begin(&storage, NULL, &why);
	if (st == ST_OK)
		st = chain_open_writable(&storage, "a", format_of("a"), 0, &chain, &why);
	if (st == ST_OK) {
		st = write_and_flush(chain.link[0].image, n, seed, &why);
		chain_close(&chain);
	}
	storage_end(&storage);
	return st == ST_OK ? EXIT_OK : command_failed(&console, &why);
}

size_t guest_flushes(size_t cut)
{
	size_t n = 0;

	for (size_t i = 0; i < n_steps; i++)
		n += steps[i].is_flush && steps[i].journal <= cut;
	return n;
}

void guest_assert(const struct disk *before, const struct disk *after, const struct disk *now,
		  size_t cut)
{
	uint8_t *flushed = pages_new(now->size);
	bool *good = pages_new(now->size);
	size_t last = 0;

	(void)after;
	assert_int_equal(now->size, before->size);
	memcpy(flushed, before->bytes, before->size);
	for (size_t i = 0; i < n_steps; i++)
		if (steps[i].is_flush && steps[i].journal <= cut)
			last = i;
	for (size_t i = 0; i < last; i++)
		if (!steps[i].is_flush)
			memset(flushed + steps[i].offset, steps[i].fill, steps[i].n);
	for (uint64_t at = 0; at < now->size; at++)
		good[at] = now->bytes[at] == flushed[at];
	for (size_t i = last; i < n_steps; i++)
		for (uint64_t at = steps[i].offset;
		     steps[i].journal <= cut && at < steps[i].offset + steps[i].n; at++)
			good[at] |= now->bytes[at] == steps[i].fill;
	for (uint64_t at = 0; at < now->size; at++)
		if (!good[at])
			wrong("byte %zu is 0x%02x: not 0x%02x as flushed, nor written since",
			      (size_t)at, now->bytes[at], flushed[at]);
	pages_free(flushed, now->size);
	pages_free(good, now->size);
}
