/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what core/fs/ says of a file as a partition, one fact a line:
 *
 *   fs_map FILE         type, label, uuid, size, used, note; then either "none REASON", or "map
 *                       UNUSED", a remark after it, and a line "OFFSET LENGTH" for each unused
 *                       extent
 *   fs_map FILE poison  the same, and every unused byte of the file becomes 0xA5
 *
 * test_fs.py compares that with the tools of each file system.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"

static int fd;

static enum status file_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	(void)blk;
	return pread(fd, buf, len, (off_t)offset) == (ssize_t)len ? ST_OK : ST_IO;
}

static void file_close(struct blk *blk)
{
	(void)blk;
}

static void poison(uint64_t offset, uint64_t length)
{
	static char bytes[1 << 20];

	memset(bytes, 0xa5, sizeof bytes);
	while (length > 0) {
		size_t n = length < sizeof bytes ? (size_t)length : sizeof bytes;

		if (pwrite(fd, bytes, n, (off_t)offset) != (ssize_t)n)
			err(1, "write");
		offset += n;
		length -= n;
	}
}

/* Adjacent extents are printed as one. */
static uint64_t print_extents(struct fs_map *map, uint64_t size, bool poisons)
{
	uint64_t start = 0, end = 0, unused = 0;

	for (uint64_t at = 0; at < size;) {
		struct fs_extent extent;

		fs_map_extent(map, at, &extent);
		at += extent.length;
		if (extent.used)
			continue;
		unused += extent.length;
		if (extent.offset != end) {
			if (end > start)
				printf("%ju %ju\n", start, end - start);
			start = extent.offset;
		}
		end = at;
		if (poisons)
			poison(extent.offset, extent.length);
	}
	if (end > start)
		printf("%ju %ju\n", start, end - start);
	return unused;
}

int main(int argc, char **argv)
{
	static const struct blk_ops ops = { .read = file_read, .close = file_close };
	struct blk blk = {
		.ops = &ops, .block_bytes = 512, .buffer_align = 1, .transfer_bytes = 1 << 20
	};
	bool poisons = argc > 2 && strcmp(argv[2], "poison") == 0;
	struct stat info;
	struct fs_map *map;
	struct error why;
	struct fs fs;
	enum status st;

	if (argc < 2)
		errx(2, "usage: fs_map FILE [poison]");
	fd = open(argv[1], poisons ? O_RDWR : O_RDONLY);
	if (fd < 0 || fstat(fd, &info) != 0)
		err(2, "%s", argv[1]);
	blk.size = (uint64_t)info.st_size / 512 * 512;
	st = fs_look(&blk, &fs);
	if (st != ST_OK)
		errx(2, "%s", status_text(st));
	printf("type %s\nlabel %s\nuuid %s\nsize %ju\n", fs.type, fs.label, fs.uuid, fs.size);
	printf(fs.has_used ? "used %ju\n" : "used\n", fs.used);
	printf("note %s\n", fs.note);
	st = fs_map_open(&blk, &fs, &map, &why);
	if (st == ST_UNSUPPORTED) {
		printf("none %s\n", why.text);
		return 0;
	}
	if (st != ST_OK)
		errx(2, "%s", why.text);
	printf("map %ju%s%s\n", fs_map_unused(map), why.text[0] != '\0' ? " " : "", why.text);
	if (print_extents(map, blk.size, poisons) != fs_map_unused(map))
		errx(1, "the extents are not as many as were counted");
	fs_map_close(map);
	return 0;
}
