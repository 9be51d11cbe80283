/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images with bytes of all kinds in their tables: `check` has a verdict, what could be read before
 * a repair can be read after it, and a second repair changes nothing.
 */
#include "contents.h"
#include "operation.h"
#include "powercut.h"

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

/* How the images are made, of the files "dense" and "dense2". */
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

static const struct kind {
	const char *name, *setup[4][WORDS];
} kinds[] = {
	{ "small-clusters", { IMAGE("cluster_size=512"), TAKEN } },
	{ "subclusters", { IMAGE("cluster_size=16k,extended_l2=on,refcount_bits=4"), TAKEN } },
	{ "one-bit", { IMAGE("cluster_size=512,refcount_bits=1") } },
	{ "version-2", { IMAGE("cluster_size=1k,compat=0.10"), TAKEN } },
	{ "data-file", { IMAGE("cluster_size=512,data_file=d,data_file_raw=on") } },
	{ "empty",
	  { { "create", "-q", "-f", "qcow2", "-o",
	      "cluster_size=512,preallocation=metadata,refcount_bits=64", "a", "400k" } } },
};

static struct sim_files prepare(const struct kind *kind, struct bytes *ret_image)
{
	struct sim_files files;

	sim_volume(&roomy);
	operation_files();
	for (size_t i = 0; i < N_OF(kind->setup) && kind->setup[i][0] != NULL; i++)
		must(kind->setup[i]);
	files = sim_files_keep();
	for (size_t i = 0; i < files.n; i++)
		if (strcmp(files.file[i].name, "a") == 0)
			*ret_image = (struct bytes){ files.file[i].bytes, files.file[i].size };
	return files;
}

static void damage(const struct bytes *image, uint32_t seed)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x02, 0x40, 0x7f, 0x80, 0xc0, 0xff };
	uint32_t state = seed;

	for (uint32_t i = 0, n = 1 + seed % 4; i < n; i++) {
		/* the header, or the first clusters, or any */
		uint64_t range = i == 0 ? 80 : dice(&state) % 2 == 0 ? 8192 : image->size - 24;
		uint8_t *at = &image->at[24 + dice(&state) % (range < image->size - 24
								      ? range
								      : image->size - 24)];

		if (dice(&state) % 2 == 0)
			*at ^= (uint8_t)(1u << dice(&state) % 8);
		else
			*at = values[dice(&state) % N_OF(values)];
	}
}

/* What `check` says; more than that only of what opens. */
static int assert_repairs(uint32_t seed)
{
	const char *what = seed % 4 == 0 ? "leaks" : "all";
	int verdict = RUN("check", "a"), code;
	struct contents before, after;
	struct sim_files repaired;
	uint64_t size;

	if (verdict < 0 || verdict > 3 || sim_allocations() != 0)
		wrong("exit code %d, %zu allocations left", verdict, sim_allocations());
	if (RUN("info", "a") != EXIT_OK)
		return verdict;
	before = contents_read();
	code = RUN("check", "-r", what, "a");
	after = contents_read();
	assert_same_contents(&before, &after);
	repaired = sim_files_keep();
	if (RUN("check", "-r", what, "a") != code || sim_allocations() != 0)
		wrong("exit code %d the first time, then another: %s", code, err.text);
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
	unsigned seen[4] = { 0 }, seed = setting("SEED", 0), n = 60 * setting("SEEDS", 2);

	(void)state;
	for (size_t kind = 0; kind < N_OF(kinds); kind++) {
		struct bytes image;
		struct sim_files files = prepare(&kinds[kind], &image);
		uint8_t *sound = test_malloc(image.size);

		memcpy(sound, image.at, image.size);
		for (unsigned i = seed; i < seed + n; i++) {
			if (!trying("damaged/%s/%u", kinds[kind].name, i))
				continue;
			memcpy(image.at, sound, image.size);
			damage(&image, i);
			sim_files_restore(&roomy, &files);
			seen[assert_repairs(i)]++;
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
