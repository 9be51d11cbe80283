/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The files of the simulated volume as blks: as files, with holes where the volume has them, and as
 * disks of fixed size with whole blocks and aligned buffers. A call that fails does half of its
 * work before, as a device may.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/range.h"
#include "pages.h"
#include "platform/person.h"
#include "processors.h"
#include "volume_files.h"

struct sim_blk {
	struct blk blk;           /* first: a struct blk * that comes in is a struct sim_blk * */
	struct blk_device device; /* of a disk */
	struct sim_file *file;
	struct sim_blk *next;
};

static struct sim_blk *disks; /* all that are open */

static struct sim_file *file_of(struct blk *blk)
{
	return ((struct sim_blk *)blk)->file;
}

static enum status sim_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	enum status st = volume_call();

	sim_processor_works();
	if (st == ST_OK && volume_is_bad(file_of(blk), offset, len)) {
		memset(buf, 0xbb, len / 2); /* some of it may have come through */
		return ST_IO;
	}
	if (st == ST_OK && offset + len > file_of(blk)->size)
		return ST_IO; /* it has been cut off */
	if (st == ST_OK)
		memcpy(buf, file_of(blk)->bytes + offset, len);
	return st;
}

/* Counts a write for all disks that are this file. */
static void count_write(const struct sim_file *file)
{
	for (struct sim_blk *disk = disks; disk != NULL; disk = disk->next)
		disk->device.n_writes += disk->file == file;
}

/* About half of a write: sectors are written whole or not at all. */
static size_t half(uint64_t offset, size_t len)
{
	uint64_t end = round_down(offset + len / 2, 512);

	return end > offset ? (size_t)(end - offset) : 0;
}

static enum status sim_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct sim_file *file = file_of(blk);
	enum status st = volume_call(), grown = ST_OK;
	size_t n = st == ST_OK ? len : half(offset, len);

	if (offset > file->size && volume_kind()->truncates)
		return ST_IO;
	if (offset > file->size)
		abort(); /* blk.c resizes first */
	if (volume_is_gone())
		return st;
	if (offset + len <= file->size && volume_loses_write())
		return st;
	if (offset + n > file->size)
		grown = volume_set_size(file, offset + n);
	if (grown != ST_OK)
		return grown;
	memcpy(file->bytes + offset, buf, n);
	volume_record(SIM_WRITE, file, offset, buf, n);
	count_write(file);
	blk->size = max_u64(blk->size, file->size);
	if (volume_kind()->truncates && volume_set_size(file, offset + n) != ST_OK)
		abort();
	return st;
}

/* For a disk: the same as a write, but for who brings the bytes. */
static enum status sim_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	uint8_t *zeros;
	enum status st;

	if (len < volume_kind()->zero_bytes)
		return ST_UNSUPPORTED;
	zeros = memset(pages_new((size_t)len), 0, (size_t)len);
	st = sim_write(blk, offset, zeros, (size_t)len);
	pages_free(zeros, (size_t)len);
	return st;
}

static enum status sim_flush(struct blk *blk)
{
	enum status st = volume_call();

	if (st == ST_OK)
		volume_record(SIM_FLUSH, file_of(blk), 0, NULL, 0);
	return st;
}

/* Without holes, a file gets longer by zeros that are written, which a person may stop. */
static enum status sim_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct sim_file *file = file_of(blk);
	uint64_t before = file->size;
	enum status st = volume_call(), changed;

	(void)prealloc;
	if (st == ST_OK && size > before && !volume_kind()->has_holes && platform_cancelled())
		st = ST_CANCELLED;
	if (volume_is_gone())
		return st;
	if (st != ST_OK)
		size = size > before ? before + (size - before) / 2 : before;
	changed = volume_set_size(file, size);
	if (changed != ST_OK)
		return changed;
	if (size > before)
		memset(file->bytes + before, 0, size - before);
	volume_record(SIM_RESIZE, file, size, NULL, 0);
	blk->size = size;
	return st;
}

static bool is_hole(const struct sim_file *file, uint64_t at)
{
	static const uint8_t zeros[512];

	return memcmp(file->bytes + at, zeros, (size_t)min_u64(512, file->size - at)) == 0;
}

static enum status sim_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	const struct sim_file *file = file_of(blk);
	uint64_t end = round_down(offset, 512);
	bool hole = is_hole(file, end);

	while (end < offset + len && is_hole(file, end) == hole)
		end += 512;
	*ret = (struct extent){ .length = end - offset,
				.allocated = true,
				.data = !hole,
				.zero = hole,
				.has_offset = true,
				.offset = offset };
	return volume_call();
}

static enum status sim_allocated(struct blk *blk, uint64_t *ret)
{
	const struct sim_file *file = file_of(blk);

	*ret = 0;
	for (uint64_t at = 0; at < file->size; at += 512)
		*ret += is_hole(file, at) ? 0 : 512;
	return volume_call();
}

static void sim_close(struct blk *blk)
{
	mem_free(blk);
}

enum status volume_open_blk(struct sim_file *file, bool writable, struct blk **ret,
			    struct error *err)
{
	static const struct blk_ops read_ops = { .read = sim_read, .close = sim_close };
	static const struct blk_ops write_ops = {
		.read = sim_read,
		.write = sim_write,
		.flush = sim_flush,
		.resize = sim_resize,
		.close = sim_close,
	};
	static const struct blk_ops holes_read_ops = { .read = sim_read,
						       .extent = sim_extent,
						       .allocated = sim_allocated,
						       .close = sim_close };
	static const struct blk_ops holes_write_ops = {
		.read = sim_read,
		.write = sim_write,
		.extent = sim_extent,
		.flush = sim_flush,
		.resize = sim_resize,
		.allocated = sim_allocated,
		.close = sim_close,
	};
	struct sim_blk *blk = mem_alloc(sizeof *blk);

	if (blk == NULL)
		return fail_no_memory(err);
	blk->blk = (struct blk){
		.ops = volume_kind()->has_holes ? (writable ? &holes_write_ops : &holes_read_ops)
		       : writable               ? &write_ops
						: &read_ops,
		.size = file->size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = 64 << 10,
		.parallel_reads = sim_processors_can_read(),
	};
	blk->file = file;
	*ret = &blk->blk;
	return ST_OK;
}

static void sim_disk_close(struct blk *blk)
{
	struct sim_blk **at = &disks;

	while (*at != (struct sim_blk *)blk)
		at = &(*at)->next;
	*at = (*at)->next;
	sim_close(blk);
}

enum status sim_disk_open(const char *name, uintptr_t id, bool writable, uint32_t block_bytes,
			  struct blk **ret)
{
	static const struct blk_ops read_ops = { .read = sim_read, .close = sim_disk_close };
	static const struct blk_ops write_ops = {
		.read = sim_read, .write = sim_write, .flush = sim_flush, .close = sim_disk_close
	};
	static const struct blk_ops zeroing_ops = { .read = sim_read,
						    .write = sim_write,
						    .zero = sim_zero,
						    .flush = sim_flush,
						    .close = sim_disk_close };
	struct sim_blk *disk;
	struct error ignored;
	enum status st = volume_open_blk(volume_find(name), writable, ret, &ignored);

	if (st != ST_OK)
		return st;
	(*ret)->ops = !writable                       ? &read_ops
		      : volume_kind()->zero_bytes > 0 ? &zeroing_ops
						      : &write_ops;
	(*ret)->zero_bytes = volume_kind()->zero_bytes;
	(*ret)->block_bytes = block_bytes;
	(*ret)->buffer_align = 8;
	disk = (struct sim_blk *)*ret;
	disk->blk.device = &disk->device;
	disk->device.id = id;
	disk->next = disks;
	disks = disk;
	return ST_OK;
}
