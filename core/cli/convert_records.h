/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a copy keeps beside its target: the map of what is rescued (--map), how far it has come
 * (--resume), and the hashes of what was read (--manifest).
 */
#pragma once

#include "cli/command.h"
#include "copy/convert.h"
#include "record/journal.h"
#include "record/manifest.h"
#include "record/rescue_map.h"

struct convert_records {
	struct rescue_map map;
	struct manifest manifest;
	struct journal *journal;
	struct console_warnings warnings; /* of the journal */
};

/*
 * Opens those that the options ask for and sets them in the job, whose sources are open. On an
 * error, too, what is open is closed by convert_records_end(). ST_INVALID: what does not go
 * together.
 */
enum status convert_records_begin(struct convert_records *, const struct console *,
				  const struct arguments *, const struct image_format *,
				  uint64_t size, struct convert_job *, struct error *);

/*
 * Closes them after a job that ended so, and returns its status, or that of a record that could not
 * be written.
 */
enum status convert_records_end(struct convert_records *, const struct console *,
				const struct arguments *, const struct image_format *,
				struct convert_job *, enum status, struct error *);
