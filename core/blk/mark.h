/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct blk;

/*
 * The mark: the first sector of a file that is not complete. It is text, so that a person who looks
 * into the file reads what it is, and it is the magic number of no image format, file system,
 * partition table or boot sector.
 */
enum { MARK_BYTES = 512, MARK_ID_BYTES = 16 };

/* What the file is to become. One of one kind is never taken for one of the other. */
enum mark_kind {
	MARK_IMAGE,
	MARK_RECORD, /* a file about a job: its journal, a map (record/record.h) */
};

/* Fills `ret` with the mark. `id` NULL: the file has none, and is named by nothing. */
void mark_make(enum mark_kind, const uint8_t *id, uint8_t ret[static MARK_BYTES]);

/*
 * Whether the first sector of a file is a mark of that kind; then its id, zeros if it has none, is
 * in `ret_id`.
 */
bool mark_parse(const uint8_t sector[static MARK_BYTES], enum mark_kind,
		uint8_t ret_id[static MARK_ID_BYTES]);

/*
 * The same for an open file. *ret_marked is false, and `ret_id` unchanged, when it is shorter.
 * Errors: those of reading.
 */
enum status mark_read(struct blk *file, enum mark_kind, bool *ret_marked,
		      uint8_t ret_id[static MARK_ID_BYTES]);
