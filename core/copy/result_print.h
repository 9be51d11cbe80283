/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/out.h"
#include "copy/run.h"
#include "storage/storage.h"

/* How a copy with a disk on either side has ended well, in words. */

enum result_scope {
	RESULT_ALL,  /* the whole disk of the sources was copied */
	RESULT_PART, /* a part of it, as dd does */
	RESULT_REST, /* what an earlier copy had not finished, as its map says */
};

struct result {
	const char *target;  /* as it was named */
	char *const *source; /* the names of the sources */
	size_t n_sources;
	enum result_scope scope;
	bool verified;  /* the target was read back, and has what was read of the sources */
	bool gpt_moved; /* except for its GPT, whose backup is at the end of the larger target */
	const char *why_not;   /* the option that has left that out; "": there was none */
	uint64_t disk_bytes;   /* of the disk that was copied, holes included */
	uint64_t file_bytes;   /* of the target's files; 0: it is a disk */
	uint64_t unused_bytes; /* that were left out, because nothing uses them */
	bool keeps_unused;     /* what the target has there is as it was; false: zeros */
	uint64_t lost_bytes;   /* that could not be read, and are zeros in the target */
	uint64_t n_lost;       /* in how many places */
	uint64_t nanoseconds;  /* that it took; 0: not to be printed */
	/* of zeros at the end of the source, for which there is no room; not in disk_bytes */
	uint64_t left_off_bytes;
};

/*
 * Prints one line: "efi-img: pc.qcow2: verified, identical to serial=X; 250 MiB of disk in 38 MiB
 * of file, 12 s".
 */
void result_print(const struct result *, struct out *);

/* What a command knows of its copy, after it has succeeded. */
struct result_facts {
	const struct copy_request *request;
	const struct copy_result *result;
	enum result_scope scope;
	uint64_t begin_ns; /* platform_nanoseconds() at the start; 0: print no time */
};

/* The same of a copy; the size of the target's files is looked up. */
void result_print_copy(const struct result_facts *, struct out *);
