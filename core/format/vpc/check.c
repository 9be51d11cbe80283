/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks what says where data is: both footers, the header, the BAT, that no two blocks share a
 * place, and that each bitmap can be read. The bits have no copy to be compared with.
 *
 * A footer at the end that is missing, or is that of another size, is what an interrupted write or
 * resize leaves. It costs no data, and counts with what is left over after the last block: -r leaks
 * repairs both, by the footer at the front and by cutting the file. -r all restores a damaged
 * footer from the other one as well. Nothing else can be repaired without guessing: a block past
 * the end of the file is lost, and one of two in the same place, too.
 *
 * Memory: 8 bytes for each block besides the BAT.
 */
#include <stdarg.h>

#include "base/memory.h"
#include "base/range.h"
#include "format/vpc/vpc.h"
#include "platform/person.h"

struct check {
	struct vpc_image *v;
	struct out *problems; /* NULL: nowhere */
	unsigned n_problems;
	struct check_result result;
	struct error *err;
};

/* ---- problems ---- */

__attribute__((format(printf, 3, 0))) static void tell(struct check *c, const char *kind,
						       const char *format, va_list args)
{
	c->n_problems++;
	if (c->problems == NULL || c->n_problems > CHECK_PROBLEMS_MAX + 1)
		return;
	if (c->n_problems == CHECK_PROBLEMS_MAX + 1) {
		out_printf(c->problems, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
		return;
	}
	out_printf(c->problems, "%s: ", kind);
	out_vprintf(c->problems, format, args);
	out_text(c->problems, "\n");
}

__attribute__((format(printf, 2, 3))) static void corrupt(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, "corrupt", format, args);
	va_end(args);
	c->result.corruptions++;
}

__attribute__((format(printf, 3, 4))) static void leaked(struct check *c, uint64_t n,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, "leaked", format, args);
	va_end(args);
	c->result.leaks += n;
}

/* ---- footers and header ---- */

static void check_front(struct check *c)
{
	struct vpc_image *v = c->v;

	if (v->at_front != VPC_GOOD)
		corrupt(c, "footer at offset 0: %s; the one at the end is good",
			v->at_front == VPC_NONE ? "it is not there" : "its checksum is wrong");
	if (!v->header_good)
		corrupt(c, "header at offset %ju: its checksum is wrong", v->header_at);
}

static void check_end(struct check *c)
{
	struct vpc_image *v = c->v;

	if (!v->has_end)
		return;
	if (v->at_end == VPC_WRONG_SUM)
		corrupt(c, "footer at the end: its checksum is wrong; the one at offset 0 is good");
	else if (v->at_end == VPC_NONE)
		leaked(c, 1,
		       "footer at the end: it is not there, as after an interrupted write; the one "
		       "at offset 0 is good");
	else if (v->at_front == VPC_GOOD &&
		 memcmp(&v->footer, &v->end_footer, sizeof v->footer) != 0)
		leaked(c, 1,
		       "footer at the end: it differs from the one at offset 0, which counts, as "
		       "after an interrupted change of the size");
}

/* What the file has between the last block and the footer. */
static uint64_t left_over(const struct vpc_image *v)
{
	uint64_t used = vpc_used_end(v) + VPC_FOOTER_BYTES, file_bytes = vpc_file(v)->size;

	return v->has_end && file_bytes > used ? file_bytes - used : 0;
}

/* XenServer has a table after the BAT that nothing refers to. */
static bool is_xen(const struct vpc_image *v)
{
	return memcmp(v->footer.creator, "tap\0", sizeof v->footer.creator) == 0;
}

static void check_left_over(struct check *c)
{
	uint64_t bytes = left_over(c->v), n_blocks = bytes / vpc_block_space(c->v);

	/* less than a block is what some programs align the end of the file by */
	if (n_blocks > 0 && !is_xen(c->v))
		leaked(c, n_blocks, "%ju bytes after the last block are not in use", bytes);
}

/* ---- the BAT ---- */

static void check_entry(struct check *c, uint64_t index, uint64_t *expected)
{
	struct vpc_image *v = c->v;
	uint64_t at = vpc_block_at(vpc_entry(v, index)), space = vpc_block_space(v);

	c->result.allocated_clusters++;
	c->result.fragmented_clusters += *expected != 0 && at != *expected;
	*expected = at + space;
	if (!range_ok(at, vpc_block_used(v, index), vpc_blocks_end(v)))
		corrupt(c,
			"BAT entry %ju (0x%jx): the block lies past the end of the file (offset "
			"%ju, size %ju)",
			index, at / VPC_SECTOR, at, vpc_file(v)->size);
	else if (vpc_meets_tables(v, at, vpc_block_used(v, index)))
		corrupt(c, "BAT entry %ju (0x%jx): the block overlaps the header or the BAT", index,
			at / VPC_SECTOR);
}

static enum status check_entries(struct check *c)
{
	uint64_t expected = 0;

	c->result.total_clusters = c->v->n_blocks;
	for (uint64_t i = 0; i < c->v->n_blocks; i++) {
		if (i % 4096 == 0 && platform_cancelled())
			return fail(c->err, ST_CANCELLED, "stopped at BAT entry %ju", i);
		if (vpc_entry(c->v, i) != VPC_NO_BLOCK)
			check_entry(c, i, &expected);
	}
	return ST_OK;
}

/* Moves the entry at `root` down a heap of `n`, until none below it is larger. */
static void sift(uint64_t *entry, size_t root, size_t n)
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		uint64_t moved = entry[root];

		if (child + 1 < n && entry[child + 1] > entry[child])
			child++;
		if (moved >= entry[child])
			return;
		entry[root] = entry[child];
		entry[child] = moved;
	}
}

static void sort(uint64_t *entry, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift(entry, i, n);
	for (size_t i = n; i-- > 1;) {
		uint64_t last = entry[i];

		entry[i] = entry[0];
		entry[0] = last;
		sift(entry, 0, i);
	}
}

enum status vpc_each_overlap(const struct vpc_image *v,
			     void (*each)(void *user, uint64_t a, uint64_t b), void *user)
{
	uint64_t space = vpc_block_space(v) / VPC_SECTOR;
	uint64_t *entry;
	size_t n = 0;

	for (uint64_t i = 0; i < v->n_blocks; i++)
		n += vpc_entry(v, i) != VPC_NO_BLOCK;
	if (n < 2)
		return ST_OK;
	entry = mem_alloc(n * sizeof *entry);
	if (entry == NULL)
		return ST_NO_MEMORY;
	n = 0;
	for (uint64_t i = 0; i < v->n_blocks; i++)
		if (vpc_entry(v, i) != VPC_NO_BLOCK)
			entry[n++] = (uint64_t)vpc_entry(v, i) << 32 | i;
	sort(entry, n);
	for (size_t i = 1; i < n; i++)
		if ((entry[i] >> 32) - (entry[i - 1] >> 32) < space)
			each(user, entry[i - 1] & UINT32_MAX, entry[i] & UINT32_MAX);
	mem_free(entry);
	return ST_OK;
}

static void tell_overlap(void *user, uint64_t a, uint64_t b)
{
	corrupt(user, "BAT entries %ju and %ju: the blocks share a part of the file", a, b);
}

static enum status check_overlaps(struct check *c)
{
	return vpc_each_overlap(c->v, tell_overlap, c) == ST_OK ? ST_OK : fail_no_memory(c->err);
}

static enum status check_bitmaps(struct check *c)
{
	struct vpc_image *v = c->v;
	uint8_t *bits = io_alloc(v->bitmap_bytes);
	enum status st = ST_OK;

	if (bits == NULL)
		return fail_no_memory(c->err);
	for (uint64_t i = 0; st == ST_OK && i < v->n_blocks; i++) {
		uint64_t at = vpc_block_at(vpc_entry(v, i));
		enum status read;

		if (vpc_entry(v, i) == VPC_NO_BLOCK ||
		    !range_ok(at, v->bitmap_bytes, vpc_file(v)->size))
			continue;
		if (platform_cancelled())
			st = fail(c->err, ST_CANCELLED, "stopped at the bitmap of block %ju", i);
		read = blk_read(vpc_file(v), at, bits, v->bitmap_bytes);
		if (read == ST_OK)
			continue;
		c->result.check_errors++;
		if (c->problems != NULL && c->result.check_errors <= CHECK_PROBLEMS_MAX)
			out_printf(c->problems,
				   "error: the bitmap of block %ju at offset %ju: %s\n", i, at,
				   status_text(read));
	}
	io_free(bits, v->bitmap_bytes);
	return st;
}

static enum status check_all(struct check *c)
{
	enum status st;

	if (c->v->type == VPC_FIXED)
		return ST_OK;
	st = vpc_read_bat(c->v, c->err);
	if (st != ST_OK)
		return st;
	check_front(c);
	check_end(c);
	st = check_entries(c);
	if (st == ST_OK)
		st = check_overlaps(c);
	if (st == ST_OK)
		st = check_bitmaps(c);
	if (st == ST_OK && c->result.corruptions == 0)
		check_left_over(c);
	c->result.image_end_offset = vpc_used_end(c->v) + (c->v->has_end ? VPC_FOOTER_BYTES : 0);
	return st;
}

enum status vpc_check(struct image *image, struct out *problems, struct check_result *ret,
		      struct error *err)
{
	struct check c = { .v = (struct vpc_image *)image, .problems = problems, .err = err };
	enum status st = check_all(&c);

	if (st == ST_OK)
		*ret = c.result;
	return st;
}

/* ---- repairing ---- */

/* The footer at the front, from the one at the end. */
static enum status restore_front(struct vpc_image *v)
{
	enum status st = vpc_write_footer(v, 0);

	if (st == ST_OK)
		st = blk_flush(vpc_file(v));
	if (st == ST_OK)
		v->at_front = VPC_GOOD;
	return st;
}

/* Puts the footer after the last block, and cuts the file there. */
static enum status restore_end(struct vpc_image *v)
{
	enum status st;

	v->footer_at = vpc_file(v)->size;
	v->next = is_xen(v) ? round_up(v->footer_at, VPC_SECTOR) : vpc_used_end(v);
	v->end_due = true;
	/* A damaged footer, or a block that is cut off, may be where the new one goes. */
	st = vpc_trim(v);
	if (st == ST_OK) {
		v->at_end = VPC_GOOD;
		v->end_footer = v->footer;
	}
	return st;
}

/* An image that is being created has no footer at its end: what a cut has left there goes. */
static enum status cut(struct vpc_image *v)
{
	struct blk *file = vpc_file(v);
	enum status st = ST_OK;

	if (vpc_used_end(v) < file->size)
		st = blk_resize(file, vpc_used_end(v), PREALLOC_OFF);
	return st == ST_OK ? blk_flush(file) : st;
}

static enum status repair_found(struct vpc_image *v, enum repair what,
				const struct check_result *found, struct check_result *ret)
{
	uint64_t damaged = 0;
	enum status st = ST_OK;

	damaged += v->at_front != VPC_GOOD;
	damaged += v->has_end && v->at_end == VPC_WRONG_SUM;
	if (what == REPAIR_ALL && damaged == found->corruptions) {
		ret->corruptions_fixed = damaged;
		st = v->at_front != VPC_GOOD ? restore_front(v) : ST_OK;
	} else if (found->corruptions > 0) {
		return ST_OK; /* what is left over may be what a damaged entry has meant */
	}
	ret->leaks_fixed = found->leaks;
	if (st == ST_OK && v->has_end && (damaged > 0 || found->leaks > 0))
		st = restore_end(v);
	return st;
}

enum status vpc_repair(struct image *image, enum repair what, struct out *problems,
		       struct check_result *ret, struct error *err)
{
	struct vpc_image *v = (struct vpc_image *)image;
	struct check_result found, fixed = { 0 };
	enum status st = vpc_check(image, problems, &found, err);

	if (st != ST_OK)
		return st;
	if (image->unfinished != NULL && v->type != VPC_FIXED && found.corruptions == 0)
		st = cut(v);
	else if (v->type != VPC_FIXED && found.corruptions + found.leaks > 0)
		st = repair_found(v, what, &found, &fixed);
	if (st != ST_OK)
		return fail(err, st, "writing its footers: %s", status_text(st));
	*ret = found;
	if (fixed.corruptions_fixed + fixed.leaks_fixed == 0)
		return ST_OK;
	st = vpc_check(image, problems, ret, err);
	ret->corruptions_fixed = fixed.corruptions_fixed;
	ret->leaks_fixed = fixed.leaks_fixed;
	return st;
}
