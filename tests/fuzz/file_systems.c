/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A partition of any bytes (sparse.h): what fills it, and the map of what is used (core/fs/). The
 * corpus has what mkfs makes of each kind, with checksums and without.
 */
#include "fuzz.h"

#include <string.h>

#include "base/memory.h"
#include "fs/fs.h"
#include "seal.h"

enum { SIZE = 320 << 20, INPUT_MAX = 64 << 10 };

struct sparse_blk {
	struct blk blk;
	struct sparse sparse;
};

static enum status sparse_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	sparse_get(&((const struct sparse_blk *)blk)->sparse, offset, buf, len);
	return ST_OK;
}

static void sparse_close(struct blk *blk)
{
	(void)blk;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct blk_ops ops = { .read = sparse_read, .close = sparse_close };
	static uint8_t input[INPUT_MAX];
	struct sparse_blk s = { .sparse = { .data = input, .n = n } };
	struct fs_volume *volumes;
	size_t n_volumes;
	struct fs_map *map;
	struct error why;
	struct fs fs;

	MUST(n <= sizeof input);
	memcpy(input, data, n);
	if (sparse_is_sealed(&s.sparse))
		seal(&s.sparse);
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
