/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/out_memory.h"
#include "storage/storage.h"

/*
 * What was done, in two files in the folder of platform_logs(): NAME.log for people, NAME.jsonl, a
 * line of JSON for each event, for programs. It is written when log_write() is called and at no
 * other time, so that a disk with that folder can be read meanwhile without being changed.
 */
struct log {
	struct out_memory text, events; /* to be written */
	char *text_name, *events_name;  /* NULL: there is no log */
};

/*
 * Makes both files, empty, under a new name: the time, or where that is not known or not wanted
 * (`counted`) a number. The caller closes it, on failure too, after which it takes text and writes
 * nothing. Errors: ST_NO_MEMORY; those of platform_logs() and platform_create().
 */
enum status log_open(struct log *, struct storage *, bool counted, struct error *);
void log_close(struct log *);

/*
 * Adds to the files what there is to be written, and has it on the medium. After a failure there is
 * no log any more. More than a MiB at once is cut, and the text has a note of it.
 */
enum status log_write(struct log *, struct error *);
