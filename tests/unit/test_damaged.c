/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images of every format with bytes of all kinds in their tables: `check` has a verdict, what could
 * be read before a repair can be read after it, a second repair changes nothing, and a check finds
 * what the repair has told.
 */
#include "contents.h"
#include "operation.h"
#include "powercut.h"

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

enum { NO_CHECKS = 63, SECTOR = 512, SPOTS = 3, SPOTS_BYTES = 2200 << 10, SECTORS_MAX = 64 << 10 };

/* How the images are made, of the files "dense" and "dense2"; those of other formats of "spots". */
#define IMAGE(options) \
	{ "create", "-q", "-f", "qcow2", "-o", options, "a", "48k" }, \
	{ \
		"convert", "-n", "-O", "qcow2", "dense", "a" \
	}
#define TAKEN \
	{ "snapshot", "-c", "s", "a" }, \
	{ \
		"convert", "-n", "-O", "qcow2", "dense2", "a" \
	}
#define OF(format, ...) \
	{ \
		{ \
			"convert", "-f", "raw", "-O", format, __VA_ARGS__, "spots", "a" \
		} \
	}

static const struct kind {
	const char *name, *setup[4][WORDS];
	const char *file; /* whose bytes are damaged; NULL: "a" */
	bool spots;       /* bytes of the sectors that are not zeros are, most of them tables */
} kinds[] = {
	{ .name = "small-clusters", .setup = { IMAGE("cluster_size=512"), TAKEN } },
	{ .name = "subclusters",
	  .setup = { IMAGE("cluster_size=16k,extended_l2=on,refcount_bits=4"), TAKEN } },
	{ .name = "one-bit", .setup = { IMAGE("cluster_size=512,refcount_bits=1") } },
	{ .name = "version-2", .setup = { IMAGE("cluster_size=1k,compat=0.10"), TAKEN } },
	{ .name = "data-file",
	  .setup = { IMAGE("cluster_size=512,data_file=d,data_file_raw=on") } },
	{ .name = "empty",
	  .setup = { { "create", "-q", "-f", "qcow2", "-o",
		       "cluster_size=512,preallocation=metadata,refcount_bits=64", "a",
		       "400k" } } },
	{ .name = "parallels", .setup = OF("parallels", "-o", "cluster_size=4k"), .spots = true },
	{ .name = "qcow", .setup = OF("qcow", "-c"), .spots = true },
	{ .name = "qed", .setup = OF("qed", "-o", "cluster_size=4k,table_size=2"), .spots = true },
	{ .name = "vdi", .setup = OF("vdi", "-q"), .spots = true },
	{ .name = "vhdx", .setup = OF("vhdx", "-o", "block_size=1M,log_size=1M"), .spots = true },
	{ .name = "vmdk", .setup = OF("vmdk", "-q"), .spots = true },
	{ .name = "vmdk-split",
	  .setup = OF("vmdk", "-o", "subformat=twoGbMaxExtentSparse"),
	  .file = "a-s001",
	  .spots = true },
	{ .name = "vmdk-stream",
	  .setup = OF("vmdk", "-o", "subformat=streamOptimized"),
	  .spots = true },
	{ .name = "vpc", .setup = OF("vpc", "-o", "force_size=on"), .spots = true },
	{ .name = "vpc-fixed",
	  .setup = OF("vpc", "-o", "subformat=fixed,force_size=on"),
	  .spots = true },
};

/* A disk of more than two of the large blocks, with a few spots of data. */
static void put_spots(void)
{
	uint8_t *bytes = test_calloc(1, SPOTS_BYTES);

	for (size_t i = 0; i < SPOTS; i++)
		for (size_t k = 0; k < 700; k++)
			bytes[i * (SPOTS_BYTES / SPOTS) + k] = (uint8_t)(i + k * k);
	sim_file_put("spots", bytes, SPOTS_BYTES);
	test_free(bytes);
}

static struct sim_files prepare(const struct kind *kind, struct bytes *ret_image)
{
	struct sim_files files;

	sim_volume(&roomy);
	if (kind->spots)
		put_spots();
	else
		operation_files();
	for (size_t i = 0; i < N_OF(kind->setup) && kind->setup[i][0] != NULL; i++)
		must(kind->setup[i]);
	files = sim_files_keep();
	for (size_t i = 0; i < files.n; i++)
		if (strcmp(files.file[i].name, kind->file != NULL ? kind->file : "a") == 0)
			*ret_image = (struct bytes){ files.file[i].bytes, files.file[i].size };
	return files;
}

/* A byte of the header, or of the first clusters, or any. */
static uint64_t any_byte(const struct bytes *image, uint32_t i, uint32_t *state)
{
	uint64_t range = i == 0 ? 80 : dice(state) % 2 == 0 ? 8192 : image->size - 24;

	return 24 + dice(state) % (range < image->size - 24 ? range : image->size - 24);
}

/* A byte of a sector that is not zeros. */
static uint64_t used_byte(const struct bytes *image, uint32_t *state)
{
	static const uint8_t zeros[SECTOR];
	static uint32_t used[SECTORS_MAX];
	size_t n = 0;

	assert_true(image->size / SECTOR <= SECTORS_MAX);
	for (uint32_t i = 0; i < image->size / SECTOR; i++)
		if (memcmp(image->at + (size_t)i * SECTOR, zeros, SECTOR) != 0)
			used[n++] = i;
	return (uint64_t)used[dice(state) % n] * SECTOR + dice(state) % SECTOR;
}

static void damage(const struct kind *kind, const struct bytes *image, uint32_t seed)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x02, 0x40, 0x7f, 0x80, 0xc0, 0xff };
	uint32_t state = seed;

	for (uint32_t i = 0, n = 1 + seed % 4; i < n; i++) {
		uint8_t *at = &image->at[kind->spots ? used_byte(image, &state)
						     : any_byte(image, i, &state)];

		if (dice(&state) % 2 == 0)
			*at ^= (uint8_t)(1u << dice(&state) % 8);
		else
			*at = values[dice(&state) % N_OF(values)];
	}
}

/*
 * Of the disk "a" that was made of "spots", a repair may only bring back what was damaged: a grain
 * that an entry has named in the middle of the tables is that of the other copy again.
 */
static void assert_brought_back(const struct contents *before, const struct contents *after)
{
	const struct picture *a = contents_find(after, "a");
	const struct disk *old = &contents_find(before, "a")->disk[0],
			  *sound = &contents_find(after, "spots")->disk[0];

	if (old->bytes == NULL)
		return;
	if (a == NULL || a->disk[0].bytes == NULL || a->disk[0].size != old->size)
		wrong("the disk has lost something");
	if (memcmp(a->disk[0].bytes, old->bytes, old->size) == 0)
		return; /* nearly always, and much sooner than byte by byte */
	for (uint64_t i = 0; i < old->size; i++)
		if (a->disk[0].bytes[i] != old->bytes[i] &&
		    (i >= sound->size || a->disk[0].bytes[i] != sound->bytes[i]))
			wrong("byte %ju of the disk has changed", (uintmax_t)i);
}

/* What `check` says; more than that only of what opens. */
static int assert_repairs(const struct kind *kind, uint32_t seed)
{
	const char *what = seed % 4 == 0 ? "leaks" : "all";
	int verdict = RUN("check", "a"), code;
	struct contents before, after;
	struct sim_files repaired;
	uint64_t size;

	if (verdict == NO_CHECKS && format_of("a")->flat) /* its signature is damaged */
		return EXIT_ERROR;
	if (verdict < 0 || verdict > 3 || sim_allocations() != 0)
		wrong("exit code %d, %zu allocations left", verdict, sim_allocations());
	if (RUN("info", "a") != EXIT_OK)
		return verdict;
	before = contents_read();
	code = RUN("check", "-r", what, "a");
	after = contents_read();
	if (kind->spots)
		assert_brought_back(&before, &after);
	else
		assert_same_contents(&before, &after);
	repaired = sim_files_keep();
	if (RUN("check", "-r", what, "a") != code || sim_allocations() != 0)
		wrong("exit code %d the first time, then another: %s", code, err.text);
	if (code <= 3 && code != 1 && RUN("check", "a") != code)
		wrong("exit code %d of the repair, then another of a check: %s", code, err.text);
	for (size_t i = 0; i < repaired.n; i++)
		if (memcmp(sim_file(repaired.file[i].name, &size), repaired.file[i].bytes,
			   repaired.file[i].size) != 0 ||
		    size != repaired.file[i].size)
			wrong("repairing it once more changes it");
	sim_files_drop(&repaired);
	contents_free(&before);
	contents_free(&after);
	return verdict;
}

static void random_bytes(void **state)
{
	unsigned seen[4] = { 0 }, seed = setting("SEED", 0), seeds = setting("SEEDS", 2);

	(void)state;
	for (size_t kind = 0; kind < N_OF(kinds); kind++) {
		struct bytes image;
		struct sim_files files = prepare(&kinds[kind], &image);
		uint8_t *sound = test_malloc(image.size);
		/* their disks take longer to compare */
		unsigned n = seeds * (kinds[kind].spots ? 30 : 60);

		memcpy(sound, image.at, image.size);
		for (unsigned i = seed; i < seed + n; i++) {
			if (!trying("damaged/%s/%u", kinds[kind].name, i))
				continue;
			memcpy(image.at, sound, image.size);
			damage(&kinds[kind], &image, i);
			sim_files_restore(&roomy, &files);
			seen[assert_repairs(&kinds[kind], i)]++;
		}
		test_free(sound);
		sim_files_drop(&files);
	}
	print_message("| damaged images | sound %u | not checked %u | corrupt %u | leaks %u |\n",
		      seen[0], seen[1], seen[2], seen[3]);
	assert_true(getenv("ONLY") != NULL ||
		    (seen[0] > 50 && seen[1] > 10 && seen[2] > 30 && seen[3] > 0));
}

/*
 * A header alone that claims the largest tables there can be, all of them behind the end of the
 * file.
 */
static void large_tables_behind_the_end(void **state)
{
	struct bytes image;
	struct sim_files files = prepare(&kinds[5], &image);

	(void)state;
	/* entries of the L1 table */
	memcpy(image.at + 36, (const uint8_t[]){ 0x00, 0x01, 0x00, 0x00 }, 4);
	image.at[42] = 0x10; /* far away */
	/* 8 MiB of refcount table */
	memcpy(image.at + 56, (const uint8_t[]){ 0x00, 0x00, 0x40, 0x00 }, 4);
	sim_files_restore(&roomy, &files);
	assert_int_equal(RUN("check", "a"), 2);
	assert_non_null(strstr(err.text, "exceeding the end of the file"));
	sim_files_drop(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(large_tables_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
