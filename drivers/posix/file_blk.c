/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A blk over a file descriptor: a file, or a file that stands for a disk.
 *
 * Holes are found by SEEK_DATA and SEEK_HOLE. A disk differs from a file: it has a fixed size, no
 * holes, sectors that can be made unreadable, and it counts the writes of every open blk of the
 * same file, as disks in firmware do.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "host.h"
#include "platform/person.h"

_Static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");

enum { TRANSFER_BYTES = 4 << 20, ZEROS_BYTES = 1 << 20 };

struct file_blk {
	struct blk blk;
	int fd;
	uint64_t bad_offset, bad_bytes;
	struct stat about;
	struct blk_device device; /* of a disk */
	struct file_blk *next;
};

static struct file_blk *disks; /* list of all disks open for reading, for count_write() */

enum status status_of_errno(int number)
{
	switch (number) {
	case 0:
		return ST_OK;
	case ENOMEM:
		return ST_NO_MEMORY;
	case ENOENT:
	case ENOTDIR:
		return ST_NOT_FOUND;
	case EEXIST:
		return ST_EXISTS;
	case ENOSPC:
	case EDQUOT:
		return ST_NO_SPACE;
	case EFBIG:
		return ST_TOO_LARGE;
	case EROFS:
		return ST_READ_ONLY;
	case EACCES:
	case EPERM:
	case EBUSY:
	case ETXTBSY:
		return ST_DENIED;
	case EISDIR:
	case EINVAL:
	case ENAMETOOLONG:
		return ST_INVALID;
	case ENOMEDIUM:
		return ST_NO_MEDIUM;
	default:
		return ST_IO;
	}
}

static int fd_of(struct blk *blk)
{
	return ((struct file_blk *)blk)->fd;
}

static enum status file_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		ssize_t n = pread(fd_of(blk), to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* 0: the file was truncated meanwhile */
			return n < 0 ? status_of_errno(errno) : ST_IO;
		to += n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	return ST_OK;
}

static enum status disk_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	const struct file_blk *file = (struct file_blk *)blk;

	if (offset < file->bad_offset + file->bad_bytes && file->bad_offset < offset + len)
		return ST_IO;
	return file_read(blk, offset, buf, len);
}

/* Counts a write in all disks that are the same file. */
static void count_write(const struct file_blk *file)
{
	for (struct file_blk *disk = disks; disk != NULL; disk = disk->next)
		disk->device.n_writes += disk->about.st_dev == file->about.st_dev &&
					 disk->about.st_ino == file->about.st_ino;
}

static enum status file_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	if (!range_ok(offset, len, SIZE_LIMIT))
		return ST_TOO_LARGE;
	count_write((struct file_blk *)blk);
	while (len > 0) {
		ssize_t n = pwrite(fd_of(blk), from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return status_of_errno(errno);
		from += n;
		offset += (size_t)n;
		len -= (size_t)n;
		blk->size = max_u64(blk->size, offset);
	}
	return ST_OK;
}

static enum status file_flush(struct blk *blk)
{
	return fsync(fd_of(blk)) == 0 ? ST_OK : status_of_errno(errno);
}

static enum status grow_with_zeros(struct blk *blk, uint64_t size)
{
	uint8_t *zeros = mem_alloc(ZEROS_BYTES);
	enum status st = zeros != NULL ? ST_OK : ST_NO_MEMORY;

	while (st == ST_OK && blk->size < size) {
		if (platform_cancelled())
			st = ST_CANCELLED;
		else
			st = file_write(blk, blk->size, zeros,
					(size_t)min_u64(ZEROS_BYTES, size - blk->size));
	}
	mem_free(zeros);
	return st;
}

static enum status file_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	int number = 0;

	if (size > SIZE_LIMIT)
		return ST_TOO_LARGE;
	if (size > blk->size && prealloc == PREALLOC_FULL)
		return grow_with_zeros(blk, size);
	if (size > blk->size && prealloc == PREALLOC_FALLOC)
		number = posix_fallocate(fd_of(blk), (off_t)blk->size, (off_t)(size - blk->size));
	else if (ftruncate(fd_of(blk), (off_t)size) != 0)
		number = errno;
	if (number == 0)
		blk->size = size;
	return status_of_errno(number);
}

static enum status file_allocated(struct blk *blk, uint64_t *ret_bytes)
{
	struct stat about;

	if (fstat(fd_of(blk), &about) != 0)
		return status_of_errno(errno);
	/* of a block device there are no st_blocks */
	*ret_bytes = S_ISBLK(about.st_mode) ? blk->size : (uint64_t)about.st_blocks * 512;
	return ST_OK;
}

/* Holes are zeros. On file systems without SEEK_DATA everything is data. */
static enum status file_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	off_t data = lseek(fd_of(blk), (off_t)offset, SEEK_DATA), end;

	*ret = (struct extent){
		.length = len, .allocated = true, .has_offset = true, .offset = offset
	};
	if (data < 0 && errno != ENXIO) {
		ret->data = true;
	} else if (data < 0 || (uint64_t)data > offset) { /* ENXIO: a hole up to the end */
		ret->zero = true;
		ret->length = data < 0 ? len : min_u64(len, (uint64_t)data - offset);
	} else {
		end = lseek(fd_of(blk), (off_t)offset, SEEK_HOLE);
		ret->data = true;
		ret->length = end > (off_t)offset ? min_u64(len, (uint64_t)end - offset) : len;
	}
	return ST_OK;
}

static void file_close(struct blk *blk)
{
	close(fd_of(blk));
	mem_free(blk);
}

static void disk_close(struct blk *blk)
{
	struct file_blk **at = &disks;

	while (*at != (struct file_blk *)blk)
		at = &(*at)->next;
	*at = (*at)->next;
	file_close(blk);
}

static const struct blk_ops ops_for_reading = {
	.read = file_read,
	.extent = file_extent,
	.allocated = file_allocated,
	.close = file_close,
};

static const struct blk_ops ops_of_disk = { .read = disk_read, .close = disk_close };

static const struct blk_ops ops_of_target = {
	.read = disk_read,
	.write = file_write,
	.flush = file_flush,
	.close = file_close,
};

static const struct blk_ops ops_for_writing = {
	.read = file_read,
	.extent = file_extent,
	.write = file_write,
	.flush = file_flush,
	.resize = file_resize,
	.allocated = file_allocated,
	.close = file_close,
};

enum status file_blk_open(int fd, const struct file_blk_kind *kind, struct blk **ret)
{
	off_t size = lseek(fd, 0, SEEK_END); /* also of block devices, whose st_size is 0 */
	struct file_blk *file;

	if (size < 0)
		return status_of_errno(errno);
	file = mem_alloc(sizeof *file);
	if (file == NULL)
		return ST_NO_MEMORY;
	file->fd = fd;
	file->bad_offset = kind->bad_offset;
	file->bad_bytes = kind->bad_bytes;
	if (kind->is_device) {
		file->blk.ops = kind->writable ? &ops_of_target : &ops_of_disk;
		file->blk.device = &file->device;
		file->device.id = kind->device_id;
	} else {
		file->blk.ops = kind->writable ? &ops_for_writing : &ops_for_reading;
	}
	file->blk.size = round_down((uint64_t)size, kind->block_bytes);
	file->blk.block_bytes = kind->block_bytes;
	file->blk.buffer_align = kind->buffer_align;
	file->blk.transfer_bytes = TRANSFER_BYTES;
	file->blk.parallel_reads = true; /* pread() shares no position */
	(void)fstat(fd, &file->about);   /* it is open */
	if (file->blk.ops == &ops_of_disk) {
		file->next = disks;
		disks = file;
	}
	*ret = &file->blk;
	return ST_OK;
}
