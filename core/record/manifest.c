/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The manifest of a copy (docs/SPEC.md): SHA-256 of the disk as a whole and of each range, computed
 * while the copy reads, its sources and what was lost. Ranges are at least 64 MiB, and at most
 * RANGES_MAX: then a difference can be located, and the file stays small. Read back, every field is
 * untrusted.
 */
#include "record/manifest.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/out_memory.h"
#include "base/printable.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/version.h"
#include "blk/out_file.h"
#include "disk/selector.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "platform/machine.h"
#include "platform/path.h"
#include "record/finished.h"
#include "storage/storage.h"

enum {
	FORMAT_VERSION = 1,
	RANGE_BYTES = 64 << 20,
	RANGES_MAX = 4096,
	UNUSED_MAX = 4096,
	FILE_BYTES_MAX = 1 << 20,
	NAME_BYTES = 1024
};

/* ---- while copying ---- */

static void take(struct observer *manifest, uint64_t offset, const uint8_t *bytes, uint64_t n,
		 const uint64_t result[static OBSERVER_RESULTS])
{
	(void)offset;
	(void)result;
	manifest_add((struct manifest *)manifest, bytes, n);
}

static const struct observer_ops ops = { .piece = take };

enum status manifest_open(struct manifest *manifest, uint64_t size, struct error *err)
{
	*manifest = (struct manifest){ .observer = { &ops }, .range_bytes = RANGE_BYTES };
	while (div_up(size, manifest->range_bytes) > RANGES_MAX)
		manifest->range_bytes *= 2;
	manifest->capacity = (size_t)div_up(size, manifest->range_bytes);
	manifest->hash = mem_alloc(manifest->capacity * sizeof *manifest->hash);
	sha256_begin(&manifest->whole);
	sha256_begin(&manifest->range);
	return manifest->hash != NULL ? ST_OK : fail_no_memory(err);
}

void manifest_close(struct manifest *manifest)
{
	mem_free(manifest->hash);
	*manifest = (struct manifest){ 0 };
}

static void add(struct sha256 *sha, const uint8_t *bytes, uint64_t n)
{
	if (bytes != NULL)
		sha256_add(sha, bytes, (size_t)n);
	else
		sha256_add_zeros(sha, n);
}

static void end_range(struct manifest *manifest)
{
	sha256_end(&manifest->range, manifest->hash[manifest->n++]);
	sha256_begin(&manifest->range);
}

void manifest_add(struct manifest *manifest, const uint8_t *bytes, uint64_t n)
{
	add(&manifest->whole, bytes, n);
	for (uint64_t done = 0, piece; done < n; done += piece) {
		piece = min_u64(n - done,
				manifest->range_bytes - manifest->n_bytes % manifest->range_bytes);
		add(&manifest->range, bytes != NULL ? bytes + done : NULL, piece);
		manifest->n_bytes += piece;
		if (manifest->n_bytes % manifest->range_bytes == 0)
			end_range(manifest);
	}
}

void manifest_end(struct manifest *manifest, uint8_t ret_whole[static SHA256_BYTES])
{
	if (manifest->n_bytes % manifest->range_bytes != 0)
		end_range(manifest);
	sha256_end(&manifest->whole, ret_whole);
}

/* ---- writing ---- */

enum status manifest_plan(struct storage *storage, const char *file, bool replace,
			  struct error *err)
{
	struct place place;
	enum status st = platform_look(file, &place, err);

	if (st == ST_OK)
		st = storage_use(storage, ROLE_MANIFEST, ACCESS_CREATE, file, err);
	if (st == ST_OK && place.exists && !replace)
		return fail(err, ST_EXISTS,
			    "the manifest %s exists; give another name, or --force to overwrite it",
			    file);
	return st;
}

static void describe_source(struct tree *tree, struct storage *storage, const char *name)
{
	const struct inventory *inventory;
	struct selection found;
	struct error ignored; /* the name alone is said then */
	bool known = storage_is_device(name) &&
		     storage_inventory(storage, &inventory, &ignored) == ST_OK &&
		     selector_find(inventory, name, &found, &ignored) == ST_OK;

	tree_object(tree, NULL);
	tree_text(tree, "name", name);
	if (known) {
		const struct device *disk = found.disk->device;

		tree_text(tree, "model", disk->model);
		tree_text(tree, "serial", disk->serial);
		tree_text(tree, "path", disk->path);
		tree_number(tree, "size", disk->size_bytes);
		tree_number(tree, "block-size", disk->block_bytes);
		if (found.part != NULL)
			tree_number(tree, "partition-start", found.part->start_bytes);
	}
	tree_end(tree);
}

static void describe_losses(struct tree *tree, const struct losses *losses)
{
	tree_number(tree, "lost-bytes", losses != NULL ? losses->bytes : 0);
	tree_array(tree, "lost");
	for (size_t i = 0; losses != NULL && i < losses->n && i < LOSSES_MAX; i++) {
		tree_object(tree, NULL);
		tree_number(tree, "offset", losses->range[i].offset);
		tree_number(tree, "length", losses->range[i].length);
		tree_end(tree);
	}
	tree_end(tree);
}

/* The largest ranges alone where there are many: the file stays small. */
static void describe_unused(struct tree *tree, const struct manifest_facts *facts)
{
	const struct used_map *map = facts->used;
	uint64_t least = map != NULL ? used_map_least(map, UNUSED_MAX) : 1, length;

	tree_number(tree, "unused-bytes", facts->unused_bytes);
	tree_array(tree, "unused");
	for (uint64_t at = 0; map != NULL && at < map->disk_bytes; at += length) {
		if (!used_map_unused(map, at, &length) || length < least)
			continue;
		tree_object(tree, NULL);
		tree_number(tree, "offset", at);
		tree_number(tree, "length", length);
		tree_end(tree);
	}
	tree_end(tree);
}

static void hash_text(struct tree *tree, const char *key, const uint8_t hash[static SHA256_BYTES])
{
	char text[SHA256_TEXT_BYTES];

	hex_text(hash, SHA256_BYTES, text);
	tree_text(tree, key, text);
}

static void describe(struct manifest *manifest, const struct manifest_facts *facts,
		     const char *image, struct out *out)
{
	uint8_t whole[SHA256_BYTES];
	struct out_buffer program;
	struct tree tree;
	char name[64];

	manifest_end(manifest, whole);
	out_buffer_init(&program, name, sizeof name);
	out_printf(&program.out, "efi-img %s", program_version);
	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	tree_number(&tree, "manifest-version", FORMAT_VERSION);
	tree_text(&tree, "program", name);
	tree_text(&tree, "firmware", platform_firmware());
	tree_text(&tree, "image", image);
	tree_text(&tree, "format", facts->format);
	tree_array(&tree, "sources");
	for (size_t i = 0; i < facts->n_sources; i++)
		describe_source(&tree, facts->storage, facts->source[i]);
	tree_end(&tree);
	tree_number(&tree, "virtual-size", manifest->n_bytes);
	describe_losses(&tree, facts->losses);
	describe_unused(&tree, facts);
	hash_text(&tree, "sha256", whole);
	tree_number(&tree, "range-size", manifest->range_bytes);
	tree_array(&tree, "ranges");
	for (size_t i = 0; i < manifest->n; i++)
		hash_text(&tree, NULL, manifest->hash[i]);
	tree_end(&tree);
	tree_end(&tree);
}

/*
 * The image as it is found from the manifest, wherever a person stands then. A disk has one name
 * from everywhere.
 */
static enum status image_name(const char *image, const char *file, char **ret, struct error *err)
{
	char *full = NULL, *of_file = NULL;
	enum status st = ST_OK;

	*ret = NULL;
	if (storage_is_device(image)) {
		*ret = text_copy(image);
		return *ret != NULL ? ST_OK : fail_no_memory(err);
	}
	st = platform_full_name(image, &full, err);
	if (st == ST_OK)
		st = platform_full_name(file, &of_file, err);
	if (st == ST_OK) {
		*ret = path_from(of_file, full);
		if (*ret == NULL)
			st = fail_no_memory(err);
	}
	mem_free(full);
	mem_free(of_file);
	return st;
}

enum status manifest_write(struct manifest *manifest, const struct manifest_facts *facts,
			   const char *file, bool replace, struct error *err)
{
	struct finished finished = { 0 };
	struct out_file text;
	struct error ignored; /* the first failure is what matters */
	struct blk *blk;
	char *image;
	enum status st = image_name(facts->image, file, &image, err);

	if (st != ST_OK)
		return st;
	st = platform_create(file, replace, &blk, err);
	if (st != ST_OK) {
		mem_free(image);
		return st;
	}
	out_file_begin(&text, blk);
	describe(manifest, facts, image, &text.out);
	st = out_file_end(&text);
	if (st == ST_OK)
		st = finished_add(&finished, file, blk, err);
	blk_close(blk);
	mem_free(image);
	if (st == ST_OK)
		return finished_check(&finished, err);
	finished_free(&finished);
	(void)platform_remove(file, &ignored);
	return fail(err, st, "writing the manifest %s: %s; the image itself is complete", file,
		    status_text(st));
}

/* ---- reading ---- */

void manifest_claim_free(struct manifest_claim *claim)
{
	mem_free(claim->image);
	mem_free(claim->hash);
	*claim = (struct manifest_claim){ 0 };
}

static bool read_hash(struct json value, uint8_t ret[static SHA256_BYTES])
{
	char text[SHA256_TEXT_BYTES];

	return json_text(value, text, sizeof text) && hex_parse(text, ret, SHA256_BYTES);
}

static bool read_ranges(struct json object, struct manifest_claim *claim)
{
	struct json ranges, value;
	size_t at = 0;

	if (!json_member(object, "ranges", &ranges))
		return false;
	for (size_t i = 0; i < claim->n; i++)
		if (!json_next(ranges, &at, &value) || !read_hash(value, claim->hash[i]))
			return false;
	return !json_next(ranges, &at, &value);
}

static enum status wrong_field(const char *file, const char *field, struct error *err)
{
	return fail(err, ST_CORRUPT,
		    "%s: not a manifest, or a damaged one: its field \"%s\" is invalid", file,
		    field);
}

static enum status read_claim(const char *file, struct json object, struct manifest_claim *claim,
			      struct error *err)
{
	char name[NAME_BYTES];
	struct json value;
	uint64_t version;

	*claim = (struct manifest_claim){ 0 };
	if (!json_member(object, "manifest-version", &value) || !json_number(value, &version))
		return wrong_field(file, "manifest-version", err);
	if (version != FORMAT_VERSION)
		return fail(err, ST_UNSUPPORTED,
			    "%s: manifests of version %ju are not supported, only version %d is",
			    file, version, FORMAT_VERSION);
	if (!json_member(object, "image", &value) || !json_text(value, name, sizeof name) ||
	    name[0] == '\0')
		return wrong_field(file, "image", err);
	if (!json_member(object, "format", &value) ||
	    !json_text(value, claim->format, sizeof claim->format))
		return wrong_field(file, "format", err);
	if (!json_member(object, "virtual-size", &value) || !json_number(value, &claim->size) ||
	    claim->size > SIZE_LIMIT)
		return wrong_field(file, "virtual-size", err);
	if (!json_member(object, "sha256", &value) || !read_hash(value, claim->whole))
		return wrong_field(file, "sha256", err);
	if (!json_member(object, "range-size", &value) ||
	    !json_number(value, &claim->range_bytes) || claim->range_bytes == 0 ||
	    div_up(claim->size, claim->range_bytes) > RANGES_MAX)
		return wrong_field(file, "range-size", err);
	claim->n = (size_t)div_up(claim->size, claim->range_bytes);
	claim->hash = mem_alloc(claim->n * sizeof *claim->hash);
	claim->image = path_relative_to(file, name);
	if (claim->hash == NULL || claim->image == NULL)
		return fail_no_memory(err);
	return read_ranges(object, claim) ? ST_OK : wrong_field(file, "ranges", err);
}

/* Reads the file; the caller frees *ret_text, on failure too, to which *ret refers. */
static enum status read_object(const char *file, char **ret_text, struct json *ret,
			       struct error *err)
{
	struct blk *blk;
	enum status st = platform_open(file, OPEN_READ, &blk, err);

	*ret_text = NULL;
	if (st != ST_OK)
		return st;
	if (blk->size > FILE_BYTES_MAX) {
		st = fail(err, ST_CORRUPT, "%s: %ju bytes are too many for a manifest", file,
			  blk->size);
	} else {
		*ret_text = mem_alloc((size_t)blk->size);
		st = *ret_text != NULL ? blk_read(blk, 0, *ret_text, (size_t)blk->size)
				       : ST_NO_MEMORY;
		if (st != ST_OK)
			st = fail(err, st, "%s: reading it: %s", file, status_text(st));
	}
	if (st == ST_OK && !json_read(*ret_text, (size_t)blk->size, ret))
		st = fail(err, ST_CORRUPT, "%s: not a manifest: it is not JSON", file);
	blk_close(blk);
	return st;
}

enum status manifest_read(const char *file, struct manifest_claim *claim, struct error *err)
{
	struct json object;
	char *text;
	enum status st = read_object(file, &text, &object, err);

	*claim = (struct manifest_claim){ 0 };
	if (st == ST_OK)
		st = read_claim(file, object, claim, err);
	mem_free(text);
	if (st != ST_OK)
		manifest_claim_free(claim);
	return st;
}

static bool read_number(struct json object, const char *field, uint64_t *ret)
{
	struct json value;

	return json_member(object, field, &value) && json_number(value, ret);
}

enum status manifest_ranges(const char *file, enum manifest_kind kind, uint64_t disk_bytes,
			    void (*each)(void *user, uint64_t offset, uint64_t n), void *user,
			    uint64_t *ret_unnamed, struct error *err)
{
	static const char *const fields[][2] = {
		[MANIFEST_LOST] = { "lost", "lost-bytes" },
		[MANIFEST_UNUSED] = { "unused", "unused-bytes" },
	};
	const char *field = fields[kind][0];
	struct json object, ranges, range;
	uint64_t offset, n, bytes, named = 0;
	struct manifest_claim claim = { 0 };
	size_t at = 0;
	char *text;
	enum status st = read_object(file, &text, &object, err);

	if (st == ST_OK)
		st = read_claim(file, object, &claim, err);
	if (st == ST_OK && claim.size != disk_bytes)
		st = fail(err, ST_INVALID,
			  "%s is the manifest of a disk of %ju bytes, but this one has %ju", file,
			  claim.size, disk_bytes);
	if (st == ST_OK && json_member(object, field, &ranges))
		while (st == ST_OK && json_next(ranges, &at, &range)) {
			if (!read_number(range, "offset", &offset) ||
			    !read_number(range, "length", &n) || !range_ok(offset, n, disk_bytes)) {
				st = wrong_field(file, field, err);
				break;
			}
			each(user, offset, n);
			named += n;
		}
	*ret_unnamed = 0;
	if (st == ST_OK && read_number(object, fields[kind][1], &bytes) && bytes > named)
		*ret_unnamed = bytes - named;
	manifest_claim_free(&claim);
	mem_free(text);
	return st;
}

/* Puts `name` into the place of a value of the text. */
static enum status replace_value(const char *text, size_t n, struct json value, const char *name,
				 char **ret, size_t *ret_n, struct error *err)
{
	size_t before = (size_t)(value.text - text);
	struct out_memory out;

	out_memory_init(&out, FILE_BYTES_MAX);
	out.out.write(&out.out, text, before);
	tree_json_string(&out.out, name);
	out.out.write(&out.out, value.text + value.n, n - before - value.n);
	*ret = out.text;
	*ret_n = out.n;
	if (out.left_out == 0)
		return ST_OK;
	out_memory_free(&out);
	*ret = NULL;
	return fail_no_memory(err);
}

enum status manifest_text_renamed(const char *file, const char *image, const char *name, char **ret,
				  size_t *ret_n, struct error *err)
{
	struct manifest_claim claim;
	char *text, named[NAME_BYTES];
	struct json object, value;
	enum status st = read_object(file, &text, &object, err);

	*ret = NULL;
	if (st == ST_OK) {
		st = read_claim(file, object, &claim, err);
		manifest_claim_free(&claim);
	}
	if (st != ST_OK)
		goto done;
	/* read_claim() has found both */
	(void)json_member(object, "image", &value);
	(void)json_text(value, named, sizeof named);
	if (!text_equal_nocase(named, path_leaf(image)))
		st = fail(err, ST_REFUSED,
			  "%s is the manifest of %s, not of %s; give it another name first", file,
			  named, image);
	else
		st = replace_value(text, (size_t)(object.text - text) + object.n, value, name, ret,
				   ret_n, err);
done:
	mem_free(text);
	return st;
}

void manifest_print_source(const char *file, struct out *out)
{
	char model[NAME_BYTES] = "", serial[NAME_BYTES] = "";
	struct json object, sources, source, value;
	struct error ignored;
	size_t at = 0;
	char *text;

	if (read_object(file, &text, &object, &ignored) == ST_OK &&
	    json_member(object, "sources", &sources) && json_next(sources, &at, &source) &&
	    json_member(source, "model", &value) && json_text(value, model, sizeof model) &&
	    json_member(source, "serial", &value) && json_text(value, serial, sizeof serial)) {
		out_printable(out, model, SIZE_MAX);
		out_text(out, " (");
		out_printable(out, serial, SIZE_MAX);
		out_text(out, ")");
	}
	mem_free(text);
}
