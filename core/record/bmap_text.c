/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The file of a block map: XML as bmaptool 3 writes it, read field by field (its own format;
 * docs/SPEC.md has what of it is used). Of the file every byte is untrusted. Its own checksum, that
 * of the text with 64 zeros in the checksum's place, finds damage; that no range leaves the image
 * is checked here, since whoever made the damage can compute a checksum as well.
 *
 * A map is written twice: into a hash, and then with that into the file.
 */
#include "base/hex.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "base/xml.h"
#include "blk/out_file.h"
#include "platform/files.h"
#include "record/bmap_parts.h"
#include "record/finished.h"

enum {
	FILE_BYTES_MAX = 64 << 20,
	BLOCK_BYTES_MAX = 1 << 20,
	HASH_DIGITS = 2 * SHA256_BYTES,
};

static const char unknown_hash[] =
	"0000000000000000000000000000000000000000000000000000000000000000";

_Static_assert(sizeof unknown_hash == HASH_DIGITS + 1, "a digit for each half byte");

/* ---- Reading ---- */

enum { IMAGE_SIZE, BLOCK_SIZE, BLOCKS_COUNT, MAPPED_COUNT, N_NUMBERS };

static const char *const number_name[N_NUMBERS] = { "ImageSize", "BlockSize", "BlocksCount",
						    "MappedBlocksCount" };

/* A map while it is read. Ranges are blocks, not bytes, until all of it is known. */
struct reading {
	struct bmap *bmap;
	const char *image;
	char *text;
	size_t n_text, capacity;
	struct xml xml;
	uint64_t number[N_NUMBERS];
	bool has[N_NUMBERS];
	const char *checksum; /* in `text`: 64 digits; NULL: none yet */
	bool is_sha256;
};

static enum status wrong_field(const struct reading *r, const char *field, struct error *err)
{
	return fail(err, ST_CORRUPT,
		    "%s: not a block map, or a damaged one: its field \"%s\" is invalid; "
		    "--no-bmap restores without it",
		    r->bmap->file, field);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A text without the blanks around it. */
struct span {
	const char *at, *end;
};

static struct span trim(const char *at, size_t n)
{
	struct span span = { at, at + n };

	while (span.at < span.end && is_blank(*span.at))
		span.at++;
	while (span.at < span.end && is_blank(span.end[-1]))
		span.end--;
	return span;
}

/* Takes the decimal number at the beginning, and the blanks after it. */
static bool take_number(struct span *span, uint64_t *ret)
{
	const char *begin = span->at;

	*ret = 0;
	for (; span->at < span->end && text_is_digit(*span->at); span->at++)
		if (!mul_ok(*ret, 10, ret) || !add_ok(*ret, (uint64_t)(*span->at - '0'), ret))
			return false;
	if (span->at == begin)
		return false;
	while (span->at < span->end && is_blank(*span->at))
		span->at++;
	return true;
}

/* Takes the text of the element that was opened last. */
static bool take_text(struct reading *r, struct span *ret)
{
	if (!xml_next(&r->xml) || r->xml.kind != XML_TEXT)
		return false;
	*ret = trim(r->xml.text, r->xml.text_length);
	return ret->at < ret->end;
}

static bool take_hash(struct span span, uint8_t ret[static SHA256_BYTES])
{
	char digits[HASH_DIGITS + 1] = "";

	if (span.end - span.at != HASH_DIGITS)
		return false;
	memcpy(digits, span.at, HASH_DIGITS);
	return hex_parse(digits, ret, SHA256_BYTES);
}

/* Version 1.4 is 2.0 by another name; 1.0 to 1.3 have SHA-1, or no checksums at all. */
static enum status take_root(struct reading *r, struct error *err)
{
	char *version, *unmapped = NULL;
	enum status st = xml_attribute(&r->xml, "version", &version);

	if (st == ST_OK)
		st = xml_attribute(&r->xml, "unmapped", &unmapped);
	if (st != ST_OK)
		st = fail_no_memory(err);
	else if (version == NULL)
		st = wrong_field(r, "version", err);
	else if (!text_starts_with(version, "2.") && !text_equal(version, "1.4"))
		st = fail(err, ST_UNSUPPORTED,
			  "%s: block maps of version %.16s are not supported, only version 2 is; "
			  "make a new one, or restore without it by --no-bmap",
			  r->bmap->file, version);
	else
		r->bmap->unused = unmapped != NULL && text_equal(unmapped, "unused");
	mem_free(unmapped);
	mem_free(version);
	return st;
}

static enum status add_range(struct reading *r, const struct bmap_range *range, struct error *err)
{
	struct bmap *bmap = r->bmap;

	if (bmap->n == r->capacity) {
		size_t capacity = r->capacity > 0 ? 2 * r->capacity : 64;
		struct bmap_range *more = mem_alloc(capacity * sizeof *more);

		if (more == NULL)
			return fail_no_memory(err);
		if (bmap->n > 0)
			memcpy(more, bmap->range, bmap->n * sizeof *more);
		mem_free(bmap->range);
		bmap->range = more;
		r->capacity = capacity;
	}
	bmap->range[bmap->n++] = *range;
	return ST_OK;
}

/* "0-65" or "73": blocks, of which the last one belongs to the range. */
static enum status take_range(struct reading *r, struct error *err)
{
	const struct bmap *bmap = r->bmap;
	struct bmap_range range = { 0 };
	uint64_t last, after = bmap->n > 0 ? bmap->range[bmap->n - 1].offset +
						     bmap->range[bmap->n - 1].length
					   : 0;
	struct span span;
	char *hash;
	bool right;

	if (xml_attribute(&r->xml, "chksum", &hash) != ST_OK)
		return fail_no_memory(err);
	right = hash != NULL && take_hash(trim(hash, text_length(hash)), range.hash);
	mem_free(hash);
	if (!right)
		return wrong_field(r, "chksum", err);
	right = take_text(r, &span) && take_number(&span, &range.offset);
	last = range.offset;
	if (right && span.at < span.end) {
		right = *span.at++ == '-';
		while (span.at < span.end && is_blank(*span.at))
			span.at++;
		right = right && take_number(&span, &last);
	}
	if (!right || span.at < span.end || range.offset < after || last < range.offset ||
	    last >= SIZE_LIMIT)
		return wrong_field(r, "Range", err);
	range.length = last + 1 - range.offset;
	return add_range(r, &range, err);
}

static enum status take_checksum(struct reading *r, struct error *err)
{
	uint8_t ignored[SHA256_BYTES];
	struct span span;

	if (r->checksum != NULL || !take_text(r, &span) || !take_hash(span, ignored))
		return wrong_field(r, "BmapFileChecksum", err);
	r->checksum = span.at;
	return ST_OK;
}

static enum status take_type(struct reading *r, struct error *err)
{
	if (!xml_next(&r->xml) || r->xml.kind != XML_TEXT)
		return wrong_field(r, "ChecksumType", err);
	r->is_sha256 = xml_has_text(&r->xml, "sha256");
	if (r->is_sha256)
		return ST_OK;
	return fail(err, ST_UNSUPPORTED,
		    "%s: its field \"ChecksumType\" is not sha256, which alone is supported; make "
		    "a new block map, or restore without it by --no-bmap",
		    r->bmap->file);
}

static enum status take_element(struct reading *r, struct error *err)
{
	struct span span;

	for (size_t i = 0; i < N_NUMBERS; i++) {
		if (!xml_opens(&r->xml, number_name[i]))
			continue;
		if (r->has[i] || !take_text(r, &span) || !take_number(&span, &r->number[i]) ||
		    span.at < span.end)
			return wrong_field(r, number_name[i], err);
		r->has[i] = true;
		return ST_OK;
	}
	if (xml_opens(&r->xml, "bmap"))
		return take_root(r, err);
	if (xml_opens(&r->xml, "ChecksumType"))
		return take_type(r, err);
	if (xml_opens(&r->xml, "BmapFileChecksum"))
		return take_checksum(r, err);
	return xml_opens(&r->xml, "Range") ? take_range(r, err) : ST_OK;
}

static bool checksum_is_right(const struct reading *r)
{
	size_t before = (size_t)(r->checksum - r->text), after = before + HASH_DIGITS;
	uint8_t found[SHA256_BYTES], said[SHA256_BYTES];
	struct sha256 sha;

	sha256_begin(&sha);
	sha256_add(&sha, r->text, before);
	sha256_add(&sha, unknown_hash, HASH_DIGITS);
	sha256_add(&sha, r->text + after, r->n_text - after);
	sha256_end(&sha, found);
	return take_hash((struct span){ r->checksum, r->checksum + HASH_DIGITS }, said) &&
	       memcmp(found, said, sizeof said) == 0;
}

/* Checks the fields against each other and the image, and makes blocks bytes. */
static enum status finish(struct reading *r, struct error *err)
{
	struct bmap *bmap = r->bmap;
	uint64_t block = r->number[BLOCK_SIZE], mapped = 0;

	for (size_t i = 0; i < N_NUMBERS; i++)
		if (!r->has[i])
			return wrong_field(r, number_name[i], err);
	if (!r->is_sha256)
		return wrong_field(r, "ChecksumType", err);
	if (r->checksum == NULL || !checksum_is_right(r))
		return wrong_field(r, "BmapFileChecksum", err);
	if (r->number[IMAGE_SIZE] != bmap->size)
		return fail(err, ST_CORRUPT,
			    "%s: its field \"ImageSize\" is %ju, and %s has %ju bytes: the map is "
			    "that of another image; --no-bmap restores without it",
			    bmap->file, r->number[IMAGE_SIZE], r->image, bmap->size);
	if (!is_power_of_two(block) || block < 512 || block > BLOCK_BYTES_MAX)
		return wrong_field(r, "BlockSize", err);
	if (r->number[BLOCKS_COUNT] != div_up(bmap->size, block))
		return wrong_field(r, "BlocksCount", err);
	bmap->block_bytes = (uint32_t)block;
	for (size_t i = 0; i < bmap->n; i++) {
		struct bmap_range *range = &bmap->range[i];

		if (!range_ok(range->offset, range->length, r->number[BLOCKS_COUNT]))
			return wrong_field(r, "Range", err);
		mapped += range->length;
		range->offset *= block;
		range->length = min_u64(range->length * block, bmap->size - range->offset);
	}
	return mapped == r->number[MAPPED_COUNT] ? ST_OK : wrong_field(r, "MappedBlocksCount", err);
}

static enum status read_file(struct reading *r, struct error *err)
{
	const char *file = r->bmap->file;
	struct blk *blk;
	enum status st = platform_open(file, OPEN_READ, &blk, err);

	if (st != ST_OK)
		return st;
	if (blk->size > FILE_BYTES_MAX) {
		st = fail(err, ST_CORRUPT, "%s: %ju bytes are too many for a block map", file,
			  blk->size);
	} else {
		r->n_text = (size_t)blk->size;
		r->text = mem_alloc(r->n_text + 1);
		st = r->text != NULL ? blk_read(blk, 0, r->text, r->n_text) : ST_NO_MEMORY;
		if (st != ST_OK)
			st = fail(err, st, "%s: reading it: %s", file, status_text(st));
	}
	blk_close(blk);
	return st;
}

enum status bmap_parse(struct bmap *bmap, const char *image, struct error *err)
{
	struct reading r = { .bmap = bmap, .image = image };
	enum status st = read_file(&r, err);

	xml_begin(&r.xml, r.text, r.n_text);
	while (st == ST_OK && xml_next(&r.xml))
		st = r.xml.kind == XML_OPEN ? take_element(&r, err) : ST_OK;
	if (st == ST_OK)
		st = finish(&r, err);
	mem_free(r.text);
	return st;
}

/* ---- Writing ---- */

static void print_range(const struct bmap *bmap, const struct bmap_range *range, struct out *out)
{
	uint64_t first = range->offset / bmap->block_bytes;
	uint64_t last = (range->offset + range->length - 1) / bmap->block_bytes;
	char hash[SHA256_TEXT_BYTES];

	hex_text(range->hash, SHA256_BYTES, hash);
	if (first == last)
		out_printf(out, "        <Range chksum=\"%s\"> %ju </Range>\n", hash, first);
	else
		out_printf(out, "        <Range chksum=\"%s\"> %ju-%ju </Range>\n", hash, first,
			   last);
}

static void print(const struct bmap *bmap, const char *checksum, struct out *out)
{
	uint64_t mapped = 0;

	for (size_t i = 0; i < bmap->n; i++)
		mapped += div_up(bmap->range[i].length, bmap->block_bytes);
	out_text(out, "<?xml version=\"1.0\" ?>\n"
		      "<!-- Block map of a raw disk image, for bmaptool. What is not mapped, no "
		      "file system uses. -->\n"
		      "<bmap version=\"2.0\" unmapped=\"unused\">\n");
	out_printf(out, "    <ImageSize> %ju </ImageSize>\n", bmap->size);
	out_printf(out, "    <BlockSize> %u </BlockSize>\n", (unsigned)bmap->block_bytes);
	out_printf(out, "    <BlocksCount> %ju </BlocksCount>\n",
		   div_up(bmap->size, bmap->block_bytes));
	out_printf(out, "    <MappedBlocksCount> %ju </MappedBlocksCount>\n", mapped);
	out_text(out, "    <ChecksumType> sha256 </ChecksumType>\n");
	out_printf(out, "    <BmapFileChecksum> %s </BmapFileChecksum>\n", checksum);
	out_text(out, "    <BlockMap>\n");
	for (size_t i = 0; i < bmap->n; i++)
		print_range(bmap, &bmap->range[i], out);
	out_text(out, "    </BlockMap>\n</bmap>\n");
}

/* A sink that only hashes. */
struct out_sha256 {
	struct out out;
	struct sha256 sha;
};

static void hash_bytes(struct out *out, const char *bytes, size_t n)
{
	sha256_add(&((struct out_sha256 *)out)->sha, bytes, n);
}

enum status bmap_write(const struct bmap *bmap, const char *file, bool replace, struct error *err)
{
	struct out_sha256 sum = { .out.write = hash_bytes };
	struct finished finished = { 0 };
	uint8_t hash[SHA256_BYTES];
	char checksum[SHA256_TEXT_BYTES];
	struct out_file text;
	struct error ignored; /* the first failure is what matters */
	struct blk *blk;
	enum status st = platform_create(file, replace, &blk, err);

	if (st != ST_OK)
		return st;
	sha256_begin(&sum.sha);
	print(bmap, unknown_hash, &sum.out);
	sha256_end(&sum.sha, hash);
	hex_text(hash, SHA256_BYTES, checksum);
	out_file_begin(&text, blk);
	print(bmap, checksum, &text.out);
	st = out_file_end(&text);
	if (st == ST_OK)
		st = finished_add(&finished, file, blk, err);
	blk_close(blk);
	if (st == ST_OK)
		return finished_check(&finished, err);
	finished_free(&finished);
	(void)platform_remove(file, &ignored);
	return fail(err, st, "writing the block map %s: %s; the image itself is complete", file,
		    status_text(st));
}
