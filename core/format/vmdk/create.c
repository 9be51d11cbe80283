/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating a VMDK of one of the five kinds that qemu-img makes.
 *
 *   sparse extent:   header | descriptor | directory and tables | both once more | grains
 *   flat extent:     the bytes of the disk
 *   streamOptimized: header | descriptor | what follows the grains (stream.c)
 *
 * monolithicSparse and streamOptimized are one file; of the others the descriptor is a file of its
 * own, and the extents are beside it. All tables of a sparse extent exist from the beginning, so
 * that it never has to grow any. Extents of split images have at most 2 GiB of the disk each: even
 * full ones fit a FAT volume, which makes twoGbMaxExtentSparse the natural kind there.
 *
 * Write order: the extents, then the descriptor. The caller keeps back the first sector of the
 * descriptor, or of the only file, until the rest is on the medium.
 */
#include "base/memory.h"
#include "base/out_memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "format/new_guid.h"
#include "format/vmdk/image.h"
#include "platform/path.h"

enum subformat { MONOLITHIC_SPARSE, MONOLITHIC_FLAT, SPLIT_SPARSE, SPLIT_FLAT, STREAM };

static const char *const subformats[] = { "monolithicSparse",     "monolithicFlat",
					  "twoGbMaxExtentSparse", "twoGbMaxExtentFlat",
					  "streamOptimized",      NULL };
static const char *const adapters[] = { "ide", "lsilogic", "buslogic", "legacyESX", NULL };

#define EXTENT_BYTES_MAX (UINT64_C(2) << 30)

/* In the order in which qemu-img lists them when it says what it formats. */
const struct create_option vmdk_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "adapter_type",
	  .type = OPTION_CHOICE,
	  .choices = adapters,
	  .help = "ide, lsilogic, buslogic or legacyESX" },
	{ .name = "backing_file",
	  .type = OPTION_TEXT,
	  .help = "the vmdk image that shows where this one has nothing" },
	{ .name = "backing_fmt", .type = OPTION_TEXT, .help = "format of the backing file: vmdk" },
	{ .name = "compat6",
	  .type = OPTION_BOOL,
	  .default_text = "off",
	  .help = "hardware version 6 instead of 4" },
	{ .name = "hwversion",
	  .type = OPTION_TEXT,
	  .default_text = "undefined",
	  .help = "hardware version" },
	{ .name = "toolsversion", .type = OPTION_TEXT, .help = "version of VMware's guest tools" },
	{ .name = "subformat",
	  .type = OPTION_CHOICE,
	  .choices = subformats,
	  .help = "monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat or "
		  "streamOptimized" },
	{ .name = "zeroed_grain",
	  .type = OPTION_BOOL,
	  .help = "zeros over a backing file take no space" },
	{ 0 },
};

static enum subformat subformat_of(const struct create_request *request)
{
	return (enum subformat)create_value(request->options, "subformat")->number;
}

bool vmdk_resumable(const struct create_values *options)
{
	return create_value(options, "subformat")->number == MONOLITHIC_SPARSE;
}

static bool is_flat(enum subformat subformat)
{
	return subformat == MONOLITHIC_FLAT || subformat == SPLIT_FLAT;
}

static bool has_descriptor_file(enum subformat subformat)
{
	return subformat != MONOLITHIC_SPARSE && subformat != STREAM;
}

static uint64_t n_extents(const struct create_request *request)
{
	enum subformat subformat = subformat_of(request);

	if (subformat == SPLIT_FLAT || subformat == SPLIT_SPARSE)
		return div_up(request->size, EXTENT_BYTES_MAX);
	return 1;
}

static uint64_t extent_bytes(const struct create_request *request, uint64_t index)
{
	return n_extents(request) == 1
		       ? request->size
		       : min_u64(EXTENT_BYTES_MAX, request->size - index * EXTENT_BYTES_MAX);
}

/* ---- layout ---- */

static uint64_t directory_bytes(const struct vmdk_sparse *sparse)
{
	return round_up(sparse->n_tables * 4, VMDK_SECTOR);
}

/* An extent with grains for so much of the disk. */
static struct vmdk_sparse layout(const struct create_request *request, uint64_t bytes)
{
	bool stream = subformat_of(request) == STREAM;
	bool zeroed = create_value(request->options, "zeroed_grain")->on;
	struct vmdk_sparse sparse = {
		.version = stream   ? 3
			   : zeroed ? 2
				    : 1,
		.flags = VMDK_FLAG_NEWLINE_TEST |
			 (stream ? VMDK_FLAG_COMPRESSED | VMDK_FLAG_MARKERS : VMDK_FLAG_REDUNDANT),
		.capacity = bytes,
		.grain_bytes = VMDK_GRAIN_SECTORS * VMDK_SECTOR,
		.table_entries = VMDK_TABLE_ENTRIES,
		.descriptor = VMDK_SECTOR,
		.descriptor_bytes = (uint64_t)VMDK_DESCRIPTOR_SECTORS * VMDK_SECTOR,
		.compressed = stream,
		.directory_at_end = stream,
	};
	uint64_t end = sparse.descriptor + sparse.descriptor_bytes, copy;

	sparse.n_tables = div_up(bytes, (uint64_t)sparse.grain_bytes * sparse.table_entries);
	if (!stream && zeroed)
		sparse.flags |= VMDK_FLAG_ZEROED;
	copy = directory_bytes(&sparse) + sparse.n_tables * VMDK_TABLE_BYTES;
	if (!stream) {
		sparse.redundant_directory = end;
		sparse.directory = end + copy;
		end += 2 * copy;
	}
	sparse.overhead = round_up(end, sparse.grain_bytes);
	return sparse;
}

/* The name of an extent's file beside the image, which the caller frees. NULL: no memory. */
static char *extent_name(const struct create_request *request, uint64_t index)
{
	const char *leaf = path_leaf(request->file_name), *dot = NULL;
	enum subformat subformat = subformat_of(request);

	for (const char *s = leaf; *s != '\0'; s++)
		dot = *s == '.' ? s : dot;
	if (dot == NULL)
		dot = leaf + text_length(leaf);
	if (!has_descriptor_file(subformat))
		return out_new("%s", leaf);
	if (subformat == MONOLITHIC_FLAT)
		return out_new("%.*s-flat%s", (int)(dot - leaf), leaf, dot);
	return out_new("%.*s-%c%03ju%s", (int)(dot - leaf), leaf,
		       subformat == SPLIT_FLAT ? 'f' : 's', index + 1, dot);
}

/* ---- the descriptor ---- */

static void print_head(const struct create_request *request, uint32_t cid, struct out *out)
{
	uint32_t parent = request->backing_name == NULL
				  ? VMDK_NO_PARENT
				  : (uint32_t)bytes_from_le(request->backing_id.b, 4);

	out_printf(out,
		   "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%08x\n"
		   "createType=\"%s\"\n",
		   cid, parent, subformats[subformat_of(request)]);
	if (request->backing_name != NULL)
		out_printf(out, "parentFileNameHint=\"%s\"\n", request->backing_name);
	out_text(out, "\n# Extent description\n");
}

static enum status print_extents(const struct create_request *request, struct out *out)
{
	bool flat = is_flat(subformat_of(request));

	for (uint64_t i = 0; i < n_extents(request); i++) {
		char *name = extent_name(request, i);

		if (name == NULL)
			return ST_NO_MEMORY;
		out_printf(out, "RW %ju %s \"%s\"%s\n", extent_bytes(request, i) / VMDK_SECTOR,
			   flat ? "FLAT" : "SPARSE", name, flat ? " 0" : "");
		mem_free(name);
	}
	return ST_OK;
}

static void print_database(const struct create_request *request, struct out *out)
{
	const char *hardware = create_value(request->options, "hwversion")->text,
		   *tools = create_value(request->options, "toolsversion")->text;
	uint64_t adapter = create_value(request->options, "adapter_type")->number;
	uint64_t heads = adapter == 0 ? 16 : 255, sectors = 63;

	if (text_equal(hardware, "undefined"))
		hardware = create_value(request->options, "compat6")->on ? "6" : "4";
	out_printf(out,
		   "\n# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"%s\"\n"
		   "ddb.geometry.cylinders = \"%ju\"\nddb.geometry.heads = \"%ju\"\n"
		   "ddb.geometry.sectors = \"%ju\"\nddb.adapterType = \"%s\"\n"
		   "ddb.toolsVersion = \"%s\"\n",
		   hardware, request->size / VMDK_SECTOR / (heads * sectors), heads, sectors,
		   adapters[adapter], tools != NULL ? tools : "2147483647");
}

/*
 * Makes the text, which the caller frees. A file of its own fills a sector, with empty lines if
 * need be: that is what is written at once.
 */
static enum status make_descriptor(const struct create_request *request, struct out_memory *ret,
				   struct error *err)
{
	bool own_file = has_descriptor_file(subformat_of(request));
	size_t most = own_file ? VMDK_DESCRIPTOR_BYTES_MAX : VMDK_DESCRIPTOR_SECTORS * VMDK_SECTOR;
	struct guid guid;
	enum status st;

	new_guid(request->file_name, 0, &guid);
	out_memory_init(ret, most);
	print_head(request, (uint32_t)bytes_from_le(guid.b, 4), &ret->out);
	st = print_extents(request, &ret->out);
	if (st != ST_OK)
		return fail_no_memory(err);
	print_database(request, &ret->out);
	while (own_file && ret->n < VMDK_SECTOR && !ret->out.failed)
		out_text(&ret->out, "\n");
	if (ret->n + ret->left_out > most)
		return fail(err, ST_TOO_LARGE,
			    "its descriptor would have %ju bytes, but there is room for %zu: "
			    "shorten the names, or make the disk smaller",
			    ret->n + ret->left_out, most);
	return ret->out.failed ? fail_no_memory(err) : ST_OK;
}

/* ---- planning ---- */

static enum status check_texts(const struct create_request *request, struct error *err)
{
	static const char *const names[] = { "hwversion", "toolsversion" };
	enum status st = vmdk_check_name(path_leaf(request->file_name), "the image", err);

	for (size_t i = 0; st == ST_OK && i < sizeof names / sizeof names[0]; i++) {
		const char *text = create_value(request->options, names[i])->text;

		for (; text != NULL && *text != '\0'; text++)
			if (*text == '"' || (unsigned char)*text < ' ')
				return fail(err, ST_INVALID,
					    "option %s: quotes and ends of lines have no place in "
					    "a descriptor",
					    names[i]);
	}
	if (st == ST_OK && text_find(path_leaf(request->file_name), '"') != NULL)
		st = fail(err, ST_INVALID, "the name of a vmdk image cannot have quotes in it");
	return st;
}

static enum status check_backing(const struct create_request *request, struct error *err)
{
	if (request->backing_name == NULL)
		return ST_OK;
	if (is_flat(subformat_of(request)))
		return fail(err, ST_INVALID,
			    "option subformat: a flat image cannot have a backing file");
	if (request->backing_format != NULL && !text_equal(request->backing_format, "vmdk"))
		return fail(err, ST_INVALID,
			    "option backing_fmt: the backing file of a vmdk image must be a vmdk "
			    "image");
	if (request->backing_id.b[4] == 0)
		return fail(err, ST_INVALID,
			    "option -u: the backing file of a vmdk image must be there, because "
			    "its CID is stored in the new image");
	if (text_find(request->backing_name, '"') != NULL)
		return fail(err, ST_INVALID,
			    "option backing_file: the name cannot have quotes in it");
	return vmdk_check_name(request->backing_name, "option backing_file:", err);
}

static enum status check_request(const struct create_request *request, struct error *err)
{
	enum subformat subformat = subformat_of(request);
	bool hardware = !text_equal(create_value(request->options, "hwversion")->text, "undefined");
	struct vmdk_sparse sparse = layout(request, extent_bytes(request, 0));
	enum status st;

	if (hardware && create_value(request->options, "compat6")->on)
		return fail(err, ST_INVALID,
			    "option compat6: it sets the hardware version, which hwversion does, "
			    "too; give one of them");
	if (is_flat(subformat) && create_value(request->options, "zeroed_grain")->on)
		return fail(err, ST_INVALID, "option zeroed_grain: a flat image has no grains");
	if (n_extents(request) > VMDK_EXTENTS_MAX || sparse.n_tables > VMDK_DIRECTORY_MAX ||
	    (has_descriptor_file(subformat) && extent_bytes(request, 0) > VMDK_FILE_SPAN))
		return fail(err, ST_TOO_LARGE,
			    "option size: a disk of %ju bytes is more than subformat %s can have",
			    request->size, subformats[subformat]);
	st = check_texts(request, err);
	return st == ST_OK ? check_backing(request, err) : st;
}

static uint64_t first_bytes(const struct create_request *request, uint64_t index)
{
	struct vmdk_sparse sparse = layout(request, extent_bytes(request, index));
	uint64_t end = UINT64_C(4) * VMDK_SECTOR + directory_bytes(&sparse);

	if (is_flat(subformat_of(request)))
		return extent_bytes(request, index);
	return sparse.overhead + (sparse.directory_at_end ? end : 0);
}

/*
 * Of a stream: the empty image, whose first bytes are written last; later, after the grains, what
 * each flush writes anew: a grain, its table, the directory and the footer.
 */
uint64_t vmdk_changed_end_bytes(const struct create_request *request)
{
	uint64_t grain = UINT64_C(2) * VMDK_GRAIN_SECTORS * VMDK_SECTOR;

	return subformat_of(request) == STREAM
		       ? first_bytes(request, 0) + grain + VMDK_TABLE_BYTES + VMDK_SECTOR
		       : 0;
}

enum status vmdk_plan(const struct create_request *request, struct create_plan *ret,
		      struct error *err)
{
	bool descriptor = has_descriptor_file(subformat_of(request));
	struct out_memory text;
	enum status st = check_request(request, err);

	if (st == ST_OK && request->compressed && subformat_of(request) != STREAM)
		st = fail(err, ST_UNSUPPORTED,
			  "option -c: of the kinds of vmdk only streamOptimized is compressed "
			  "(-o subformat=streamOptimized)");
	if (st != ST_OK)
		return st;
	st = make_descriptor(request, &text, err);
	if (st == ST_OK)
		st = create_plan_add(ret, request->file_name,
				     descriptor ? text.n : first_bytes(request, 0), PREALLOC_OFF,
				     err);
	out_memory_free(&text);
	for (uint64_t i = 0; descriptor && st == ST_OK && i < n_extents(request); i++) {
		char *name = extent_name(request, i);

		if (name == NULL)
			return fail_no_memory(err);
		st = create_plan_add(ret, name, first_bytes(request, i), PREALLOC_OFF, err);
		mem_free(name);
	}
	return st;
}

enum status vmdk_measure(const struct create_request *request, const struct image *source,
			 struct image_measure *ret, struct error *err)
{
	enum subformat subformat = subformat_of(request);
	uint64_t bytes = 0, grain = (uint64_t)VMDK_GRAIN_SECTORS * VMDK_SECTOR, n, all;

	(void)source;
	for (uint64_t i = 0; i < n_extents(request); i++)
		bytes += first_bytes(request, i);
	if (is_flat(subformat)) {
		*ret = (struct image_measure){ .full_bytes = bytes, .data_bytes = bytes };
		return ST_OK;
	}
	n = div_up(request->size, grain);
	/* a grain of a stream that does not get smaller takes a sector more, besides the tables */
	all = subformat == STREAM
		      ? n * (grain + VMDK_SECTOR) +
				div_up(n, VMDK_TABLE_ENTRIES) * (VMDK_TABLE_BYTES + VMDK_SECTOR)
		      : n * grain;
	if (!add_ok(bytes, all, &all))
		return fail(err, ST_TOO_LARGE, "a disk of %ju bytes is too large", request->size);
	*ret = (struct image_measure){ .full_bytes = all,
				       .data_bytes = n * grain,
				       .block_bytes = (uint32_t)grain };
	return ST_OK;
}

/* ---- writing ---- */

/* A directory whose tables follow it, as all others are zeros. */
static enum status write_directory(struct blk *file, const struct vmdk_sparse *sparse, uint64_t at)
{
	enum { CHUNK = 16384, CHUNK_BYTES = 4 * CHUNK };
	uint64_t first = (at + directory_bytes(sparse)) / VMDK_SECTOR,
		 sectors = VMDK_TABLE_BYTES / VMDK_SECTOR;
	uint8_t *bytes = io_alloc(CHUNK_BYTES);
	enum status st = bytes != NULL ? ST_OK : ST_NO_MEMORY;

	for (uint64_t i = 0, n; st == ST_OK && i < sparse->n_tables; i += n) {
		n = min_u64(CHUNK, sparse->n_tables - i);
		for (uint64_t j = 0; j < n; j++)
			bytes_to_le(bytes + 4 * j, 4, first + (i + j) * sectors);
		st = blk_write(file, at + 4 * i, bytes, (size_t)(4 * n));
	}
	io_free(bytes, CHUNK_BYTES);
	return st;
}

/* An extent with grains, of which there are none yet; `text` (NULL: none) is its descriptor. */
static enum status write_sparse(struct blk *file, const struct vmdk_sparse *sparse,
				const struct out_memory *text)
{
	struct vmdk_disk_header header;
	uint64_t end;
	enum status st = blk_resize(file, sparse->overhead, PREALLOC_OFF);

	if (st == ST_OK && !sparse->directory_at_end)
		st = write_directory(file, sparse, sparse->redundant_directory);
	if (st == ST_OK && !sparse->directory_at_end)
		st = write_directory(file, sparse, sparse->directory);
	if (st == ST_OK && sparse->directory_at_end)
		st = vmdk_stream_write_empty(file, sparse, &end);
	if (st == ST_OK && text != NULL)
		st = blk_write(file, sparse->descriptor, text->text, text->n);
	vmdk_header_make(sparse, &header);
	return st == ST_OK ? blk_write(file, 0, &header, sizeof header) : st;
}

/* Of a flat extent that is filled at once, the zeros are written where nothing else is. */
static enum status write_extent(const struct create_request *request, uint64_t index,
				struct blk *file)
{
	uint64_t bytes = extent_bytes(request, index);
	struct vmdk_sparse sparse = layout(request, bytes);

	if (!is_flat(subformat_of(request)))
		return write_sparse(file, &sparse, NULL);
	return request->filled ? ST_OK : blk_resize(file, bytes, PREALLOC_OFF);
}

enum status vmdk_write_files(const struct create_request *request, struct blk *const file[],
			     struct error *err)
{
	struct out_memory text;
	enum status st = make_descriptor(request, &text, err);

	if (st != ST_OK) {
		out_memory_free(&text);
		return st;
	}
	if (has_descriptor_file(subformat_of(request))) {
		for (uint64_t i = 0; st == ST_OK && i < n_extents(request); i++)
			st = write_extent(request, i, file[1 + i]);
		if (st == ST_OK)
			st = blk_write(file[0], 0, text.text, text.n);
	} else {
		struct vmdk_sparse sparse = layout(request, request->size);

		st = write_sparse(file[0], &sparse, &text);
	}
	out_memory_free(&text);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}
