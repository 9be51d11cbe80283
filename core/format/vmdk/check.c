/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking: every entry of every grain table. It must name a grain that lies in the file, after the
 * metadata, that no other entry names, and both copies of the tables must say the same. In a
 * stream, the marker of the grain must be that of its place on the disk, which says that no other
 * entry can be right in naming it. Lengths of flat extents are checked when the image is opened;
 * here, that no two of them have the same bytes of a file.
 *
 * Copies that differ in an image that was not closed cleanly are what a power cut leaves: nothing
 * is lost, so they count as leaks, which a repair removes.
 *
 * Memory: a bit for each grain of the longest file, 2 MiB per TiB with grains of 64 KiB.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "format/vmdk/image.h"
#include "platform/person.h"

enum { BITMAP_BYTES_MAX = 64 << 20, TABLES_BYTES = 1 << 20 };

struct check {
	struct vmdk_image *v;
	struct out *problems; /* NULL: they are only counted */
	uint64_t n_problems;
	struct check_result result;
	struct vmdk_extent *extent; /* the one that is checked */
	uint8_t *used;              /* a bit for each grain of its file; NULL: not checked */
	uint64_t n_used, first;     /* grains begin at `first` modulo their size */
	bool has_first;
};

/* Begins the line of a problem. NULL: it is only counted. */
static struct out *begin(struct check *c, const char *kind)
{
	c->n_problems++;
	if (c->problems == NULL)
		return NULL;
	if (c->n_problems == CHECK_PROBLEMS_MAX + 1)
		out_printf(c->problems, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
	if (c->n_problems > CHECK_PROBLEMS_MAX)
		return NULL;
	out_printf(c->problems, "%s: ", kind);
	if (c->extent->file > 0)
		out_printf(c->problems, "%s: ", c->v->image.file[c->extent->file].name);
	return c->problems;
}

static void tell(struct check *c, const char *kind, uint64_t grain, uint32_t entry,
		 const char *what)
{
	struct out *out = begin(c, kind);

	if (out != NULL)
		out_printf(out, "grain %ju, entry 0x%x: %s\n", grain, entry, what);
}

static void corrupt(struct check *c, uint64_t grain, uint32_t entry, const char *what)
{
	tell(c, "corrupt", grain, entry, what);
	c->result.corruptions++;
}

/* ---- one grain ---- */

/* Whether the grain at `offset` is named for the first time. */
static bool take_grain(struct check *c, uint64_t offset)
{
	uint64_t grain = c->extent->sparse.grain_bytes, i;

	if (!c->has_first) {
		c->first = offset % grain;
		c->has_first = true;
	}
	i = offset / grain;
	/* To tell grains apart that do not lie as the first one does, more memory is needed. */
	if (c->used == NULL || offset % grain != c->first || i >= c->n_used)
		return true;
	if ((c->used[i / 8] >> i % 8 & 1) != 0)
		return false;
	c->used[i / 8] |= (uint8_t)(1 << i % 8);
	return true;
}

/* Before a compressed grain are its place on the disk and its length. */
static enum status check_marker(struct check *c, uint64_t index, uint32_t entry, uint64_t offset,
				struct error *err)
{
	const struct vmdk_sparse *sparse = &c->extent->sparse;
	bool has_place = (sparse->flags & VMDK_FLAG_MARKERS) != 0;
	uint8_t bytes[VMDK_GRAIN_MARKER_BYTES] = { 0 };
	size_t n = has_place ? VMDK_GRAIN_MARKER_BYTES : VMDK_BARE_MARKER_BYTES;
	uint64_t place, length;
	enum status st = blk_read_padded(vmdk_file(c->extent), offset, bytes, n);

	if (st != ST_OK)
		return fail(err, st, "reading grain %ju at offset %ju: %s", index, offset,
			    status_text(st));
	place = has_place ? bytes_from_le(bytes, 8) : 0;
	length = bytes_from_le(bytes + n - 4, 4);
	if (has_place && place != index * (sparse->grain_bytes / VMDK_SECTOR))
		corrupt(c, index, entry, "the marker there is that of another grain");
	else if (length == 0 || length > 2 * (uint64_t)sparse->grain_bytes)
		corrupt(c, index, entry, "its length is absurd");
	else if (!range_ok(offset + n, length, vmdk_file(c->extent)->size))
		corrupt(c, index, entry, "it ends past the end of the file");
	return ST_OK;
}

static enum status check_entry(struct check *c, uint64_t index, uint32_t entry, struct error *err)
{
	struct block_run run;
	enum status st = vmdk_entry_state(c->extent, entry, &run);

	if (st != ST_OK) {
		corrupt(c, index, entry, "it lies past the end of the file");
		return ST_OK;
	}
	if (run.state == BLOCK_PACKED)
		return check_marker(c, index, entry, run.offset, err);
	if (run.state != BLOCK_STORED)
		return ST_OK;
	if (run.offset < c->extent->sparse.overhead)
		corrupt(c, index, entry, "it lies in the metadata");
	else if (!take_grain(c, run.offset))
		corrupt(c, index, entry, "another grain lies there, too");
	return ST_OK;
}

static void check_copy(struct check *c, uint64_t index, uint32_t entry, uint32_t copy)
{
	static const char what[] = "the redundant grain table says something else";

	if (entry == copy)
		return;
	if (!c->extent->sparse.unclean) {
		corrupt(c, index, entry, what);
		return;
	}
	tell(c, "leak", index, entry, what);
	c->result.leaks++;
}

/* ---- extents ---- */

static uint64_t n_grains(const struct vmdk_extent *extent)
{
	return div_up(extent->size, extent->sparse.grain_bytes);
}

static enum status check_se_sparse(struct check *c, struct error *err)
{
	struct vmdk_extent *extent = c->extent;
	uint32_t grain = extent->sparse.grain_bytes;

	for (uint64_t i = 0; i < n_grains(extent); i++) {
		struct block_run run;
		enum status st = extent->map.ops->find(&extent->map, i * grain, grain, &run);

		if (st == ST_CORRUPT)
			corrupt(c, i, 0, "its entry means nothing, or lies past the end");
		else if (st != ST_OK)
			return fail(err, st, "reading grain table entry %ju: %s", i,
				    status_text(st));
		else if (run.state == BLOCK_STORED && !take_grain(c, run.offset))
			corrupt(c, i, 0, "another grain lies there, too");
		if (i % extent->sparse.table_entries == 0 && platform_cancelled())
			return fail(err, ST_CANCELLED, "stopped");
	}
	return ST_OK;
}

/* Tables that follow each other in the file, read at once. */
struct tables {
	uint8_t *bytes;
	uint64_t first, n; /* in the order of the directory */
};

/* The number of tables, from one of the directory on, that follow each other in the file. */
static uint64_t count_together(const struct vmdk_extent *extent, const uint32_t *directory,
			       uint64_t table)
{
	uint64_t bytes = extent->sparse.table_entries * UINT64_C(4), n = 1;
	uint64_t most = min_u64(TABLES_BYTES / bytes, extent->sparse.n_tables - table);

	if (directory[table] == 0 || bytes % VMDK_SECTOR != 0)
		return 1;
	while (n < most && directory[table + n] == directory[table] + n * (bytes / VMDK_SECTOR))
		n++;
	return n;
}

/* The table of a directory; one that has none there has a table of zeros. */
static enum status find_table(const struct vmdk_extent *extent, const uint32_t *directory,
			      uint64_t table, struct tables *tables, const uint8_t **ret)
{
	size_t bytes = (size_t)extent->sparse.table_entries * 4;
	uint64_t offset = (uint64_t)directory[table] * VMDK_SECTOR;
	enum status st = ST_OK;

	if (table < tables->first || table - tables->first >= tables->n) {
		uint64_t n = count_together(extent, directory, table);

		if (offset == 0)
			memset(tables->bytes, 0, bytes);
		else
			st = blk_read_padded(vmdk_file(extent), offset, tables->bytes,
					     (size_t)n * bytes);
		tables->first = table;
		tables->n = st == ST_OK ? n : 0;
	}
	*ret = tables->bytes + (table - tables->first) * bytes;
	return st;
}

/* Grains of which both tables say nothing need no look. */
static enum status check_table(struct check *c, uint64_t table, const uint8_t *entries,
			       const uint8_t *copies, struct error *err)
{
	uint32_t n_entries = c->extent->sparse.table_entries;
	uint64_t first = table * n_entries, n = min_u64(n_entries, n_grains(c->extent) - first);
	size_t bytes = (size_t)n_entries * 4;
	enum status st = ST_OK;

	if (is_zero(entries, bytes) && is_zero(copies, bytes))
		return ST_OK;
	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		uint32_t entry = (uint32_t)bytes_from_le(entries + i * 4, 4);

		check_copy(c, first + i, entry, (uint32_t)bytes_from_le(copies + i * 4, 4));
		st = check_entry(c, first + i, entry, err);
	}
	return st;
}

static enum status check_tables(struct check *c, struct tables *tables, struct tables *copies,
				struct error *err)
{
	const struct vmdk_extent *extent = c->extent;
	const uint32_t *redundant = extent->redundant_directory;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i * extent->sparse.table_entries < n_grains(extent);
	     i++) {
		const uint8_t *table, *copy = NULL;

		if (platform_cancelled())
			return fail(err, ST_CANCELLED, "stopped");
		st = find_table(extent, extent->directory, i, tables, &table);
		if (st == ST_OK && redundant != NULL)
			st = find_table(extent, redundant, i, copies, &copy);
		if (st != ST_OK)
			return fail(err, st, "reading grain table %ju: %s", i, status_text(st));
		st = check_table(c, i, table, copy != NULL ? copy : table, err);
	}
	return st;
}

static enum status check_grains(struct check *c, struct error *err)
{
	struct tables tables = { .bytes = io_alloc(TABLES_BYTES) },
		      copies = { .bytes = io_alloc(TABLES_BYTES) };
	enum status st;

	if (tables.bytes != NULL && copies.bytes != NULL)
		st = check_tables(c, &tables, &copies, err);
	else
		st = fail_no_memory(err);
	io_free(tables.bytes, TABLES_BYTES);
	io_free(copies.bytes, TABLES_BYTES);
	return st;
}

/* Of an extent that could be written, what a damaged directory names as a table. */
static enum status check_places(struct check *c, struct error *err)
{
	const struct vmdk_extent *extent = c->extent;
	uint32_t misplaced = 0;

	if (extent->kind != VMDK_SPARSE || extent->sparse.compressed)
		return ST_OK;
	if (vmdk_find_misplaced_table(extent, &misplaced) != ST_OK)
		return fail_no_memory(err);
	if (misplaced != 0)
		corrupt(c, 0, misplaced, "something else lies where a grain table is named");
	return ST_OK;
}

static enum status check_extent(struct check *c, struct vmdk_extent *extent, struct error *err)
{
	uint64_t n = div_up(vmdk_file(extent)->size, extent->sparse.grain_bytes);
	enum status st;

	c->extent = extent;
	c->n_used = n;
	c->has_first = false;
	c->used = n / 8 < BITMAP_BYTES_MAX ? mem_alloc((size_t)(n / 8 + 1)) : NULL;
	if (c->used == NULL && n / 8 < BITMAP_BYTES_MAX)
		return fail_no_memory(err);
	st = check_places(c, err);
	if (st == ST_OK)
		st = extent->kind == VMDK_SE_SPARSE ? check_se_sparse(c, err)
						    : check_grains(c, err);
	mem_free(c->used);
	c->used = NULL;
	return st;
}

/* A disk must not have the same bytes twice: what is written to one place would show at another. */
static void check_flat(struct check *c, size_t i)
{
	size_t other = vmdk_shares_bytes(c->v, i);
	struct out *out;

	if (other == i)
		return;
	c->extent = &c->v->extent[i];
	c->result.corruptions++;
	out = begin(c, "corrupt");
	if (out != NULL)
		out_printf(out, "extents %zu and %zu have the same bytes of it\n", other, i);
}

enum status vmdk_check(struct image *image, struct out *problems, struct check_result *ret,
		       struct error *err)
{
	struct check c = { .v = vmdk_of(image), .problems = problems };
	enum status st = vmdk_prepare_maps(c.v, err);

	for (size_t i = 0; st == ST_OK && i < c.v->n_extents; i++) {
		if (c.v->extent[i].sparse.grain_bytes > 0)
			st = check_extent(&c, &c.v->extent[i], err);
		else
			check_flat(&c, i);
	}
	*ret = c.result;
	return st;
}
