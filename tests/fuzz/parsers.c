/* SPDX-License-Identifier: BSD-2-Clause */
/* What people and scripts type: the first byte says which parser reads the rest. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "base/utf.h"
#include "base/words.h"
#include "cli/command.h"
#include "cli/script.h"
#include "cli/dispatch.h"
#include "fs/lvm.h"
#include "platform/path.h"
#include "platform/smbios.h"
#include "record/bmap.h"
#include "record/journal.h"
#include "record/manifest.h"
#include "record/rescue_map.h"

static void parse_size(const char *text)
{
	struct error err;
	uint64_t bytes;

	if (size_parse(text, "size", &bytes, &err) == ST_OK)
		MUST(bytes <= SIZE_LIMIT);
	else
		MUST(err.text[0] != '\0');
}

/* `format` is the name of one that has a table of options. */
static void parse_create_options(const char *text, const char *format)
{
	const struct image_format *found = image_format_find(format);
	struct create_values values;
	struct error err;

	MUST(create_values_init(format, found->create.options, OPTIONS_CREATE, &values, &err) ==
	     ST_OK);
	(void)create_options_want_help(text);
	if (create_values_parse(&values, text, &err) == ST_OK) {
		struct capture shown;

		capture_init(&shown);
		create_values_print(&values, &shown.out);
		capture_free(&shown);
	}
	create_values_free(&values);
}

static void parse_path(const char *text)
{
	char *name = path_relative_to("fs0:\\dir\\a.qcow2", text);

	MUST(name != NULL && path_volume_length(text) <= strlen(text));
	mem_free(name);
}

/* There and back: what is no character comes back as U+FFFD, everything else as it was. */
static void convert_utf(const char *text, size_t n)
{
	size_t n_units = utf16_length_of_utf8(text, n), n_bytes;
	uint16_t *units = malloc((n_units + 1) * sizeof *units);
	char *back;

	utf16_from_utf8(units, text, n);
	n_bytes = utf8_length_of_utf16(units, n_units);
	back = malloc(n_bytes + 1);
	utf8_from_utf16(back, units, n_units);
	MUST(utf16_length_of_utf8(back, n_bytes) == n_units);
	(void)utf8_columns(back);
	free(back);
	free(units);
}

/* A map of a disk that is as long as the map says in its last line that is one. */
static void parse_map(const char *text, size_t n)
{
	struct rescue_map map = { 0 }, again;
	struct capture written;
	struct error err;

	for (int i = 0; i < 2; i++) {
		if (rescue_map_parse(&map, "m", text, n, &err) == ST_OK) {
			capture_init(&written);
			rescue_map_print(&map, &written.out);
			again = (struct rescue_map){ .size = map.size };
			MUST(rescue_map_parse(&again, "m", written.text, written.n, &err) == ST_OK);
			rescue_map_close(&again);
			capture_free(&written);
		} else {
			MUST(err.text[0] != '\0' && map.all.n == 0);
		}
		map.size = 1 << 20;
	}
	rescue_map_close(&map);
}

static void take_range(void *disk_bytes, uint64_t offset, uint64_t length)
{
	MUST(length <= *(uint64_t *)disk_bytes && offset <= *(uint64_t *)disk_bytes - length);
}

/* JSON with all that a manifest has, or less. */
static void parse_manifest(const uint8_t *text, size_t n)
{
	struct manifest_claim claim;
	uint64_t size = 0, unnamed;
	struct error err;

	fuzz_volume("m", text, n);
	if (manifest_read("m", &claim, &err) == ST_OK) {
		size = claim.size;
		manifest_claim_free(&claim);
	} else {
		MUST(err.text[0] != '\0');
	}
	for (enum manifest_kind kind = MANIFEST_LOST; kind <= MANIFEST_UNUSED; kind++)
		(void)manifest_ranges("m", kind, size, take_range, &size, &unnamed, &err);
}

/* Makes the checksum of a block map right, so that what comes after it is read as well. */
static void sum_map(uint8_t *text, size_t n)
{
	static const char field[] = "<BmapFileChecksum>";
	uint8_t hash[SHA256_BYTES];
	char digits[SHA256_TEXT_BYTES];
	struct sha256 sha;
	uint8_t *at = memmem(text, n, field, sizeof field - 1);

	if (at == NULL)
		return;
	at += sizeof field - 1;
	while (at < text + n && *at == ' ')
		at++;
	if ((size_t)(text + n - at) < SHA256_TEXT_BYTES - 1)
		return;
	memset(at, '0', SHA256_TEXT_BYTES - 1);
	sha256_begin(&sha);
	sha256_add(&sha, text, n);
	sha256_end(&sha, hash);
	hex_text(hash, SHA256_BYTES, digits);
	memcpy(at, digits, SHA256_TEXT_BYTES - 1);
}

/* The block map of a disk of 4 MiB. Its ranges, and what is between them, are all of that. */
static void parse_bmap(uint8_t *text, size_t n)
{
	enum { SIZE = 4 << 20 };
	uint64_t length, mapped = 0;
	struct bmap bmap;
	struct error err;

	sum_map(text, n);
	fuzz_volume("m", text, n);
	if (bmap_read(&bmap, "m", "image", SIZE, &err) != ST_OK) {
		MUST(err.text[0] != '\0' && bmap.range == NULL);
		return;
	}
	for (uint64_t at = 0; at < SIZE; at += length) {
		bool unmapped = bmap_unmapped(&bmap, at, &length);

		MUST(length > 0 && at + length <= SIZE);
		mapped += unmapped ? 0 : length;
	}
	for (size_t i = 0; i < bmap.n; i++)
		mapped -= bmap.range[i].length;
	MUST(mapped == 0);
	bmap_close(&bmap);
}

/* Segments that are accepted are in order, and make up the volumes. */
static void parse_lvm(const char *text, size_t n)
{
	struct lvm_group *group = malloc(sizeof *group);
	uint64_t end = 0, sum = 0;
	struct error err;

	if (lvm_parse(text, n, group, &err) == ST_OK) {
		for (size_t i = 0; i < group->n_segments; i++) {
			const struct lvm_segment *segment = &group->segment[i];

			MUST(segment->n > 0 && segment->at >= end);
			MUST(segment->volume < group->n_volumes);
			end = segment->at + segment->n;
			sum += segment->n;
		}
		MUST(end <= group->n_extents);
		for (size_t i = 0; i < group->n_volumes; i++)
			sum -= group->volume[i].n_extents;
		MUST(sum == 0);
	} else {
		MUST(err.text[0] != '\0');
	}
	free(group);
}

/* The journal of a copy of that disk, or of another one. */
static void parse_journal(const char *text, size_t n)
{
	struct journal journal = {
		.text.facts = { .disk = "serial=D", .size = 3149824, .options = "-O qcow2" }
	};
	struct error err;

	if (journal_parse(&journal, "j", text, n, &err) == ST_OK)
		MUST(journal.found && journal.old <= journal.text.facts.size);
	else
		MUST(err.text[0] != '\0' && !journal.found && journal.old == 0);
}

/* With a mistake in it, there is nothing to be run. */
static void parse_job(const char *text, size_t n)
{
	struct script job;
	struct error err;

	if (script_parse("j", text, n, &job, &err) == ST_OK)
		MUST(job.n > 0);
	else
		MUST(err.text[0] != '\0' && job.n == 0);
	script_free(&job);
}

static void parse_smbios(const uint8_t *table, size_t n)
{
	struct capture text;

	capture_init(&text);
	MUST(smbios_strings(table, n, "a", &text.out) == (text.n > 0));
	(void)smbios_is_virtual(table, n);
	smbios_model(table, n, &text.out);
	capture_free(&text);
}

/* A whole command line on an empty volume; nothing in it is a reason to end. */
static void run_line(const char *text)
{
	struct capture out, err_text;
	struct words words;
	struct error err;

	if (words_split(text, &words, &err) != ST_OK)
		return;
	capture_init(&out);
	capture_init(&err_text);
	(void)cli_run(&(struct console){ .out = &out.out, .err = &err_text.out }, (int)words.n,
		      words.word);
	capture_free(&err_text);
	capture_free(&out);
	words_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text;

	if (n == 0)
		return 0;
	text = malloc(n);
	memcpy(text, data + 1, n - 1);
	text[n - 1] = '\0';
	fuzz_volume("image", data, 0);
	switch (data[0] % 8) {
	case 0:
		parse_size(text);
		break;
	case 1:
		parse_create_options(text, "qcow2");
		break;
	case 2:
		if (data[0] % 16 < 8)
			parse_create_options(text, "raw");
		else
			parse_bmap((uint8_t *)text, n - 1);
		break;
	case 3:
		if (data[0] % 16 < 8)
			parse_path(text);
		else
			parse_lvm(text, n - 1);
		break;
	case 4:
		if (data[0] % 16 < 8)
			convert_utf(text, n - 1);
		else
			parse_smbios(data + 1, n - 1);
		break;
	case 6:
		if (data[0] % 16 < 8)
			parse_map(text, n - 1);
		else
			parse_job(text, n - 1);
		break;
	case 7:
		if (data[0] % 16 < 8)
			parse_manifest(data + 1, n - 1);
		else
			parse_journal(text, n - 1);
		break;
	default:
		run_line(text);
	}
	free(text);
	fuzz_end();
	return 0;
}
