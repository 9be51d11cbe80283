/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A partition of any bytes: what fills it, and the map of what is used (core/fs/). An input begins
 * with records of 8 bytes, "at" (5 bytes) and length (3 bytes), of parts of the partition, which
 * follow each other in the input; one of length 0 ends the list. So an input of a few KiB is a file
 * system of many MiB. The corpus has what mkfs makes of each kind, with checksums and without.
 */
#include "fuzz.h"

#include <string.h>

#include "base/memory.h"
#include "fs/fs.h"

enum { RECORD_BYTES = 8, SIZE = 320 << 20 };

struct sparse {
	struct blk blk;
	const uint8_t *data;
	size_t n;
};

static uint64_t number(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | bytes[n];
	return value;
}

static enum status sparse_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	const struct sparse *s = (const struct sparse *)blk;
	size_t n_records = 0, part;

	memset(buf, 0, len);
	while ((n_records + 1) * RECORD_BYTES <= s->n &&
	       number(s->data + n_records * RECORD_BYTES + 5, 3) != 0)
		n_records++;
	part = (n_records + 1) * RECORD_BYTES;
	for (size_t i = 0; i < n_records && part < s->n; i++) {
		uint64_t at = number(s->data + i * RECORD_BYTES, 5);
		uint64_t n = number(s->data + i * RECORD_BYTES + 5, 3), from, to;

		if (n > s->n - part)
			n = s->n - part;
		from = at > offset ? at : offset;
		to = at + n < offset + len ? at + n : offset + len;
		if (from < to)
			memcpy((uint8_t *)buf + (from - offset), s->data + part + (from - at),
			       (size_t)(to - from));
		part += (size_t)n;
	}
	return ST_OK;
}

static void sparse_close(struct blk *blk)
{
	(void)blk;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct blk_ops ops = { .read = sparse_read, .close = sparse_close };
	struct sparse s = { .data = data, .n = n };
	struct fs_volume *volumes;
	size_t n_volumes;
	struct fs_map *map;
	struct error why;
	struct fs fs;

	s.blk = (struct blk){ .ops = &ops,
			      .size = SIZE,
			      .block_bytes = 512,
			      .buffer_align = 1,
			      .transfer_bytes = 1 << 20 };
	MUST(fs_look(&s.blk, &fs) == ST_OK);
	MUST(strlen(fs.note) < FS_NOTE && strlen(fs.label) < FS_LABEL);
	MUST(fs_list_volumes(&s.blk, &volumes, &n_volumes) == ST_OK);
	for (size_t i = 0; i < n_volumes; i++)
		MUST(volumes[i].size > 0 && volumes[i].size <= SIZE);
	mem_free(volumes);
	if (fs_map_open(&s.blk, &fs, &map, &why) == ST_OK) {
		uint64_t unused = 0;

		MUST(fs.note[0] == '\0');
		for (uint64_t at = 0; at < SIZE;) {
			struct fs_extent extent;

			fs_map_extent(map, at, &extent);
			MUST(extent.offset == at && extent.length > 0);
			MUST(extent.length <= SIZE - at);
			unused += extent.used ? 0 : extent.length;
			at += extent.length;
		}
		MUST(unused == fs_map_unused(map));
		fs_map_close(map);
	}
	fuzz_end();
	return 0;
}
