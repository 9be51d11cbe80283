/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct blk;

/*
 * The mark: the first sector of a file that is not complete. It is text, which tells a person who
 * opens the file what it is, and it is not the signature of any image format, file system,
 * partition table or boot sector.
 */
enum { MARK_BYTES = 512, MARK_ID_BYTES = 16 };

/* What the file is to become. A mark of one kind is never taken for one of the other. */
enum mark_kind {
	MARK_IMAGE,
	MARK_RECORD, /* a file about a job: its journal, a map (record/record.h) */
};

/* Fills `ret` with a mark. `id` NULL: zeros; no journal belongs to the file. */
void mark_make(enum mark_kind, const uint8_t *id, uint8_t ret[static MARK_BYTES]);

/* Whether a sector is a mark of that kind; then `ret_id` is its id, zeros if it has none. */
bool mark_parse(const uint8_t sector[static MARK_BYTES], enum mark_kind,
		uint8_t ret_id[static MARK_ID_BYTES]);

/*
 * Reads the first sector of an open file and parses it. If the file is shorter than a sector,
 * *ret_marked is false and `ret_id` is unchanged. Errors: those of reading.
 */
enum status mark_read(struct blk *file, enum mark_kind, bool *ret_marked,
		      uint8_t ret_id[static MARK_ID_BYTES]);
