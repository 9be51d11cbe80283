/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The text that describes a VMDK: the kind of image, its content ID, its parent, its extents.
 * VMware, "Virtual Disk Format 5.0", section "The Descriptor File".
 */

enum { VMDK_CREATE_TYPE_BYTES = 32 };

#define VMDK_NO_PARENT UINT32_C(0xffffffff)

enum vmdk_access { VMDK_ACCESS_RW, VMDK_ACCESS_RDONLY };

/* A line that describes an extent. */
struct vmdk_line {
	enum vmdk_access access;
	uint64_t sectors;
	char type[16];   /* in capitals */
	char *name;      /* of its file; NULL: it has none */
	bool has_offset; /* in its file: */
	uint64_t offset_sectors;
};

struct vmdk_descriptor {
	char *text; /* as it is stored, then a NUL */
	size_t text_bytes;
	uint32_t cid, parent_cid;
	/* where the digits of the numbers are in the text, and how many there are */
	size_t cid_at, cid_digits, parent_cid_at, parent_cid_digits;
	char create_type[VMDK_CREATE_TYPE_BYTES];
	char *parent_name; /* NULL: none */
	bool tracks_changes;
	struct vmdk_line *line;
	size_t n_lines;
};

/*
 * Takes a text apart: `text` (mem_alloc()) is the descriptor's, on failure too, and has `n` bytes
 * and one more. Refuses by name what is not understood. ST_UNSUPPORTED, ST_CORRUPT, ST_NO_MEMORY.
 */
enum status vmdk_descriptor_parse(char *text, size_t n, struct vmdk_descriptor *ret,
				  struct error *);
void vmdk_descriptor_free(struct vmdk_descriptor *);

/*
 * Whether a name is that of a file in the descriptor's own directory. ST_UNSUPPORTED, with words
 * that begin with `what`.
 */
enum status vmdk_check_name(const char *name, const char *what, struct error *);
