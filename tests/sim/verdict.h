/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looks at a qcow2 image, whose tables it reads by itself: every cluster that the header, the disk,
 * a snapshot or a bitmap refers to must have a refcount of at least as many, and what the disk's
 * tables say to be its own (COPIED) must have no other user. False: `why` (of 256 bytes) says what
 * is wrong.
 */
enum verdict_on {
	VERDICT_SOUND,        /* just that */
	VERDICT_LEAKS,        /* and COPIED is where it should be: a check finds leaks at most */
	VERDICT_CLEAN,        /* refcounts are no higher either, and COPIED is where it should be */
	VERDICT_NOTHING_LOST, /* as CLEAN, for refcounts past the end of the file, too
			       */
};
bool verdict_qcow2(const uint8_t *bytes, uint64_t size, enum verdict_on, char *why);

/* Whether a cluster of an image has a lower refcount now than it had before. */
bool verdict_lowered(const uint8_t *before, uint64_t before_size, const uint8_t *now,
		     uint64_t size);
