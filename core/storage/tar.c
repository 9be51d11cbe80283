/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * tar archives (POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar
 * manual, "GNU tar and POSIX tar").
 *
 * An archive is headers of 512 bytes, each followed by the contents of a file in whole blocks. What
 * does not fit into a header precedes it as a file of its own: a long name as GNU's type L, name
 * and size as records of pax. A size of 8 GiB or more is base-256 in GNU's headers. Headers are
 * walked in the order of the archive, one read for each; contents are skipped.
 *
 * Untrusted: a member that ends past the end of the archive is ST_CORRUPT, names and extended
 * headers have limits, and the walk always proceeds. Links, directories, devices are left out.
 */
#include "storage/tar.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "platform/person.h"

enum { EXTENDED_MAX = 64 << 10 }; /* bytes of an extended header of pax */

struct header {
	char name[100];
	uint8_t mode[8], owner[8], group[8];
	uint8_t size[12];
	uint8_t time[12];
	uint8_t sum[8];
	char type;
	char link[100];
	char magic[8];
	uint8_t user_name[32], group_name[32], device[16];
	char prefix[155];
	uint8_t rest[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK_BYTES, "");
_Static_assert(offsetof(struct header, sum) == 148, "");
_Static_assert(offsetof(struct header, magic) == 257, "");
_Static_assert(offsetof(struct header, prefix) == 345, "");

/* What the headers before that of a file have said of it. */
struct extended {
	char *name; /* NULL: nothing */
	bool has_bytes;
	uint64_t bytes;
	bool sparse;
};

/* An octal number with blanks before it, ended by anything else. */
static uint64_t octal(const uint8_t *digits, size_t n)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < n && digits[i] == ' ')
		i++;
	for (; i < n && digits[i] >= '0' && digits[i] <= '7'; i++)
		value = value * 8 + (uint64_t)(digits[i] - '0');
	return value;
}

/* A size; UINT64_MAX: more than there can be. */
static uint64_t size_of(const struct header *header)
{
	const uint8_t *size = header->size;

	if ((size[0] & 0x80) == 0)
		return octal(size, sizeof header->size);
	if ((size[0] & 0x7f) != 0 || bytes_from_be(size + 1, 3) != 0)
		return UINT64_MAX;
	return bytes_from_be(size + 4, 8);
}

bool tar_is_header(const uint8_t block[static TAR_BLOCK_BYTES])
{
	const struct header *header = (const struct header *)block;
	uint64_t sum = 0;

	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
		sum += block[i];
	for (size_t i = 0; i < sizeof header->sum; i++)
		sum += (uint64_t)' ' - header->sum[i];
	return memcmp(header->magic, "ustar", 5) == 0 && octal(header->sum, 8) == sum;
}

void tar_begin(struct tar *tar, struct blk *blk)
{
	*tar = (struct tar){ .blk = blk };
}

void tar_end(struct tar *tar)
{
	mem_free(tar->member.name);
	tar->member = (struct tar_member){ 0 };
}

static size_t length_within(const char *text, size_t max)
{
	size_t n = 0;

	while (n < max && text[n] != '\0')
		n++;
	return n;
}

static char *without_dot(char *name)
{
	size_t skip = 0, n = text_length(name);

	while (name[skip] == '.' && name[skip + 1] == '/')
		skip += 2;
	memmove(name, name + skip, n - skip + 1);
	return name;
}

/* The name in a header, with its prefix. GNU's headers have other things there. NULL: no memory. */
static char *name_of(const struct header *header)
{
	size_t n_name = length_within(header->name, sizeof header->name);
	size_t n_prefix = header->magic[5] == '\0'
				  ? length_within(header->prefix, sizeof header->prefix)
				  : 0;
	char *ret = mem_alloc(n_prefix + 1 + n_name + 1);

	if (ret == NULL)
		return NULL;
	memcpy(ret, header->prefix, n_prefix);
	if (n_prefix > 0)
		ret[n_prefix++] = '/';
	memcpy(ret + n_prefix, header->name, n_name);
	return without_dot(ret);
}

/* Takes one record of pax: "27 path=some/name\n", from `key` on. */
static enum status take_record(struct extended *extended, const char *key, size_t n)
{
	static const char path[] = "path=", size[] = "size=", sparse[] = "GNU.sparse.";
	char *value;

	if (n >= sizeof sparse - 1 && memcmp(key, sparse, sizeof sparse - 1) == 0)
		extended->sparse = true;
	if (n < sizeof path - 1)
		return ST_OK;
	value = text_copy_n(key + sizeof path - 1, n - (sizeof path - 1));
	if (value == NULL)
		return ST_NO_MEMORY;
	if (memcmp(key, size, sizeof size - 1) == 0)
		extended->has_bytes = text_to_u64(value, &extended->bytes);
	if (memcmp(key, path, sizeof path - 1) != 0) {
		mem_free(value);
		return ST_OK;
	}
	mem_free(extended->name);
	extended->name = without_dot(value);
	return ST_OK;
}

/* Takes the records of an extended header; what is none ends them. */
static enum status take_records(struct extended *extended, const char *text, size_t n)
{
	enum status st = ST_OK;

	for (size_t at = 0; st == ST_OK && at < n;) {
		size_t digits = at;
		uint64_t length = 0;

		for (; digits < n && text_is_digit(text[digits]) && length <= n; digits++)
			length = length * 10 + (uint64_t)(text[digits] - '0');
		if (digits == at || digits == n || text[digits] != ' ' || length > n - at ||
		    length < digits - at + 2)
			return ST_OK;
		st = take_record(extended, text + digits + 1, (size_t)length - (digits - at) - 2);
		at += (size_t)length;
	}
	return st;
}

/* Takes the contents of a member that describes the next one. */
static enum status take_extended(struct tar *tar, const struct tar_member *member, char type,
				 struct extended *extended, struct error *err)
{
	char *text;
	enum status st;

	if (member->bytes > (type == 'L' ? TAR_NAME_MAX : EXTENDED_MAX))
		return fail(err, ST_CORRUPT,
			    "the name or extended header at offset %ju has %ju bytes, which are "
			    "too many",
			    member->offset, member->bytes);
	text = mem_alloc((size_t)member->bytes + 1);
	if (text == NULL)
		return fail_no_memory(err);
	st = blk_read(tar->blk, member->offset, text, (size_t)member->bytes);
	if (st == ST_OK && type == 'L') {
		mem_free(extended->name);
		extended->name = without_dot(text);
		return ST_OK;
	}
	if (st == ST_OK)
		st = take_records(extended, text, (size_t)member->bytes);
	mem_free(text);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "reading the extended header at offset %ju: %s",
				  member->offset, status_text(st));
}

/* Reads the header at tar->next, and proceeds to the one after it. ST_NOT_FOUND: it is the end. */
static enum status read_header(struct tar *tar, const struct extended *extended,
			       struct header *ret_header, struct tar_member *ret, struct error *err)
{
	uint64_t at = tar->next, bytes, end = tar->blk->size;
	enum status st;

	if (!range_ok(at, TAR_BLOCK_BYTES, end))
		return ST_NOT_FOUND;
	st = platform_cancelled() ? ST_CANCELLED
				  : blk_read(tar->blk, at, ret_header, sizeof *ret_header);
	if (st != ST_OK)
		return fail(err, st, "reading the header at offset %ju: %s", at, status_text(st));
	if (!tar_is_header((const uint8_t *)ret_header))
		return ST_NOT_FOUND; /* zeros, or what follows the archive */
	bytes = size_of(ret_header);
	if (extended->has_bytes && ret_header->type != 'x' && ret_header->type != 'L')
		bytes = extended->bytes;
	if (ret_header->type >= '1' && ret_header->type <= '6')
		bytes = 0; /* links, devices, directories */
	at += TAR_BLOCK_BYTES;
	if (!range_ok(at, bytes, end))
		return fail(err, ST_CORRUPT,
			    "the file at offset %ju with %ju bytes ends past the end of the "
			    "archive (size %ju), which is incomplete",
			    at, bytes, end);
	*ret = (struct tar_member){ .offset = at, .bytes = bytes };
	tar->next = at + min_u64(round_up(bytes, TAR_BLOCK_BYTES), end - at);
	return ST_OK;
}

static bool is_file(char type)
{
	return type == '0' || type == '\0' || type == '7' || type == 'S';
}

enum status tar_next(struct tar *tar, struct error *err)
{
	struct extended extended = { 0 };
	enum status st = ST_OK;

	tar_end(tar);
	while (st == ST_OK && tar->member.name == NULL) {
		struct header header;
		struct tar_member member;

		st = read_header(tar, &extended, &header, &member, err);
		if (st != ST_OK)
			break;
		if (header.type == 'L' || header.type == 'x') {
			st = take_extended(tar, &member, header.type, &extended, err);
			continue;
		}
		if (is_file(header.type)) {
			member.name = extended.name != NULL ? extended.name : name_of(&header);
			member.sparse = extended.sparse || header.type == 'S';
			extended.name = NULL;
			tar->member = member;
			if (member.name == NULL)
				st = fail_no_memory(err);
		}
		if (header.type != 'g' && header.type != 'K') {
			mem_free(extended.name);
			extended = (struct extended){ 0 };
		}
	}
	mem_free(extended.name);
	return st;
}
