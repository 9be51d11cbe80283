/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations that are tried for every format that can create images: made of templates, for
 * each format of the program, as soon as it is there, and for each kind of its images that has a
 * row in variants[]. Programs that are linked with tests/doubles/ have those formats, too.
 *
 * In a template, words are divided by blanks; "@f" is the name of the format, "@o" are the words
 * "-o OPTIONS", or nothing, "@s" is the size of the disk, and "@0" an empty word. "@b" is a backing
 * file with the contents of "random", and "@B" its format.
 */
#include "format/format.h"
#include "operation.h"

enum { SMALL = 90, OPERATIONS_MAX = 600, PIECE_BYTES = 12 << 10, MIB = 1 << 20 };

/* Kinds of images. A format without a row has one kind: that without options. */
static const struct variant {
	const char *format;
	const char *kind; /* NULL: the first kind, whose rows have the name of the format alone */
	const char *options; /* of create; NULL: none */
	unsigned disk_kib;   /* of the disk; 0: SMALL. Small ones are quick */
	bool once;           /* the disk is written once: images are not changed */
	bool in_place;       /* all of the disk has its place at first: nothing is allocated */
	bool keeps_size;     /* its disk cannot grow, although that of other kinds can */
	bool unpacked;       /* its images are not compressed, though others of the format are */
	bool own_backing;    /* a backing file must be of the same format */
	bool needs_options;  /* without them, an image is larger than the volume */
} variants[] = {
	/* of formats with large blocks, a disk of two of them */
	{ .format = "vpc", .options = "force_size=on", .disk_kib = 2100 },
	{ .format = "vpc",
	  .kind = "fixed",
	  .options = "subformat=fixed,force_size=on",
	  .in_place = true,
	  .keeps_size = true },
	{ .format = "vhdx", .options = "block_size=1M,log_size=1M", .disk_kib = 1100 },
	{ .format = "vhdx",
	  .kind = "fixed",
	  .options = "subformat=fixed,block_size=1M,log_size=1M",
	  .in_place = true },
	{ .format = "vmdk", .unpacked = true, .own_backing = true },
	{ .format = "vmdk",
	  .kind = "flat",
	  .options = "subformat=monolithicFlat",
	  .in_place = true },
	{ .format = "vmdk",
	  .kind = "split",
	  .options = "subformat=twoGbMaxExtentSparse,zeroed_grain=on",
	  .unpacked = true,
	  .own_backing = true },
	{ .format = "vmdk",
	  .kind = "split-flat",
	  .options = "subformat=twoGbMaxExtentFlat",
	  .in_place = true },
	{ .format = "vmdk",
	  .kind = "stream",
	  .options = "subformat=streamOptimized",
	  .once = true },
	{ .format = "vdi", .disk_kib = 1100 },
	{ .format = "vdi",
	  .kind = "static",
	  .options = "static=on",
	  .disk_kib = 1100,
	  .in_place = true },
	{ .format = "qed", .options = "cluster_size=4k,table_size=2" },
	{ .format = "parallels", .options = "cluster_size=4k" },
	/* with a backing file, clusters of 512 bytes */
	{ .format = "qcow", .disk_kib = 24 },
	/* of tests/doubles */
	{ .format = "blocks",
	  .options = "block_size=64k",
	  .disk_kib = 72,
	  .keeps_size = true,
	  .needs_options = true },
	{ .format = "pieces", .options = "piece=64k", .in_place = true },
};

enum need {
	CREATES,    /* images of the format can be created */
	DEFAULTS,   /* ... without options */
	CHANGES,    /* ... and changed thereafter */
	PACKS,      /* ... with compressed data */
	REWRITES,   /* ... and changed thereafter */
	BACKED,     /* ... with a backing file */
	REBASES,    /* ... that can be another one */
	EMPTIES,    /* ... and they can be emptied again */
	RESIZES,    /* their disk can grow */
	IS_CHECKED, /* they can be checked */
};

#define NEW   "convert -f raw -O @f @o random a"
#define EMPTY "create -q -f @f @o a @s"
#define OVER  "create -q -f @f @o -b @b -F @B a"

static const struct row {
	const char *name;
	enum need need;
	const char *setup[2];
	const char *words; /* NULL: a guest */
	unsigned guest;
	const char *mixed, *says;
} rows[] = {
	{ "create", CREATES, .words = "create -q -f @f @o new @s" },
	{ "convert", CREATES, .words = "convert -f raw -O @f @o random new" },
	{ "dd", DEFAULTS, .words = "dd -f raw -O @f bs=3k if=random of=new count=20" },
	{ "packed", PACKS, .words = "convert -c -f raw -O @f @o other new" },
	{ "write", CHANGES, .setup = { NEW }, .words = "convert -n -f raw -O @f other a",
	  .mixed = "a" },
	{ "write-empty", CHANGES, .setup = { EMPTY }, .words = "convert -n -f raw -O @f random a",
	  .mixed = "a" },
	{ "write-again", CHANGES, .setup = { EMPTY, "convert -n -f raw -O @f few a" },
	  .words = "convert -n -f raw -O @f other a", .mixed = "a" },
	{ "zeros", CHANGES, .setup = { NEW }, .words = "convert -n -f raw -O @f zeros a",
	  .mixed = "a" },
	{ "guest", CHANGES, .setup = { NEW }, .guest = 8, .mixed = "a" },
	{ "guest-empty", CHANGES, .setup = { EMPTY }, .guest = 8, .mixed = "a" },
	{ "grow", RESIZES, .setup = { NEW }, .words = "resize -f @f a +@s" },
	{ "commit-into", CHANGES,
	  .setup = { NEW, "convert -f raw -O qcow2 -B a -F @f -o cluster_size=4k other b" },
	  .words = "commit b", .mixed = "a" },
	{ "over", BACKED, .words = "convert -f raw -O @f @o -B @b -F @B other new" },
	{ "write-over", BACKED, .setup = { OVER }, .words = "convert -n -f raw -O @f other a",
	  .mixed = "a" },
	{ "zeros-over", BACKED, .setup = { OVER }, .words = "convert -n -f raw -O @f zeros a",
	  .mixed = "a" },
	{ "guest-over", BACKED, .setup = { OVER }, .guest = 8, .mixed = "a" },
	{ "write-packed", REWRITES, .setup = { "convert -c -f raw -O @f @o random a" },
	  .words = "convert -n -f raw -O @f other a", .mixed = "a" },
	{ "commit", EMPTIES, .setup = { "convert -f raw -O @f @o -B other -F raw random a" },
	  .words = "commit -f @f a", .mixed = "other" },
	{ "rebase", REBASES, .setup = { OVER, "convert -n -f raw -O @f few a" },
	  .words = "rebase -f @f -b other -F raw a" },
	{ "rebase-first", REBASES, .setup = { EMPTY }, .words = "rebase -f @f -b other -F raw a" },
	{ "rebase-none", REBASES, .setup = { OVER, "convert -n -f raw -O @f few a" },
	  .words = "rebase -f @f -b @0 a" },
	{ "read", CREATES, .setup = { NEW }, .words = "convert -f @f -O raw a new" },
	{ "compare", CREATES, .setup = { NEW }, .words = "compare -f raw -F @f random a",
	  .says = "identical" },
	{ "map", CREATES, .setup = { NEW }, .words = "map --output=json a", .says = "]" },
	{ "info", CREATES, .setup = { NEW }, .words = "info a" },
	{ "check", IS_CHECKED, .setup = { NEW }, .words = "check a", .says = "No errors" },
};

const char *small_options(const char *format)
{
	for (size_t i = 0; i < N_OF(variants); i++)
		if (strcmp(variants[i].format, format) == 0)
			return variants[i].options;
	return NULL;
}

/* ---- which ---- */

static bool can(const struct image_format *format, const struct variant *variant, enum need need)
{
	bool changes = !variant->once;

	switch (need) {
	case CREATES:
		return true;
	case DEFAULTS:
		return !variant->needs_options;
	case CHANGES:
		return changes;
	case PACKS:
		return format->change.write_compressed != NULL && !variant->in_place &&
		       !variant->unpacked;
	case REWRITES:
		return changes && can(format, variant, PACKS);
	case BACKED:
		return changes && format->create.backing && !variant->in_place;
	case REBASES:
		return can(format, variant, BACKED) && format->change.set_backing != NULL;
	case EMPTIES:
		return can(format, variant, BACKED) && format->change.make_empty != NULL;
	case RESIZES:
		return changes && !variant->keeps_size && format->change.plan_resize != NULL;
	case IS_CHECKED:
		return format->check.check != NULL;
	}
	return false;
}

static uint64_t disk_bytes(const struct variant *v)
{
	return (uint64_t)(v->disk_kib > 0 ? v->disk_kib : SMALL) << 10;
}

/* ---- words ---- */

/* Takes a template apart. */
static void expand(const char *template, const struct variant *v, const char *ret[WORDS])
{
	char copy[128], size[24], grown[32];
	size_t n = 0;

	snprintf(copy, sizeof copy, "%s", template);
	snprintf(size, sizeof size, "%zu", (size_t)disk_bytes(v));
	snprintf(grown, sizeof grown, "+%s", size);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
		assert_true(n + 2 < WORDS);
		if (strcmp(word, "@o") == 0) {
			if (v->options == NULL)
				continue;
			ret[n++] = "-o";
			ret[n++] = v->options;
		} else if (strcmp(word, "@f") == 0) {
			ret[n++] = v->format;
		} else if (strcmp(word, "@b") == 0) {
			ret[n++] = v->own_backing ? "base" : "random";
		} else if (strcmp(word, "@B") == 0) {
			ret[n++] = v->own_backing ? v->format : "raw";
		} else if (strcmp(word, "@s") == 0) {
			ret[n++] = strdup(size);
		} else if (strcmp(word, "+@s") == 0) {
			ret[n++] = strdup(grown);
		} else {
			ret[n++] = strcmp(word, "@0") == 0 ? "" : strdup(word);
		}
	}
}

static struct operation made[OPERATIONS_MAX];
static size_t n_made;

static void make(const struct variant *v, const struct row *row)
{
	struct operation *op = &made[n_made++];
	size_t n_setup = 0;
	char name[64];

	assert_true(n_made < OPERATIONS_MAX);
	snprintf(name, sizeof name, "%s%s%s/%s", v->format, v->kind != NULL ? "/" : "",
		 v->kind != NULL ? v->kind : "", row->name);
	op->name = strdup(name);
	if (row->need == BACKED && v->own_backing)
		expand("convert -f raw -O @f random base", v, op->setup[n_setup++]);
	for (size_t i = 0; i < N_OF(row->setup) && row->setup[i] != NULL; i++)
		expand(row->setup[i], v, op->setup[n_setup++]);
	if (row->words != NULL)
		expand(row->words, v, op->words);
	op->guest = row->guest;
	op->mixed = row->mixed;
	op->says = row->says;
	op->disk_bytes = disk_bytes(v);
}

static void make_all(const struct image_format *format, const struct variant *variant)
{
	for (size_t i = 0; i < N_OF(rows); i++)
		if (can(format, variant, rows[i].need))
			make(variant, &rows[i]);
}

const struct operation *format_operations(size_t *ret_n)
{
	n_made = 0;
	for (size_t i = 0; image_formats[i] != NULL; i++) {
		const struct image_format *format = image_formats[i];
		const struct variant plain = { .format = format->name };
		bool has_row = false;

		if (format->create.plan == NULL || format->flat ||
		    strcmp(format->name, "qcow2") == 0)
			continue;
		for (size_t k = 0; k < N_OF(variants); k++)
			if (strcmp(variants[k].format, format->name) == 0) {
				make_all(format, &variants[k]);
				has_row = true;
			}
		if (!has_row)
			make_all(format, &plain);
	}
	*ret_n = n_made;
	return made;
}

/* ---- files ---- */

/*
 * A disk with a piece of data at its beginning, and one across each MiB; a small one is all data.
 * More pieces would be more writes, and states that a cut of the power leaves are quadratic in
 * these.
 */
static void put_disk(const char *name, uint32_t seed, uint64_t size)
{
	uint8_t *bytes, *piece;
	uint64_t n;
	uint32_t state = seed;

	put_raw(name, seed, size <= SMALL << 10 ? (size_t)size : PIECE_BYTES, seed);
	if (size <= SMALL << 10)
		return;
	bytes = test_calloc(size, 1);
	piece = bytes + dice(&state) % 3 * 4096;
	memcpy(piece, sim_file(name, &n), PIECE_BYTES);
	for (uint64_t at = MIB; at < size; at += MIB) {
		uint64_t from = at - dice(&state) % PIECE_BYTES;

		n = size - from < PIECE_BYTES ? size - from : PIECE_BYTES;
		memcpy(bytes + from, piece, n);
	}
	sim_file_put(name, bytes, size);
	test_free(bytes);
}

bool is_format_file(const char *name)
{
	static const char *const names[] = { "random", "other", "few", "zeros" };

	for (size_t i = 0; i < N_OF(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void format_files(uint64_t disk_bytes)
{
	uint8_t *zeros = test_calloc(disk_bytes, 1);

	put_disk("random", 1, disk_bytes);
	put_disk("other", 2, disk_bytes - 10240);
	put_disk("few", 3, disk_bytes / 2);
	sim_file_put("zeros", zeros, disk_bytes);
	test_free(zeros);
}
