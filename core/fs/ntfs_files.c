/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves that the $Bitmap of an NTFS has all that its files use, by all records of $MFT.
 *
 * That is needed where nothing says that the volume was unmounted: ntfs-3g empties the journal when
 * it mounts a volume, and sets no flag. If the power fails then, the records of files may be on the
 * disk, and the part of $Bitmap with their clusters not yet. The next mount finds nothing wrong,
 * and the files are whole; until chkdsk has run, their clusters are free in $Bitmap.
 *
 * $Bitmap is taken in windows of a fixed size, each of which costs a pass over $MFT. What is in use
 * of $MFT itself does not count: a record that says that it is in use is checked.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/ntfs.h"
#include "platform/person.h"

enum {
	WINDOW_BYTES = 32 << 20, /* of $Bitmap: 1 TiB in clusters of 4 KiB */
	PART_BYTES = 64 << 10,   /* of $MFT; a multiple of each size of a record */
	RECORD_IN_USE = 1,
};

/* Clusters [first, first + n), and their bits. */
struct window {
	uint64_t first, n;
	uint8_t *bits;
};

static uint64_t get(const uint8_t *bytes, size_t offset, size_t n)
{
	return bytes_from_le(bytes + offset, n);
}

/* Whether the run list is sound, and all of it that is in the window is in use. */
static bool is_used(const struct ntfs *ntfs, const uint8_t *attribute, const struct window *window)
{
	struct ntfs_run run = ntfs_first_run(attribute);
	enum ntfs_step step = ntfs_next_run(ntfs, &run);

	for (; step == NTFS_DATA || step == NTFS_SPARSE; step = ntfs_next_run(ntfs, &run)) {
		uint64_t from = max_u64(run.lcn, window->first);
		uint64_t to = min_u64(run.lcn + run.n, window->first + window->n);

		if (step == NTFS_DATA && from < to &&
		    !ntfs_all_set(window->bits, from - window->first, to - from))
			return false;
	}
	return step == NTFS_END;
}

static bool is_proved(const struct ntfs *ntfs, uint8_t *record, const struct window *window)
{
	uint64_t at;
	const uint8_t *attribute;
	bool sound;

	if (get(record, 0, 4) == 0) /* never written */
		return true;
	if (memcmp(record, "FILE", 4) != 0 || !ntfs_fix_up(record, ntfs->record_bytes))
		return false;
	if ((get(record, 0x16, 2) & RECORD_IN_USE) == 0)
		return true;
	at = ntfs_first_attribute(record);
	do {
		attribute = ntfs_attribute(record, ntfs->record_bytes, &at, &sound);
		if (attribute != NULL && attribute[8] != 0 && !is_used(ntfs, attribute, window))
			return false;
	} while (attribute != NULL);
	return sound;
}

static enum status check_window(const struct ntfs *ntfs, struct blk *blk, uint8_t *part,
				const struct window *window, struct error *why)
{
	const uint8_t *mft = ntfs->data[NTFS_MFT];
	uint64_t end = round_down(min_u64(get(mft, 0x30, 8), get(mft, 0x38, 8)),
				  ntfs->record_bytes);
	enum status st = ntfs_read_data(ntfs, blk, ntfs->data[NTFS_BITMAP], window->first / 8,
					window->bits, (size_t)div_up(window->n, 8));

	for (uint64_t at = 0; st == ST_OK && at < end; at += PART_BYTES) {
		size_t n = (size_t)min_u64(PART_BYTES, end - at);

		if (platform_cancelled())
			return fail(why, ST_CANCELLED, "%s", status_text(ST_CANCELLED));
		st = ntfs_read_data(ntfs, blk, mft, at, part, n);
		for (size_t i = 0; st == ST_OK && i < n; i += ntfs->record_bytes)
			if (!is_proved(ntfs, part + i, window))
				return fail(why, ST_UNSUPPORTED,
					    "its journal is empty, as Linux leaves it, and its "
					    "bitmap lacks what a file uses (record %ju): run "
					    "chkdsk /f in Windows",
					    (at + i) / ntfs->record_bytes);
	}
	return st;
}

enum status ntfs_check_files(const struct ntfs *ntfs, struct blk *blk, struct error *why)
{
	size_t n_bytes = (size_t)min_u64(div_up(ntfs->n_clusters, 8), WINDOW_BYTES);
	struct window window = { .bits = io_alloc(n_bytes) };
	uint8_t *part = io_alloc(PART_BYTES);
	enum status st = window.bits == NULL || part == NULL ? ST_NO_MEMORY : ST_OK;

	for (; st == ST_OK && window.first < ntfs->n_clusters; window.first += window.n) {
		window.n = min_u64((uint64_t)n_bytes * 8, ntfs->n_clusters - window.first);
		st = check_window(ntfs, blk, part, &window, why);
	}
	io_free(part, PART_BYTES);
	io_free(window.bits, n_bytes);
	return st;
}
