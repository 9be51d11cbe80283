/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking an image: every reference to a cluster of the file is counted, and compared with the
 * refcounts of the file.
 *
 * Nothing that an image says decides how much memory or time that takes, only the length of its
 * file:
 * - Memory: for each cluster of the file as many bits as a refcount has, and three (what it is used
 *   as). With clusters of 64 KiB and refcounts of 16 bits that is 38 MiB per TiB of file. Besides,
 *   one cluster, and QCOW2_CHECK_PIECE entries of a table.
 * - Tables end, for us, where the file ends. In a sound image L1 and bitmap tables do not overlap,
 *   so that all of them together are no longer than the file; and an L1 table has no more L2 tables
 *   than the file has clusters. What goes beyond is corrupt and not walked.
 *
 * Problems are counted as qemu-img counts them, and told in its words, which scripts search for;
 * where an entry of a table is the problem, its place follows in parentheses. check_references.c
 * and check_refcounts.c say what qemu-img does not see: these are lines that begin with ERROR, too.
 */
#include "format/qcow2/check.h"

#include "base/memory.h"
#include "base/range.h"
#include "platform/person.h"

/* ---- problems ---- */

__attribute__((format(printf, 2, 0))) static void tell(struct qcow2_check *c, const char *format,
						       va_list args)
{
	c->n_problems++;
	if (c->problems == NULL)
		return;
	if (c->n_problems == CHECK_PROBLEMS_MAX + 1)
		out_printf(c->problems, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
	if (c->n_problems > CHECK_PROBLEMS_MAX)
		return;
	out_vprintf(c->problems, format, args);
	if (c->place.table != NULL)
		out_printf(c->problems, " (%s at 0x%jx, entry %ju: 0x%jx)", c->place.table,
			   c->place.offset, c->place.index, c->place.value);
	out_text(c->problems, "\n");
}

void qcow2_check_corrupt(struct qcow2_check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, format, args);
	va_end(args);
	c->result.corruptions++;
}

void qcow2_check_leak(struct qcow2_check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, format, args);
	va_end(args);
	c->result.leaks++;
}

void qcow2_check_unknown(struct qcow2_check *c, uint64_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(c, format, args);
	va_end(args);
	c->result.check_errors += n;
}

/* ---- reading tables ---- */

static enum status read_some(struct qcow2_check *c, const char *what, uint64_t offset, void *buf,
			     size_t n)
{
	enum status st;

	if (platform_cancelled())
		return fail(c->err, ST_CANCELLED, "%s", status_text(ST_CANCELLED));
	st = blk_read_padded(c->file, offset, buf, n);
	return st == ST_OK ? ST_OK
			   : fail(c->err, st, "reading the %s at 0x%jx: %s", what, offset,
				  status_text(st));
}

uint64_t qcow2_check_in_file(const struct qcow2_check *c, uint64_t offset, uint64_t n)
{
	return offset < c->file->size ? min_u64(n, div_up(c->file->size - offset, 8)) : 0;
}

enum status qcow2_check_piece(struct qcow2_check *c, const char *what, uint64_t offset,
			      uint64_t first, uint64_t n, uint64_t *ret_count)
{
	*ret_count = min_u64(n - first, QCOW2_CHECK_PIECE);
	return read_some(c, what, offset + first * 8, c->piece,
			 (size_t)*ret_count * sizeof *c->piece);
}

enum status qcow2_check_table(struct qcow2_check *c, const char *what, uint64_t offset)
{
	return read_some(c, what, offset, c->table, c->q->image.cluster_bytes);
}

/* ---- the check as a whole ---- */

enum status qcow2_check_begin(struct qcow2_check *c)
{
	c->table = mem_alloc(c->q->image.cluster_bytes);
	c->piece = mem_alloc(QCOW2_CHECK_PIECE * sizeof *c->piece);
	if (c->table == NULL || c->piece == NULL)
		return fail_no_memory(c->err);
	c->table_bytes_left = c->file->size + qcow2_cluster_bytes(&c->q->header);
	c->result.total_clusters = div_up(c->q->image.size, qcow2_cluster_bytes(&c->q->header));
	return qcow2_counts_init(c);
}

void qcow2_check_end(struct qcow2_check *c)
{
	qcow2_counts_free(c);
	mem_free(c->table);
	mem_free(c->piece);
}

enum status qcow2_check_counts(struct qcow2_check *c)
{
	enum status st = qcow2_check_begin(c);

	if (st == ST_OK)
		st = qcow2_check_references(c);
	if (st == ST_OK)
		st = qcow2_check_blocks(c);
	return st == ST_OK ? qcow2_check_refcounts(c) : st;
}

enum status qcow2_check_all(struct qcow2_check *c)
{
	enum status st = qcow2_check_counts(c);

	return st == ST_OK ? qcow2_check_copied(c) : st;
}

enum status qcow2_check(struct image *image, struct out *problems, struct check_result *ret,
			struct error *err)
{
	struct qcow2_check c = {
		.q = (const struct qcow2_image *)image,
		.file = image->file[0].blk,
		.problems = problems,
		.err = err,
	};
	enum status st = qcow2_check_all(&c);

	if (st == ST_OK)
		*ret = c.result;
	qcow2_check_end(&c);
	return st;
}
