/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening: what the image is made of.
 *
 * An image is a descriptor in a file of its own, which names the files of the extents, or a sparse
 * extent with the descriptor inside, or (one that VMware has written, without room for it) without
 * a descriptor. As by qemu-img, one whose room for a descriptor is empty is refused: it is a part
 * of a split image, which may be unfinished. The headers of all extents are read here, since `info`
 * shows them, and a file that is missing is told before anything is written; each file is closed
 * after it, and opened again, for writing if that is asked for, when the disk is loaded.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "format/vmdk/image.h"
#include "platform/path.h"
#include "storage/storage.h"

/* ---- the descriptor ---- */

static enum status refuse_single(const char *type, struct error *err)
{
	return fail(err, ST_UNSUPPORTED,
		    "this is an extent of type %s without its descriptor; open the small file "
		    "%s that names it",
		    type, "NAME.vmdk");
}

static enum status read_text(struct blk *file, uint64_t offset, uint64_t bytes,
			     struct vmdk_descriptor *ret, struct error *err)
{
	char *text;
	enum status st;

	if (bytes > VMDK_DESCRIPTOR_BYTES_MAX)
		return fail(err, ST_UNSUPPORTED,
			    "its descriptor of %ju bytes is longer than there can be (%d)", bytes,
			    VMDK_DESCRIPTOR_BYTES_MAX);
	text = mem_alloc((size_t)bytes + 1);
	if (text == NULL)
		return fail_no_memory(err);
	st = blk_read(file, offset, text, (size_t)bytes);
	if (st != ST_OK) {
		mem_free(text);
		return fail(err, st, "reading its descriptor: %s", status_text(st));
	}
	/* QEMU leaves room for one in each file of a split image, which stays empty. */
	if (offset > 0 && text[0] == '\0') {
		mem_free(text);
		return refuse_single("SPARSE", err);
	}
	return vmdk_descriptor_parse(text, (size_t)bytes, ret, err);
}

static enum status check_create_type(const struct vmdk_descriptor *d, bool inside,
				     struct error *err)
{
	static const char *const of_files[] = { "monolithicFlat",       "vmfs",
						"twoGbMaxExtentSparse", "vmfsSparse",
						"twoGbMaxExtentFlat",   "seSparse" };
	static const char *const of_extents[] = { "monolithicSparse", "streamOptimized" };
	const char *const *known = inside ? of_extents : of_files;
	size_t n = inside ? sizeof of_extents / sizeof *of_extents
			  : sizeof of_files / sizeof *of_files;

	for (size_t i = 0; i < n; i++)
		if (text_equal_nocase(d->create_type, known[i]))
			return ST_OK;
	return fail(err, ST_UNSUPPORTED,
		    "its descriptor: createType \"%s\" is not one that efi-img opens",
		    d->create_type);
}

/* ---- extents ---- */

static enum status add_size(struct image *image, struct vmdk_extent *extent, struct error *err)
{
	extent->disk_offset = image->size;
	if (!add_ok(image->size, extent->size, &image->size) || image->size > SIZE_LIMIT)
		return fail(err, ST_CORRUPT, "its extents make a disk that is impossibly long");
	return ST_OK;
}

/* Whether the file of an extent is there and long enough; the header of one with grains. */
static enum status look_at_file(struct vmdk_extent *extent, struct blk *file, struct error *err)
{
	uint64_t end = extent->flat_offset + extent->size;

	if (extent->kind != VMDK_FLAT)
		return vmdk_header_read(file, &extent->sparse, err);
	/* That of a new image gets longer as it is written. */
	if (file->size >= end || extent->vmdk->image.unfinished != NULL)
		return ST_OK;
	return fail(err, ST_CORRUPT, "it has %ju bytes, but the extent needs %ju: it is truncated",
		    file->size, end);
}

static enum status check_kind(const struct vmdk_extent *extent, struct blk *file, struct error *err)
{
	uint8_t head[VMDK_SECTOR];
	enum status st;

	if (extent->kind == VMDK_FLAT)
		return ST_OK;
	st = blk_read_padded(file, 0, head, sizeof head);
	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (extent->kind == VMDK_SPARSE ? vmdk_is_sparse(head)
	    : extent->kind == VMDK_COWD ? vmdk_is_cowd(head)
					: vmdk_is_se_sparse(head))
		return ST_OK;
	return fail(err, ST_CORRUPT, "it does not begin as an extent of its type does");
}

static enum status look_at_extent(struct vmdk_extent *extent, struct error *err)
{
	struct image *image = &extent->vmdk->image;
	const char *name = image->file[extent->file].name;
	struct blk *file;
	struct error why;
	enum status st = storage_reopen(image->storage, name, OPEN_READ, &file, &why);

	if (st != ST_OK)
		return fail(err, st, "its extent: %s", why.text);
	st = check_kind(extent, file, &why);
	if (st == ST_OK)
		st = look_at_file(extent, file, &why);
	blk_close(file);
	if (st == ST_OK && extent->kind != VMDK_FLAT && extent->sparse.capacity != extent->size) {
		error_set(&why, "its header has %ju sectors, but the descriptor says %ju",
			  extent->sparse.capacity / VMDK_SECTOR, extent->size / VMDK_SECTOR);
		st = ST_CORRUPT;
	}
	return st == ST_OK ? ST_OK : fail(err, st, "its extent %s: %s", name, why.text);
}

/* The file of a line, which flat extents may share. */
static enum status find_file(struct vmdk_image *v, const struct vmdk_line *line, bool flat,
			     size_t *ret, struct error *err)
{
	struct image *image = &v->image;
	char *path = path_relative_to(image->name, line->name);
	size_t last = image->n_files - 1;

	if (path == NULL)
		return fail_no_memory(err);
	if (last > 0 && text_equal(image->file[last].name, path)) {
		mem_free(path);
		*ret = last;
		return flat ? ST_OK
			    : fail(err, ST_CORRUPT, "its descriptor has the extent \"%s\" twice",
				   line->name);
	}
	*ret = image->n_files;
	return image_add_file(image, path, (image->n_files - 1) * VMDK_FILE_SPAN, VMDK_FILE_SPAN,
			      err);
}

static enum vmdk_kind kind_of(const struct vmdk_line *line)
{
	if (text_equal(line->type, "ZERO"))
		return VMDK_ZEROS;
	if (text_equal(line->type, "SPARSE"))
		return VMDK_SPARSE;
	if (text_equal(line->type, "VMFSSPARSE"))
		return VMDK_COWD;
	return text_equal(line->type, "SESPARSE") ? VMDK_SE_SPARSE : VMDK_FLAT;
}

static enum status add_extent(struct vmdk_image *v, const struct vmdk_line *line, struct error *err)
{
	struct vmdk_extent *extent = &v->extent[v->n_extents++];
	uint64_t span = VMDK_FILE_SPAN / VMDK_SECTOR;
	enum status st = ST_OK;

	*extent = (struct vmdk_extent){ .vmdk = v,
					.kind = kind_of(line),
					.read_only = line->access == VMDK_ACCESS_RDONLY,
					.size = line->sectors * VMDK_SECTOR };
	if (extent->kind != VMDK_ZEROS && !range_ok(line->offset_sectors, line->sectors, span))
		return fail(err, ST_UNSUPPORTED,
			    "its extent \"%s\" is longer than efi-img can open (%ju bytes)",
			    line->name, (uintmax_t)VMDK_FILE_SPAN);
	extent->flat_offset = line->offset_sectors * VMDK_SECTOR;
	if (extent->kind != VMDK_ZEROS)
		st = find_file(v, line, extent->kind == VMDK_FLAT, &extent->file, err);
	if (st == ST_OK && extent->kind != VMDK_ZEROS)
		st = look_at_extent(extent, err);
	return st == ST_OK ? add_size(&v->image, extent, err) : st;
}

size_t vmdk_shares_bytes(const struct vmdk_image *v, size_t i)
{
	const struct vmdk_extent *extent = &v->extent[i];

	for (size_t k = extent->kind == VMDK_FLAT ? i : 0; k-- > 0;) {
		const struct vmdk_extent *other = &v->extent[k];

		if (other->kind == VMDK_ZEROS)
			continue;
		if (other->file != extent->file) /* only neighbours share one: find_file() */
			break;
		if (extent->flat_offset < other->flat_offset + other->size &&
		    other->flat_offset < extent->flat_offset + extent->size)
			return k;
	}
	return i;
}

static enum status open_files(struct vmdk_image *v, struct error *err)
{
	struct vmdk_descriptor *d = &v->descriptor;
	struct blk *file = v->image.file[0].blk;
	enum status st = read_text(file, 0, file->size, d, err);

	if (st == ST_OK)
		st = check_create_type(d, false, err);
	if (st != ST_OK)
		return st;
	v->has_descriptor = true;
	v->image.file[0].data_bytes = 0;
	v->extent = mem_alloc((d->n_lines + 1) * sizeof *v->extent);
	if (v->extent == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; st == ST_OK && i < d->n_lines; i++)
		if (d->line[i].sectors > 0)
			st = add_extent(v, &d->line[i], err);
	return st;
}

/* A file that is one extent, and mostly the whole image. */
static enum status open_monolithic(struct vmdk_image *v, struct error *err)
{
	struct blk *file = v->image.file[0].blk;
	struct vmdk_extent *extent = mem_alloc(sizeof *extent);
	enum status st;

	if (extent == NULL)
		return fail_no_memory(err);
	v->extent = extent;
	v->n_extents = 1;
	*extent = (struct vmdk_extent){ .vmdk = v, .kind = VMDK_SPARSE };
	st = vmdk_header_read(file, &extent->sparse, err);
	if (st != ST_OK)
		return st;
	extent->size = extent->sparse.capacity;
	v->descriptor_offset = extent->sparse.descriptor;
	if (v->descriptor_offset > 0)
		st = read_text(file, v->descriptor_offset, extent->sparse.descriptor_bytes,
			       &v->descriptor, err);
	v->has_descriptor = v->descriptor.text != NULL;
	if (st == ST_OK && v->has_descriptor)
		st = check_create_type(&v->descriptor, true, err);
	return st == ST_OK ? add_size(&v->image, extent, err) : st;
}

/* ---- the whole ---- */

/* What the image shows of grains: one size for all, or none. */
static void take_grains(struct vmdk_image *v)
{
	uint32_t grain = 0, least = UINT32_MAX;
	bool alike = true;

	for (size_t i = 0; i < v->n_extents; i++) {
		const struct vmdk_extent *extent = &v->extent[i];
		uint32_t bytes = extent->sparse.grain_bytes;

		v->image.dirty = v->image.dirty || extent->sparse.unclean;
		if (bytes == 0)
			continue;
		alike = alike && (grain == 0 || grain == bytes);
		grain = bytes;
		least = (uint32_t)min_u64(least, bytes);
	}
	v->image.cluster_bytes = alike ? grain : 0;
	v->image.unit_bytes = grain == 0 ? 0 : (uint32_t)min_u64(least, IMAGE_UNIT_MAX);
}

static enum status take_parent(struct vmdk_image *v, struct error *err)
{
	if (v->descriptor.parent_name == NULL)
		return ST_OK;
	v->image.backing_name = v->descriptor.parent_name;
	v->descriptor.parent_name = NULL;
	v->image.backing_format = text_copy("vmdk");
	return v->image.backing_format != NULL ? ST_OK : fail_no_memory(err);
}

enum status vmdk_open(struct image *image, struct error *err)
{
	struct vmdk_image *v = vmdk_of(image);
	uint8_t head[VMDK_SECTOR];
	enum status st = blk_read_padded(image->file[0].blk, 0, head, sizeof head);

	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (vmdk_is_sparse(head))
		st = open_monolithic(v, err);
	else if (vmdk_is_cowd(head) || vmdk_is_se_sparse(head))
		st = refuse_single(vmdk_is_cowd(head) ? "VMFSSPARSE" : "SESPARSE", err);
	else
		st = open_files(v, err);
	if (st == ST_OK)
		st = take_parent(v, err);
	if (st == ST_OK)
		take_grains(v);
	bytes_to_le(image->content_id.b, 4, v->descriptor.cid);
	image->content_id.b[4] = v->has_descriptor;
	return st;
}

void vmdk_close(struct image *image)
{
	struct vmdk_image *v = vmdk_of(image);

	vmdk_stream_close(v);
	for (size_t i = 0; i < v->n_extents; i++) {
		mem_free(v->extent[i].directory);
		mem_free(v->extent[i].redundant_directory);
	}
	mem_free(v->extent);
	table_cache_free(&v->tables);
	codec_close(v->codec);
	mem_free(v->packed);
	vmdk_descriptor_free(&v->descriptor);
}

/* ---- directories ---- */

/* The table of a COWD or sparse extent is where the entry says. */
static enum status take_entry(const struct vmdk_extent *extent, uint64_t index, uint64_t entry,
			      uint32_t *ret, struct error *err)
{
	const struct vmdk_sparse *sparse = &extent->sparse;
	uint64_t at = entry * VMDK_SECTOR;

	if (extent->kind == VMDK_SE_SPARSE) {
		if (entry == 0)
			return ST_OK;
		if (entry >> 32 != 0x10000000)
			return fail(err, ST_CORRUPT,
				    "entry %ju of its grain directory is 0x%jx, which means "
				    "nothing",
				    index, entry);
		at = sparse->tables + (entry & UINT32_MAX) * sparse->table_bytes;
		entry = (entry & UINT32_MAX) + 1;
		if (entry > UINT32_MAX)
			at = UINT64_MAX;
	}
	*ret = (uint32_t)entry;
	if (entry == 0 || range_ok(at, sparse->table_bytes, vmdk_file(extent)->size))
		return ST_OK;
	return fail(err, ST_CORRUPT,
		    "entry %ju of its grain directory: the grain table at offset %ju ends past "
		    "the end of the file (%ju bytes)",
		    index, at, vmdk_file(extent)->size);
}

static enum status read_directory(struct vmdk_extent *extent, uint64_t offset, uint32_t **ret,
				  struct error *err)
{
	size_t entry_bytes = extent->kind == VMDK_SE_SPARSE ? 8 : 4;
	size_t n = (size_t)extent->sparse.n_tables;
	uint8_t *raw = io_alloc(n * entry_bytes + 1);
	uint32_t *directory = mem_alloc(n * sizeof *directory + 1);
	enum status st = raw != NULL && directory != NULL ? ST_OK : fail_no_memory(err);

	if (st == ST_OK) {
		st = blk_read(vmdk_file(extent), offset, raw, n * entry_bytes);
		if (st != ST_OK)
			error_set(err, "reading its grain directory: %s", status_text(st));
	}
	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = take_entry(extent, i, bytes_from_le(raw + i * entry_bytes, entry_bytes),
				&directory[i], err);
	io_free(raw, n * entry_bytes + 1);
	if (st == ST_OK)
		*ret = directory;
	else
		mem_free(directory);
	return st;
}

static enum status read_both(struct vmdk_extent *extent, struct error *err)
{
	const struct vmdk_sparse *sparse = &extent->sparse;
	struct error why;
	enum status st = ST_OK;

	if (extent->kind == VMDK_FLAT || extent->kind == VMDK_ZEROS || extent->directory != NULL)
		return ST_OK;
	st = read_directory(extent, sparse->directory, &extent->directory, &why);
	if (st == ST_OK && sparse->redundant_directory > 0)
		st = read_directory(extent, sparse->redundant_directory,
				    &extent->redundant_directory, &why);
	if (st == ST_OK)
		return ST_OK;
	if (extent->file == 0)
		return fail(err, st, "%s", why.text);
	return fail(err, st, "its extent %s: %s", extent->vmdk->image.file[extent->file].name,
		    why.text);
}

enum status vmdk_read_directories(struct vmdk_image *v, struct error *err)
{
	uint32_t table_bytes = VMDK_TABLE_BYTES;
	enum status st = image_open_files(&v->image, err);

	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++) {
		st = read_both(&v->extent[i], err);
		table_bytes = (uint32_t)max_u64(table_bytes, v->extent[i].sparse.table_bytes);
	}
	if (st != ST_OK || v->tables.slot != NULL)
		return st;
	st = table_cache_init(&v->tables, v->image.data, table_bytes);
	return st == ST_OK ? ST_OK : fail_no_memory(err);
}
