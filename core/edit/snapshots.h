/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "format/chain.h"

/*
 * The list of an image's snapshots, in local time, as qemu-img prints it; nothing if there are
 * none.
 */
void snapshots_print(struct out *, const struct image *);

/*
 * The first snapshot with that id and that name, one of which may be NULL: any. False: there is
 * none.
 */
bool snapshots_find(const struct image *, const char *id, const char *name, size_t *ret_index);

/* The one with that id, or else the first with that name. Errors: ST_NOT_FOUND. */
enum status snapshots_find_any(const struct image *, const char *id_or_name, size_t *ret_index,
			       struct error *);

/*
 * The one that a text of either form means: "snapshot.id=ID,snapshot.name=NAME" with one or both (a
 * comma in them is doubled), or an id or a name. Errors: ST_NOT_FOUND, ST_INVALID, ST_NO_MEMORY.
 */
enum status snapshots_find_described(const struct image *, const char *text, size_t *ret_index,
				     struct error *);

/*
 * chain_open_disk() for the disk as it was at a snapshot of the first image; `which` is as above.
 * Errors: those of both.
 */
enum status snapshots_open(struct storage *, const char *name, const struct image_format *,
			   const char *which, struct chain *ret, struct error *);
