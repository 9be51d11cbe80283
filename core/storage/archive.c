/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files in tar archives, and which of them are disks of a virtual machine.
 *
 * An OVF descriptor (DMTF DSP0243 2.1) is an XML file, the first of an OVA. Its References list
 * files, each with an id and an href; its DiskSection lists disks, each with the id of the file
 * that has it, or none for an empty disk. An href is a URI relative to the descriptor. Compressed
 * files and files in chunks are refused by name, so are references to other places than the
 * archive. The manifest (.mf) with its checksums is not compared.
 */
#include "storage/archive.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "base/xml.h"
#include "blk/window.h"
#include "platform/path.h"
#include "storage/tar.h"

enum { DESCRIPTOR_MAX = 4 << 20 }; /* bytes of an OVF descriptor */

bool archive_is(struct blk *blk)
{
	uint8_t block[TAR_BLOCK_BYTES];

	return blk->device == NULL && blk->size >= sizeof block &&
	       blk_read(blk, 0, block, sizeof block) == ST_OK && tar_is_header(block);
}

/* ---- opening a file of an archive ---- */

/* Whether a name as it was given is that of a member: with other separators, in any case. */
static bool is_named(const char *given, const char *member)
{
	while (given[0] == '.' && (given[1] == '/' || given[1] == '\\'))
		given += 2;
	for (; *given != '\0' && *member != '\0'; given++, member++) {
		bool separator = *given == '\\' && *member == '/';

		if (!separator && text_lower(*given) != text_lower(*member))
			return false;
	}
	return *given == *member;
}

/* Reads on to a file of that name. Errors: those of tar_next(). */
static enum status find_member(struct tar *tar, const char *name, struct error *err)
{
	enum status st = tar_next(tar, err);

	while (st == ST_OK && !is_named(name, tar->member.name))
		st = tar_next(tar, err);
	return st;
}

static enum status open_window(struct blk *archive, const struct tar_member *member,
			       struct blk **ret, struct error *err)
{
	if (member->sparse)
		return fail(err, ST_UNSUPPORTED,
			    "it is stored without its holes (GNU tar --sparse); unpack it first");
	*ret = window_open(archive, &(struct window_kind){ .start = member->offset,
							   .size = member->bytes,
							   .limit = member->bytes,
							   .owns = true });
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

enum status archive_open(struct blk *archive, const char *name, const char *member,
			 struct blk **ret, struct error *err)
{
	struct tar tar;
	struct error why;
	enum status st;

	tar_begin(&tar, archive);
	st = find_member(&tar, member, &why);
	if (st == ST_NOT_FOUND)
		(void)fail(&why, st, "there is no such file in the archive");
	else if (st == ST_OK)
		st = open_window(archive, &tar.member, ret, &why);
	tar_end(&tar);
	return st == ST_OK ? ST_OK : fail(err, st, "%s/%s: %s", name, member, why.text);
}

/* ---- the disks of a virtual machine ---- */

static bool is_descriptor(const char *name)
{
	size_t n = text_length(name);

	return n > 4 && text_equal_nocase(name + n - 4, ".ovf");
}

/* Replaces %20 and the like by what they stand for. */
static void decode_percent(char *uri)
{
	char *to = uri;

	while (*uri != '\0') {
		int high = *uri == '%' ? text_hex_digit(uri[1]) : -1;
		int low = high >= 0 ? text_hex_digit(uri[2]) : -1;

		*to++ = (char)(low >= 0 ? high * 16 + low : *uri);
		uri += low >= 0 ? 3 : 1;
	}
	*to = '\0';
}

/* The name of the member that an href in the descriptor names. NULL: no memory. */
static char *name_of(const char *descriptor, char *href)
{
	char *ret;

	decode_percent(href);
	ret = path_relative_to(descriptor, href);
	return ret;
}

/* Whether a file of the descriptor can be read, by its other attributes. */
static enum status check_file(const struct xml *xml, const char *href, struct error *err)
{
	char *compression, *chunk_size = NULL;
	enum status st = xml_attribute(xml, "compression", &compression);

	if (st == ST_OK)
		st = xml_attribute(xml, "chunkSize", &chunk_size);
	if (st != ST_OK)
		(void)fail_no_memory(err);
	else if (compression != NULL && compression[0] != '\0' &&
		 !text_equal(compression, "identity"))
		st = fail(err, ST_UNSUPPORTED, "its disk %s is compressed (%s); unpack both first",
			  href, compression);
	else if (chunk_size != NULL)
		st = fail(err, ST_UNSUPPORTED,
			  "its disk %s is stored in chunks of %s bytes; unpack it first, and join "
			  "them",
			  href, chunk_size);
	else if (href[0] == '/' || path_volume_length(href) > 0)
		st = fail(err, ST_UNSUPPORTED, "its disk %s is not in the archive", href);
	mem_free(compression);
	mem_free(chunk_size);
	return st;
}

/* Finds the File of that id in a descriptor: *ret is its href; NULL: there is none. */
static enum status find_file(const char *text, size_t n, const char *id, char **ret,
			     struct error *err)
{
	struct xml xml;
	enum status st = ST_OK;

	*ret = NULL;
	xml_begin(&xml, text, n);
	while (st == ST_OK && *ret == NULL && xml_next(&xml)) {
		char *its;

		if (!xml_opens(&xml, "File"))
			continue;
		st = xml_attribute(&xml, "id", &its);
		if (st == ST_OK && its != NULL && text_equal(its, id))
			st = xml_attribute(&xml, "href", ret);
		mem_free(its);
		if (st != ST_OK)
			(void)fail_no_memory(err);
		else if (*ret != NULL)
			st = check_file(&xml, *ret, err);
	}
	if (st == ST_OK)
		return ST_OK;
	mem_free(*ret);
	*ret = NULL;
	return st;
}

/* What is found of the disks. */
struct disks {
	const char *archive, *descriptor; /* names */
	char *first;                      /* member; NULL: none yet */
	size_t n;
	struct out_buffer list; /* all of them, for a message */
};

/* Takes the disk that is opened. */
static enum status take_disk(struct disks *disks, const struct xml *xml, const char *text, size_t n,
			     struct error *err)
{
	char *id, *href = NULL, *member;
	enum status st = xml_attribute(xml, "fileRef", &id);

	if (st != ST_OK)
		return fail_no_memory(err);
	if (id == NULL)
		return ST_OK; /* an empty disk */
	st = find_file(text, n, id, &href, err);
	mem_free(id);
	if (st != ST_OK || href == NULL)
		return st;
	member = name_of(disks->descriptor, href);
	mem_free(href);
	if (member == NULL)
		return fail_no_memory(err);
	if (disks->first == NULL || !text_equal(disks->first, member)) {
		out_printf(&disks->list.out, "%s%s/%s", disks->n > 0 ? ", " : "", disks->archive,
			   member);
		disks->n++;
	}
	if (disks->first == NULL)
		disks->first = member;
	else
		mem_free(member);
	return ST_OK;
}

/* Chooses among the disks of a descriptor's text. */
static enum status choose(struct disks *disks, const char *text, size_t n, char **ret,
			  struct error *err)
{
	struct xml xml;
	enum status st = ST_OK;

	xml_begin(&xml, text, n);
	while (st == ST_OK && xml_next(&xml))
		if (xml_opens(&xml, "Disk"))
			st = take_disk(disks, &xml, text, n, err);
	if (st == ST_OK && disks->n == 0)
		st = fail(err, ST_UNSUPPORTED,
			  "this is a virtual machine in an archive, and its descriptor %s names no "
			  "disk",
			  disks->descriptor);
	else if (st == ST_OK && disks->n > 1)
		st = fail(err, ST_UNSUPPORTED,
			  "this is a virtual machine with %zu disks; name one of them: %s%s",
			  disks->n, disks->list.text, disks->list.out.failed ? " ..." : "");
	if (st == ST_OK) {
		*ret = disks->first;
		return ST_OK;
	}
	mem_free(disks->first);
	return st;
}

static enum status read_descriptor(struct blk *archive, const struct tar_member *member, char **ret,
				   struct error *err)
{
	enum status st;

	if (member->bytes > DESCRIPTOR_MAX)
		return fail(err, ST_TOO_LARGE,
			    "its descriptor %s has %ju bytes; at most %d are read", member->name,
			    member->bytes, DESCRIPTOR_MAX);
	*ret = mem_alloc((size_t)member->bytes);
	if (*ret == NULL)
		return fail_no_memory(err);
	st = member->bytes > 0 ? blk_read(archive, member->offset, *ret, (size_t)member->bytes)
			       : ST_OK;
	if (st == ST_OK)
		return ST_OK;
	mem_free(*ret);
	return fail(err, st, "reading its descriptor %s: %s", member->name, status_text(st));
}

/* The descriptor that tar->member is. */
static enum status find_in_descriptor(const struct tar *tar, const char *name, char **ret,
				      struct error *err)
{
	struct disks disks = { .archive = name, .descriptor = tar->member.name };
	char words[512], *text;
	enum status st = read_descriptor(tar->blk, &tar->member, &text, err);

	if (st != ST_OK)
		return st;
	out_buffer_init(&disks.list, words, sizeof words);
	st = choose(&disks, text, (size_t)tar->member.bytes, ret, err);
	mem_free(text);
	return st;
}

enum status archive_find_disk(struct blk *archive, const char *name, char **ret, struct error *err)
{
	struct tar tar;
	struct error why;
	enum status st;

	tar_begin(&tar, archive);
	do
		st = tar_next(&tar, &why);
	while (st == ST_OK && !is_descriptor(tar.member.name));
	if (st == ST_OK)
		st = find_in_descriptor(&tar, name, ret, &why);
	tar_end(&tar);
	return st == ST_OK || st == ST_NOT_FOUND ? st : fail(err, st, "%s: %s", name, why.text);
}
