/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Creating a VHD.
 *
 *   fixed:    the disk | footer
 *   dynamic:  footer | header (512) | BAT (1536) | footer
 *
 * The size is as given, and not rounded to what a geometry can say (force_size=on in QEMU), since
 * Azure refuses disks that were rounded, and the backup of a GPT would not be at the end. A fixed
 * disk, if nothing is said about its size, becomes a whole number of MiB, which Azure wants.
 *
 * Write order: everything but the footers, from the front to the end; the footer at the end; the
 * caller writes the first sector last.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/vpc/vpc.h"
#include "storage/storage.h"

enum {
	BLOCK_BYTES = 2 << 20,
	BAT_AT = VPC_FOOTER_BYTES + VPC_HEADER_BYTES,
};

static const char *const subformats[] = { "dynamic", "fixed", NULL };
enum { SUBFORMAT_FIXED = 1 };

/* In the order in which qemu-img lists them when it says what it formats. */
const struct create_option vpc_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "subformat",
	  .type = OPTION_CHOICE,
	  .choices = subformats,
	  .help = "dynamic, or fixed (Azure)" },
	{ .name = "force_size",
	  .type = OPTION_BOOL,
	  .help = "exactly the size; off: a geometry's (default: on; fixed: MiB)" },
	{ 0 },
};

bool vpc_is_fixed(const struct create_request *request)
{
	return create_value(request->options, "subformat")->number == SUBFORMAT_FIXED;
}

/* The file without data, but with the footer at the end. */
static uint64_t bytes_empty(uint64_t disk_bytes)
{
	return BAT_AT + vpc_bat_bytes(div_up(disk_bytes, BLOCK_BYTES)) + VPC_FOOTER_BYTES;
}

enum status vpc_plan(const struct create_request *request, struct create_plan *ret,
		     struct error *err)
{
	bool fixed = vpc_is_fixed(request);
	uint64_t size;
	enum status st = vpc_new_size(request, &size, err);

	if (st != ST_OK)
		return st;
	if (fixed && storage_is_device(request->file_name))
		return fail(err, ST_UNSUPPORTED,
			    "option subformat=fixed: such an image is recognised by the end of its "
			    "file, and on a disk or partition that is not known");
	return create_plan_add(ret, request->file_name,
			       fixed ? size + VPC_FOOTER_BYTES : bytes_empty(size), PREALLOC_OFF,
			       err);
}

enum status vpc_measure(const struct create_request *request, const struct image *source,
			struct image_measure *ret, struct error *err)
{
	uint64_t size, n_blocks;
	enum status st = vpc_new_size(request, &size, err);

	(void)source;
	if (st != ST_OK)
		return st;
	n_blocks = div_up(size, BLOCK_BYTES);
	*ret = (struct image_measure){ .full_bytes = size + VPC_FOOTER_BYTES, .data_bytes = size };
	if (!vpc_is_fixed(request))
		*ret = (struct image_measure){
			.full_bytes = bytes_empty(size) + n_blocks * (BLOCK_BYTES + VPC_SECTOR),
			.data_bytes = n_blocks * BLOCK_BYTES,
			.block_bytes = BLOCK_BYTES,
		};
	return ST_OK;
}

/* ---- writing ---- */

static void make_header(uint64_t disk_bytes, struct vpc_header *ret)
{
	*ret = (struct vpc_header){
		.cookie = VPC_HEADER_COOKIE,
		.next = be64_of(VPC_NO_OFFSET),
		.bat_at = be64_of(BAT_AT),
		.version = be32_of(VPC_VERSION),
		.n_entries = be32_of((uint32_t)div_up(disk_bytes, BLOCK_BYTES)),
		.block_bytes = be32_of(BLOCK_BYTES),
	};
	ret->checksum = be32_of(
		vpc_checksum(ret, sizeof *ret, offsetof(struct vpc_header, checksum)));
}

static enum status write_bat(struct blk *file, uint64_t bytes)
{
	enum { PIECE_BYTES = 64 << 10 };
	uint8_t *none = mem_alloc(PIECE_BYTES);
	enum status st = none != NULL ? ST_OK : ST_NO_MEMORY;

	if (none != NULL)
		memset(none, 0xff, PIECE_BYTES);
	for (uint64_t done = 0, n; st == ST_OK && done < bytes; done += n) {
		n = min_u64(bytes - done, PIECE_BYTES);
		st = blk_write(file, BAT_AT + done, none, (size_t)n);
	}
	mem_free(none);
	return st;
}

static enum status write_dynamic(const struct create_request *request, struct blk *file,
				 struct error *err)
{
	struct vpc_footer footer;
	struct vpc_header header;
	uint64_t size;
	enum status st = vpc_new_footer(request, &footer, err);

	if (st != ST_OK)
		return st;
	size = be64_get(footer.disk_bytes);
	make_header(size, &header);
	st = blk_write(file, 0, &footer, sizeof footer);
	if (st == ST_OK)
		st = blk_write(file, sizeof footer, &header, sizeof header);
	if (st == ST_OK)
		st = write_bat(file, vpc_bat_bytes(div_up(size, BLOCK_BYTES)));
	return st == ST_OK ? ST_OK : fail(err, st, "writing its tables: %s", status_text(st));
}

enum status vpc_write_files(const struct create_request *request, struct blk *const file[],
			    struct error *err)
{
	uint64_t size;
	enum status st;

	if (!vpc_is_fixed(request))
		return write_dynamic(request, file[0], err);
	if (request->filled)
		return ST_OK;
	st = vpc_new_size(request, &size, err);
	if (st != ST_OK)
		return st;
	st = blk_resize(file[0], size, PREALLOC_OFF);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "writing %ju bytes of zeros: %s", size, status_text(st));
}

/* The end of the disk, where it was not written because it is zeros. */
static enum status finish_fixed(const struct create_request *request, struct blk *file,
				struct vpc_footer *ret, struct error *err)
{
	enum status st = vpc_new_footer(request, ret, err);
	uint64_t size;

	if (st != ST_OK)
		return st;
	size = be64_get(ret->disk_bytes);
	if (file->size != size) {
		st = blk_resize(file, size, PREALLOC_OFF);
		if (st == ST_OK)
			st = blk_flush(file);
	}
	return st == ST_OK ? ST_OK : fail(err, st, "writing its end: %s", status_text(st));
}

enum status vpc_finish(const struct create_request *request, struct blk *file, struct error *err)
{
	struct vpc_footer footer;
	enum status st;

	if (vpc_is_fixed(request)) {
		st = finish_fixed(request, file, &footer, err);
		if (st != ST_OK)
			return st;
	} else {
		st = blk_read(file, 0, &footer, sizeof footer);
	}
	if (st == ST_OK)
		st = blk_write(file, round_up(file->size, VPC_SECTOR), &footer, sizeof footer);
	return st == ST_OK ? ST_OK : fail(err, st, "writing its footer: %s", status_text(st));
}
