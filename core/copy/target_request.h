/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/used_blocks.h"
#include "format/chain.h"
#include "storage/storage.h"

/*
 * What the person wants of a GPT that was made for a smaller disk: its backup moved to the end; the
 * GPT as it is; nothing written.
 */
enum gpt_wish { GPT_MOVE, GPT_KEEP, GPT_REFUSE };

/*
 * A disk or partition that is to be written over, as a person asks for it. copy/target_plan.h
 * decides. Texts and sources are the caller's.
 */
struct target_request {
	struct storage *storage;
	const char *name;
	const char *erase;            /* NULL: not given */
	const struct chain *source;   /* loaded */
	size_t n_sources;             /* 0: there is none, and anything will be written */
	uint64_t first_byte, n_bytes; /* what of the disk that they make is copied */
	/* of the image that is made on it; a flat one: the bytes of the disk themselves */
	const struct image_format *format;
	const struct used_blocks *used; /* of the source; NULL: all of it is copied */
	enum gpt_wish gpt;
	bool no_table;  /* a raw file goes onto a whole disk even if it does not look like one */
	bool truncated; /* a raw file goes onto a disk even if what it has reaches past its end */
};
