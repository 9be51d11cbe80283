/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/convert.h"
#include "engine/status.h"

/*
 * The sources of a copy as one disk: one behind the other, without what is in front of
 * job->first_byte.
 */
struct joined {
	const struct convert_job *job;
	/* what was looked at last, so that a long range is not looked up for each piece of it: */
	uint64_t offset;
	uint64_t length; /* 0: nothing yet */
	struct disk_status status;
};

/* What a range is to the job. */
enum joined_kind { JOINED_SKIP, JOINED_ZERO, JOINED_DATA };

/* The source that has the byte at `*offset`, which becomes the offset in it. */
struct image *joined_image(const struct convert_job *, uint64_t *offset);

/*
 * What lies at `offset`, within one source: ret->length > 0 bytes, at most `len`, which lie at
 * *ret_at of it. Errors: those of disk_status(), with words.
 */
enum status joined_look(struct joined *, uint64_t offset, uint64_t len, uint64_t *ret_at,
			struct disk_status *ret, enum joined_kind *ret_kind, struct error *);
