/*
 * Bitmaps where something goes wrong: every allocation, every call to the volume, every moment at which the person
 * stops it, and the power at every change of a file. What a bitmap says and is not marked as in use must be true: all
 * that was written since is in it.
 */
#include "unit.h"

#include "command/command.h"
#include "format/image.h"
#include "powercut.h"
#include "verdict.h"

enum { WORDS = 14, SETUP = 8, DISK_BYTES = 90 << 10, BITMAPS = 6, BITS = 12000, DISK_MAX = 6 << 20 };

#define MAKE(options) { "convert", "-O", "qcow2", "-o", options, "random", "a" }
#define ADD(...) { "bitmap", "--add", __VA_ARGS__ }
/* `on` has noted some, and `off` as much. */
#define NOTED(options) \
	MAKE(options), ADD("-g", "512", "a", "on"), ADD("-g", "2k", "--disable", "a", "off"), \
		{ "convert", "-n", "-O", "qcow2", "few", "a" }, { "bitmap", "--merge", "on", "a", "off" }, ADD("a", "new")

static struct capture out, err;

static const struct sim_volume_kind roomy = { .free_bytes = 32 << 20 };

/* What is tried: the image with the bitmaps, "a", is made by `setup` from the raw files "random", "few" and "other". */
static const struct scenario {
	const char *setup[SETUP][WORDS];
	const char *words[WORDS];
} scenarios[] = {
	{ { NOTED("cluster_size=4k") }, { "convert", "-n", "-O", "qcow2", "other", "a" } },
	{ { NOTED("cluster_size=2k,refcount_bits=64") }, { "convert", "-n", "-c", "-O", "qcow2", "other", "a" } },
	{ { NOTED("cluster_size=4k"), { "snapshot", "-c", "s", "a" } }, { "convert", "-n", "-O", "qcow2", "other", "a" } },
	{ { NOTED("cluster_size=512") }, { "resize", "a", "5M" } },
	{ { NOTED("cluster_size=512"), { "resize", "a", "5M" } }, { "resize", "--shrink", "a", "20k" } },
	{ { NOTED("cluster_size=1k"), { "create", "-q", "-f", "qcow2", "-b", "a", "-F", "qcow2", "b", "100k" },
	    { "convert", "-n", "-O", "qcow2", "other", "b" } },
	  { "commit", "b" } },
	{ { MAKE("cluster_size=4k"), { "create", "-q", "-f", "qcow2", "-b", "a", "-F", "qcow2", "b" }, { "resize", "a", "100k" },
	    ADD("-g", "512", "a", "on") },
	  { "rebase", "-b", "other", "-F", "raw", "a" } },
	{ { NOTED("cluster_size=4k") }, { "rebase", "-u", "-b", "a-longer-name", "-F", "raw", "a" } },
	{ { NOTED("cluster_size=512") }, ADD("-g", "4k", "a", "another") },
	{ { MAKE("cluster_size=4k") }, ADD("a", "another") },
	{ { { "create", "-q", "-f", "qcow2", "-b", "other", "-F", "raw", "a" } }, ADD("a", "another") },
	{ { NOTED("cluster_size=512"), { "resize", "a", "5M" } }, { "bitmap", "--remove", "a", "on" } },
	{ { MAKE("cluster_size=4k"), ADD("a", "on") }, { "bitmap", "--remove", "a", "on" } },
	{ { NOTED("cluster_size=512"), { "resize", "a", "5M" } }, { "bitmap", "--clear", "a", "on" } },
	{ { NOTED("cluster_size=4k") }, { "bitmap", "--disable", "a", "on" } },
	{ { NOTED("cluster_size=512") }, { "bitmap", "--merge", "on", "--clear", "--merge", "off", "a", "new" } },
	{ { { "convert", "-O", "qcow2", "random", "b" }, { "bitmap", "--add", "b", "on" }, ADD("-g", "4k", "--disable", "b", "off"),
	    { "convert", "-n", "-O", "qcow2", "few", "b" } },
	  { "convert", "--bitmaps", "-O", "qcow2", "-o", "cluster_size=512", "b", "a" } },
};

static int run(const char *const words[])
{
	struct console console = { .out = &out.out, .err = &err.out };
	char *argv[WORDS];
	int argc = 0;

	for (; argc < WORDS && words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return command_run(&console, argc, argv);
}

static void must(const char *const words[])
{
	if (run(words) != EXIT_OK)
		fail_msg("setting up: %s", err.text);
}

/* Data of all kinds; those of "few" are like "random" in most places. */
static void put_raw(const char *name, uint32_t seed, size_t n, size_t same)
{
	uint8_t *bytes = test_malloc(n);
	uint32_t dice = 1;

	for (size_t i = 0; i < n; i++) {
		uint32_t s = i / 7000 % 5 < same ? 1 : seed, kind = ((uint32_t)i / 3000 + s) % 4;

		dice = dice * 1664525 + 1013904223;
		bytes[i] = kind == 0 ? 0 : kind == 1 ? (uint8_t)(dice >> 24) : kind == 2 ? 'a' : (uint8_t)('a' + s);
	}
	sim_file_put(name, bytes, n);
	test_free(bytes);
}

static struct sim_files prepare(const struct scenario *s)
{
	struct sim_files files;

	sim_volume(&roomy);
	put_raw("random", 1, DISK_BYTES, 0);
	put_raw("few", 2, DISK_BYTES / 2, 4);
	put_raw("other", 3, DISK_BYTES, 2);
	for (size_t i = 0; i < SETUP && s->setup[i][0] != NULL; i++)
		must(s->setup[i]);
	files = sim_files_keep();
	sim_files_restore(&roomy, &files);
	return files;
}

/* ---- what an image is --------------------------------------------------------------------------------------------- */

/* The disk of the image "a", if there is one, and its bitmaps. */
struct state {
	bool there;
	uint64_t size;
	uint8_t *disk;
	char backing[32];
	size_t n;
	struct {
		char name[16];
		bool automatic, in_use;
		uint64_t granularity;
		uint8_t bit[BITS];
	} bitmap[BITMAPS];
};

static struct state before, after, now;

static void read_bitmap(const char *where, struct image *image, size_t i, struct state *state)
{
	const struct bitmap *bitmap = &image->bitmaps[i];
	struct error why;
	uint64_t n = 0;
	bool set;

	strcpy(state->bitmap[i].name, bitmap->name);
	state->bitmap[i].automatic = bitmap->automatic;
	state->bitmap[i].in_use = bitmap->in_use;
	state->bitmap[i].granularity = bitmap->granularity_bytes;
	memset(state->bitmap[i].bit, 0, BITS);
	if (bitmap->in_use)
		return;
	if (image->format->bitmaps->check(image, i, &why) != ST_OK)
		fail_msg("%s: %s", where, why.text);
	for (uint64_t at = 0; at < image->size; at += n) {
		if (image->format->bitmaps->run(image, i, at, &set, &n) != ST_OK)
			fail_msg("%s: bitmap %s cannot be read", where, bitmap->name);
		for (uint64_t k = at; k < at + n; k += bitmap->granularity_bytes)
			state->bitmap[i].bit[k / bitmap->granularity_bytes] = set;
	}
}

static void read_state(const char *where, struct state *state)
{
	struct chain chain;
	struct error why;
	struct image *image;
	uint64_t size;
	uint8_t *disk = state->disk;

	*state = (struct state){ .disk = disk };
	if (sim_file("a", &size) == NULL || size < 4 || memcmp(sim_file("a", &size), "QFI\xfb", 4) != 0)
		return;
	state->there = true;
	if (chain_open("a", image_format_find("qcow2"), false, &chain, &why) != ST_OK || chain_load(&chain, NULL, &why) != ST_OK)
		fail_msg("%s: it cannot be read: %s", where, why.text);
	image = chain.link[0].image;
	state->size = image->size;
	state->n = image->n_bitmaps;
	strcpy(state->backing, image->backing_name != NULL ? image->backing_name : "none");
	assert_true(state->size <= DISK_MAX && state->n <= BITMAPS);
	if (blk_read(&image->blk, 0, disk, (size_t)image->size) != ST_OK)
		fail_msg("%s: its disk cannot be read", where);
	for (size_t i = 0; i < state->n; i++)
		read_bitmap(where, image, i, state);
	chain_close(&chain);
}

static size_t find(const struct state *state, const char *name)
{
	size_t i = 0;

	while (i < state->n && strcmp(state->bitmap[i].name, name) != 0)
		i++;
	return i;
}

static bool bit_of(const struct state *state, size_t i, uint64_t bit)
{
	return i < state->n && state->bitmap[i].bit[bit];
}

/* Whether what bit `bit` of a granularity stands for was changed. */
static bool changed(uint64_t granularity, uint64_t bit)
{
	uint64_t from = bit * granularity, end = from + granularity;

	end = end < now.size ? end : now.size;
	end = end < before.size ? end : before.size;
	return from < end && memcmp(before.disk + from, now.disk + from, end - from) != 0;
}

static void assert_bitmap_true(const char *where, size_t i)
{
	const char *name = now.bitmap[i].name;
	uint64_t granularity = now.bitmap[i].granularity;
	size_t old = find(&before, name), new = find(&after, name);

	if (old == before.n && new == after.n)
		fail_msg("%s: where does bitmap %s come from?", where, name);
	if (now.bitmap[i].in_use)
		return;
	for (uint64_t bit = 0; bit * granularity < now.size; bit++) {
		bool set = now.bitmap[i].bit[bit];

		if (set && !bit_of(&before, old, bit) && !bit_of(&after, new, bit))
			fail_msg("%s: bit %zu of %s is set, but never should", where, (size_t)bit, name);
		if (!set && bit_of(&before, old, bit) && bit_of(&after, new, bit))
			fail_msg("%s: bit %zu of %s is lost", where, (size_t)bit, name);
		if (!set && old < before.n && before.bitmap[old].automatic && changed(granularity, bit))
			fail_msg("%s: bit %zu of %s was not noted", where, (size_t)bit, name);
	}
}

static void assert_true_state(const char *where, void *arg)
{
	const struct scenario *s = arg;
	uint64_t size;
	const uint8_t *bytes = sim_file("a", &size);
	char why[256];

	read_state(where, &now);
	if (!now.there && before.there)
		fail_msg("%s %s, %s: it is no image any more", s->words[0], s->words[1], where);
	if (!now.there)
		return;
	if (!verdict_qcow2(bytes, size, false, why))
		fail_msg("%s %s, %s: %s", s->words[0], s->words[1], where, why);
	if (strcmp(now.backing, before.there ? before.backing : after.backing) != 0 && strcmp(now.backing, after.backing) != 0)
		fail_msg("%s %s, %s: its backing file is %s", s->words[0], s->words[1], where, now.backing);
	for (size_t i = 0; i < now.n; i++)
		assert_bitmap_true(where, i);
	for (size_t i = 0; i < before.n; i++)
		if (find(&now, before.bitmap[i].name) == now.n && find(&after, before.bitmap[i].name) < after.n)
			fail_msg("%s %s, %s: bitmap %s is gone", s->words[0], s->words[1], where, before.bitmap[i].name);
	for (size_t i = 0; before.there == false && i < after.n; i++) /* a new image has all, or is none */
		if (find(&now, after.bitmap[i].name) == now.n || now.bitmap[find(&now, after.bitmap[i].name)].in_use)
			fail_msg("%s %s, %s: bitmap %s is not there", s->words[0], s->words[1], where, after.bitmap[i].name);
}

/* Sets `before` and `after`; the volume is then as after it. */
static struct sim_files begin(const struct scenario *s)
{
	struct sim_files files = prepare(s);
	uint64_t size;
	const uint8_t *bytes;
	char why[256];

	read_state("before", &before);
	must(s->words);
	read_state("after", &after);
	bytes = sim_file("a", &size);
	if (!verdict_qcow2(bytes, size, true, why))
		fail_msg("%s %s: %s", s->words[0], s->words[1], why);
	for (size_t i = 0; i < after.n; i++)
		assert_false(after.bitmap[i].in_use);
	if (before.there)
		assert_string_equal(after.backing, strcmp(s->words[0], "rebase") == 0 ? s->words[strcmp(s->words[1], "-u") == 0 ? 3 : 2]
									     : before.backing);
	return files;
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

enum victim { ALLOCATION, CALL_IO, CALL_NO_SPACE, CANCEL, N_VICTIMS };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL_IO || victim == CALL_NO_SPACE ? n : 0, victim == CALL_IO ? ST_IO : ST_NO_SPACE);
	sim_cancel(victim == CANCEL ? n : 0);
}

static unsigned fail_each(const struct scenario *s)
{
	struct sim_files files = begin(s);
	unsigned tried = 0;

	for (enum victim victim = ALLOCATION; victim < N_VICTIMS; victim++)
		for (unsigned n = 1;; n++, tried++) {
			char where[64];
			int code;

			sim_files_restore(&roomy, &files);
			arm(victim, n);
			code = run(s->words);
			arm(N_VICTIMS, 0);
			snprintf(where, sizeof where, "failure %u of kind %d", n, victim);
			if (sim_allocations() != 0 || (code != EXIT_OK && strncmp(err.text, "efi-img: ", 9) != 0))
				fail_msg("%s: %zu allocations left; it said: %s", where, sim_allocations(), err.text);
			assert_true_state(where, (void *)(uintptr_t)s);
			if (code == EXIT_OK)
				break;
		}
	sim_files_drop(&files);
	return tried;
}

static void every_failure(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++)
		tried += fail_each(&scenarios[i]);
	print_message("%u failures tried\n", tried);
	assert_true(tried > 1000);
}

static void every_cut(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++) {
		struct sim_files files = begin(&scenarios[i]);

		sim_files_restore(&roomy, &files);
		must(scenarios[i].words);
		tried += powercut_each(&roomy, &files, assert_true_state, (void *)(uintptr_t)&scenarios[i]);
		sim_files_drop(&files);
	}
	print_message("%u states after a power cut\n", tried);
	assert_true(tried > 1000);
}

static int set_up(void **state)
{
	(void)state;
	capture_init(&out);
	capture_init(&err);
	before.disk = malloc(DISK_MAX);
	after.disk = malloc(DISK_MAX);
	now.disk = malloc(DISK_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	free(before.disk);
	free(after.disk);
	free(now.disk);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
