/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images of which one field says something absurd: each command ends with an exit code of its own
 * and words that name the file, in a bounded time and memory. The fields are found in the image by
 * this file itself.
 */
#include "powercut.h"
#include "run.h"

enum {
	READING = 7 /* of the lines: those that change nothing */,
	SETUP = 4,
	NAME = 48,
	FIELDS_MAX = 400,
	SAMPLES = 3
};

/*
 * The most memory that any field may make a command take: an L1 table of 32 MiB, as it is and as it
 * is read.
 */
#define MEMORY_MAX ((size_t)80 << 20)

static const struct sim_volume_kind roomy = { .free_bytes = 2 << 20 };

/* How the image "a" is made. */
static const struct {
	const char *name, *setup[SETUP][WORDS];
} images[] = {
	{ "small-clusters",
	  { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" },
	    { "snapshot", "-c", "one", "a" },
	    { "snapshot", "-c", "two", "a" } } },
	{ "version-2",
	  { { "convert", "-O", "qcow2", "-o", "cluster_size=1k,compat=0.10", "random", "a" },
	    { "snapshot", "-c", "one", "a" } } },
	{ "compressed",
	  { { "convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k,refcount_bits=1", "random",
	      "a" } } },
	{ "zstd",
	  { { "convert", "-c", "-O", "qcow2", "-o",
	      "cluster_size=4k,compression_type=zstd,lazy_refcounts=on", "random", "a" } } },
	{ "subclusters",
	  { { "convert", "-O", "qcow2", "-o", "cluster_size=16k,extended_l2=on,refcount_bits=64",
	      "random", "a" } } },
	{ "backing",
	  { { "convert", "-O", "qcow2", "-B", "random", "-F", "raw", "-o", "cluster_size=512",
	      "other", "a" } } },
	{ "data-file",
	  { { "convert", "-O", "qcow2", "-o", "cluster_size=512,data_file=d,data_file_raw=on",
	      "random", "a" } } },
	{ "bitmaps",
	  { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" },
	    { "bitmap", "--add", "-g", "512", "a", "one" },
	    { "bitmap", "--add", "--disable", "a", "two" },
	    { "convert", "-n", "-O", "qcow2", "other", "a" } } },
};

/* What is run on it: of what changes the image, one for each value in turn. */
static const char *const lines[][WORDS] = {
	{ "info", "--output=json", "a" },
	{ "info", "--backing-chain", "a" },
	{ "check", "a" },
	{ "map", "--output=json", "a" },
	{ "measure", "-O", "qcow2", "a" },
	{ "compare", "a", "random" },
	{ "snapshot", "-l", "a" },
	{ "snapshot", "-c", "three", "a" },
	{ "snapshot", "-a", "one", "a" },
	{ "snapshot", "-d", "one", "a" },
	{ "resize", "a", "+100k" },
	{ "resize", "--shrink", "a", "10k" },
	{ "convert", "-n", "-O", "qcow2", "random", "a" },
	{ "rebase", "-u", "-b", "", "a" },
	{ "commit", "a" },
	{ "amend", "-o", "compat=0.10,refcount_bits=16", "a" },
	{ "amend", "-o", "compat=1.1,refcount_bits=64", "a" },
	{ "bitmap", "--merge", "one", "--clear", "a", "two" },
	{ "bitmap", "--remove", "a", "one" },
};

/* ---- the fields of an image ---- */

struct field {
	char name[NAME];
	uint64_t offset;
	unsigned width;
};

struct fields {
	const uint8_t *bytes;
	uint64_t size;
	struct field field[FIELDS_MAX];
	size_t n;
};

static uint64_t get(const struct fields *f, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	assert_true(offset + width <= f->size);
	for (unsigned i = 0; i < width; i++)
		value = value << 8 | f->bytes[offset + i];
	return value;
}

static void add(struct fields *f, const char *name, unsigned index, uint64_t offset, unsigned width)
{
	struct field *field = &f->field[f->n++];

	assert_true(f->n < FIELDS_MAX);
	snprintf(field->name, sizeof field->name, "%s-%u", name, index);
	field->offset = offset;
	field->width = width;
}

/* Some entries of a table: the first ones that are not 0, and the first one that is. */
static void add_table(struct fields *f, const char *name, uint64_t table, uint64_t n,
		      unsigned width)
{
	unsigned samples = 0;
	bool zero = false;

	for (unsigned i = 0; i < n && (samples < SAMPLES || !zero); i++) {
		uint64_t offset = table + i * width;

		if (offset + width > f->size)
			return;
		if (get(f, offset, width) == 0) {
			if (zero)
				continue;
			zero = true;
		} else if (samples++ >= SAMPLES) {
			continue;
		}
		add(f, name, i, offset, width);
	}
}

static void add_header(struct fields *f)
{
	/* section "Header": the widths of its fields from the version on */
	static const unsigned widths[] = { 4, 8, 4, 4, 8, 4, 4, 8, 8, 4, 4, 8, 8, 8, 8, 4, 4, 1 };
	unsigned n = get(f, 4, 4) == 3 ? N_OF(widths) : 12, at = 4;

	for (unsigned i = 0; i < n; i++) {
		add(f, "header", at, at, widths[i]);
		at += widths[i];
	}
	for (unsigned ext = get(f, 4, 4) == 3 ? (unsigned)get(f, 100, 4) : 72; get(f, ext, 4) != 0;
	     ext += 8 + ((unsigned)get(f, ext + 4, 4) + 7) / 8 * 8) {
		add(f, "extension-type-at", ext, ext, 4);
		add(f, "extension-length-at", ext, ext + 4, 4);
		for (unsigned i = 0; i < get(f, ext + 4, 4) && i < 24; i += 8)
			add(f, "extension-data-at", ext, ext + 8 + i, 8);
	}
}

static void add_snapshots(struct fields *f)
{
	static const unsigned widths[] = { 8, 4, 2, 2, 4, 4, 8, 4, 4, 8, 8, 8 };
	uint64_t at = get(f, 64, 8);

	for (unsigned i = 0; i < get(f, 60, 4); i++) {
		uint64_t field = at;

		for (unsigned k = 0; k < N_OF(widths); field += widths[k++])
			add(f, "snapshot", i * 100 + k, field, widths[k]);
		add_table(f, "L1-of-snapshot", get(f, at, 8), get(f, at + 8, 4), 8);
		at += 40 + get(f, at + 36, 4) + get(f, at + 12, 2) + get(f, at + 14, 2);
		at = (at + 7) / 8 * 8;
	}
}

static void add_bitmaps(struct fields *f)
{
	static const unsigned widths[] = { 8, 4, 4, 1, 1, 2, 4 };
	uint64_t ext = get(f, 100, 4), at;

	while (get(f, ext, 4) != 0x23852875)
		ext += 8 + (get(f, ext + 4, 4) + 7) / 8 * 8;
	at = get(f, ext + 24, 8);
	for (unsigned i = 0; i < get(f, ext + 8, 4); i++) {
		uint64_t field = at;

		for (unsigned k = 0; k < N_OF(widths); field += widths[k++])
			add(f, "bitmap", i * 100 + k, field, widths[k]);
		add_table(f, "bitmap-table", get(f, at, 8), get(f, at + 8, 4), 8);
		at += (24 + get(f, at + 18, 2) + get(f, at + 20, 4) + 7) / 8 * 8;
	}
}

static void find_fields(struct fields *f)
{
	uint64_t cluster = UINT64_C(1) << get(f, 20, 4), l1 = get(f, 40, 8),
		 reftable = get(f, 48, 8);
	unsigned entry = get(f, 4, 4) == 3 && (get(f, 72, 8) & 16) != 0 ? 16 : 8;

	add_header(f);
	add_table(f, "L1", l1, get(f, 36, 4), 8);
	for (unsigned i = 0; i < get(f, 36, 4) && i < SAMPLES; i++) {
		uint64_t table = get(f, l1 + i * 8, 8) & UINT64_C(0x00fffffffffffe00);

		if (table != 0)
			add_table(f, "L2", table, cluster / 8, 8);
		if (table != 0 && entry == 16)
			add(f, "bitmap-of-subclusters", i, table + 8, 8);
	}
	add_table(f, "refcount-table", reftable, get(f, 56, 4) * cluster / 8, 8);
	add_table(f, "refcount-block", get(f, reftable, 8), cluster / 8, 8);
	add_snapshots(f);
	if (get(f, 4, 4) == 3 && (get(f, 88, 8) & 1) != 0)
		add_bitmaps(f);
}

/* ---- trying them ---- */

static void prepare(size_t image)
{
	uint8_t bytes[40 << 10];

	sim_volume(&roomy);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i / 5000 % 2 == 0 ? i * i / 300 : 0);
	sim_file_put("random", bytes, sizeof bytes);
	memset(bytes, 7, sizeof bytes / 2);
	sim_file_put("other", bytes, sizeof bytes);
	for (size_t i = 0; i < SETUP && images[image].setup[i][0] != NULL; i++)
		must(images[image].setup[i]);
}

/* compare and check have codes of their own; what only wastes space is no failure. */
static bool is_answer(const char *command, int code)
{
	bool words = strncmp(err.text, "efi-img: ", 9) == 0;

	if (strcmp(command, "check") == 0)
		return code == 0 || code == 2 || code == 3 || code == 63 ||
		       (code == EXIT_ERROR && (words || strstr(err.text, ": ") != NULL));
	if (strcmp(command, "compare") == 0)
		return code == 0 || code == 1 || (code <= 4 && words);
	return code == EXIT_OK || (code == EXIT_ERROR && words);
}

static void try_line(const char *const words[])
{
	int code;

	sim_peak_restart();
	code = run(words);
	if (!is_answer(words[0], code) || sim_allocations() != 0 || sim_peak_bytes() > MEMORY_MAX)
		wrong("%s %s: code %d, %zu allocations left, %zu bytes at most: %s", words[0],
		      words[1], code, sim_allocations(), sim_peak_bytes(), err.text);
}

/* After a repair of all that can be repaired, there is nothing left that can be. */
static void try_repair(void)
{
	static const char *const words[WORDS] = { "check", "-r", "all", "a" };
	struct sim_files repaired;
	uint64_t size;

	try_line(words);
	repaired = sim_files_keep();
	try_line(words);
	for (size_t i = 0; i < repaired.n; i++)
		if (memcmp(sim_file(repaired.file[i].name, &size), repaired.file[i].bytes,
			   repaired.file[i].size) != 0 ||
		    size != repaired.file[i].size)
			wrong("repairing it once more changes it");
	sim_files_drop(&repaired);
}

static void try(const struct sim_files *files, const uint8_t *poked, uint64_t size)
{
	static size_t turn = READING;

	turn = turn + 1 < N_OF(lines) ? turn + 1 : READING;
	for (size_t i = 0; i <= N_OF(lines); i++) {
		if (i >= READING && i != turn && i != N_OF(lines))
			continue;
		sim_files_restore(&roomy, files);
		sim_file_put("a", poked, size);
		if (i < N_OF(lines))
			try_line(lines[i]);
		else
			try_repair();
	}
}

static unsigned poke_each(size_t image)
{
	struct fields *fields = test_calloc(1, sizeof *fields);
	struct sim_files files;
	uint8_t *bytes, *poked;
	unsigned tried = 0;

	prepare(image);
	files = sim_files_keep();
	fields->bytes = sim_file("a", &fields->size);
	bytes = test_malloc(fields->size);
	memcpy(bytes, fields->bytes, fields->size);
	fields->bytes = bytes;
	find_fields(fields);
	poked = test_malloc(fields->size);
	for (size_t i = 0; i < fields->n; i++) {
		const struct field *field = &fields->field[i];
		const uint64_t old = get(fields, field->offset, field->width);
		const uint64_t values[] = { 0,
					    UINT64_MAX,
					    1,
					    old + 1,
					    old ^ (UINT64_C(1) << 62),
					    old ^ (UINT64_C(1) << 63),
					    UINT64_C(1) << 31,
					    UINT64_C(1) << 55,
					    (fields->size + 511) / 512 * 512,
					    512 };

		for (size_t k = 0; k < N_OF(values); k++) {
			memcpy(poked, bytes, fields->size);
			for (unsigned b = 0; b < field->width; b++)
				poked[field->offset + b] = (uint8_t)(values[k] >>
								     8 * (field->width - 1 - b));
			if (trying("poked/%s/%s/0x%zx", images[image].name, field->name,
				   (size_t)values[k])) {
				try(&files, poked, fields->size);
				tried++;
			}
		}
	}
	sim_files_drop(&files);
	test_free(poked);
	test_free(bytes);
	test_free(fields);
	return tried;
}

static void every_field(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(images); i++)
		tried += poke_each(i);
	print_message("| poked fields | %u | commands each | %d |\n", tried, READING + 3);
	assert_true(getenv("ONLY") != NULL || tried > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
