/*
 * `check -r` where something goes wrong: every allocation, every call to the volume, every moment at which the person
 * stops it, and the power at every change of the image.
 */
#include "unit.h"

#include "command/command.h"
#include "format/image.h"
#include "powercut.h"
#include "verdict.h"

enum { DISK_BYTES = 40 << 10, WORDS = 12 };

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };
static struct capture out, err;

static int run(const char *const *words)
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

#define RUN(...) run((const char *const[WORDS]){ __VA_ARGS__ })

static int set_up(void **state)
{
	(void)state;
	capture_init(&out);
	capture_init(&err);
	sim_time(1795380957, 5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return 0;
}

/* ---- what is wrong ------------------------------------------------------------------------------------------------ */

#define COPIED (UINT64_C(1) << 63)
#define OFFSET UINT64_C(0x00fffffffffffe00)

struct bytes {
	uint8_t *at;
	uint64_t size;
};

static uint64_t get(const struct bytes *b, uint64_t at, size_t n)
{
	uint64_t value = 0;

	assert_true(at + n <= b->size);
	for (size_t i = 0; i < n; i++)
		value = value << 8 | b->at[at + i];
	return value;
}

static void put(const struct bytes *b, uint64_t at, size_t n, uint64_t value)
{
	assert_true(at + n <= b->size);
	for (size_t i = n; i-- > 0; value >>= 8)
		b->at[at + i] = (uint8_t)value;
}

static uint64_t cluster_bytes(const struct bytes *b)
{
	return UINT64_C(1) << get(b, 20, 4);
}

static uint64_t first_block(const struct bytes *b)
{
	return get(b, get(b, 48, 8), 8);
}

/* The place of entry `index` of the disk's first L2 table, which has data from its beginning on. */
static uint64_t l2_entry(const struct bytes *b, uint64_t index)
{
	return (get(b, get(b, 40, 8), 8) & OFFSET) + index * (get(b, 72, 8) & 16 ? 16 : 8);
}

/* What the snapshots refer to has a user less, and what they alone refer to none. */
static void no_snapshots(const struct bytes *b)
{
	put(b, 60, 4, 0);
}

static void low_refcounts(const struct bytes *b)
{
	for (uint64_t i = 0; i < cluster_bytes(b) / 4; i++)
		b->at[first_block(b) + i] &= 0x10;
}

static void no_blocks(const struct bytes *b)
{
	memset(b->at + get(b, 48, 8), 0, cluster_bytes(b));
}

static void block_twice(const struct bytes *b)
{
	put(b, get(b, 48, 8) + 8, 8, first_block(b));
}

static void not_copied(const struct bytes *b)
{
	for (uint64_t i = 0; i < 9; i += 2)
		put(b, l2_entry(b, i), 8, get(b, l2_entry(b, i), 8) & ~COPIED);
	put(b, get(b, 40, 8), 8, get(b, get(b, 40, 8), 8) & ~COPIED);
	put(b, 72, 8, get(b, 72, 8) | 3);
}

/* Zeros with a reserved place, where none can be. */
static void reserved_places(const struct bytes *b)
{
	for (uint64_t i = 1; i < 4; i++)
		put(b, l2_entry(b, i), 8, (get(b, l2_entry(b, i), 8) + 512) | 1);
}

static void incomplete(const struct bytes *b)
{
	uint64_t entry = get(b, 64, 8);

	put(b, entry + 36, 4, 8);
	memmove(b->at + entry + 48, b->at + entry + 64, 8); /* id and name */
}

/* An entry refers to nowhere: whose data that was, nobody knows. */
static void lost(const struct bytes *b)
{
	put(b, l2_entry(b, 1), 8, UINT64_C(1) << 40 | COPIED);
	block_twice(b);
}

/* As QEMU leaves an image with lazy refcounts that was open when the power went. */
static void dirty(const struct bytes *b)
{
	put(b, 72, 8, 1);
	low_refcounts(b);
}

static const struct scenario {
	const char *options;
	bool snapshots;
	void (*damage)(const struct bytes *);
	const char *words[WORDS]; /* which repair it */
	int code;                 /* their exit code */
} scenarios[] = {
	{ "cluster_size=512,refcount_bits=64", true, no_snapshots, { "check", "-r", "leaks", "a" }, 0 },
	{ "cluster_size=4k,refcount_bits=8", true, no_snapshots, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=512,refcount_bits=1", false, low_refcounts, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=1k,compat=0.10", true, low_refcounts, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=512,refcount_bits=64", true, no_blocks, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=4k,refcount_bits=2", true, block_twice, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=512", false, not_copied, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=1k", true, reserved_places, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=512", true, incomplete, { "check", "-r", "all", "a" }, 0 },
	{ "cluster_size=512,refcount_bits=32", true, lost, { "check", "-r", "all", "a" }, 2 },
	{ "cluster_size=512,lazy_refcounts=on", false, dirty, { "snapshot", "-c", "new", "a" }, 0 },
};

/* ---- images ------------------------------------------------------------------------------------------------------- */

static void put_raw(const char *name, uint32_t seed)
{
	static uint8_t bytes[DISK_BYTES];

	for (size_t i = 0; i < DISK_BYTES; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24 | 1);
	}
	sim_file_put(name, bytes, DISK_BYTES);
}

static void must(int code)
{
	if (code != EXIT_OK)
		fail_msg("setting up: %s", err.text);
}

static struct sim_files prepare(const struct scenario *s)
{
	struct sim_files files;

	sim_volume(&roomy);
	put_raw("r0", 1);
	put_raw("r1", 2);
	must(RUN("create", "-q", "-f", "qcow2", "-o", s->options, "a", "48k"));
	must(RUN("convert", "-n", "-f", "raw", "-O", "qcow2", "r0", "a"));
	if (s->snapshots) {
		must(RUN("snapshot", "-c", "s0", "a"));
		must(RUN("convert", "-n", "-f", "raw", "-O", "qcow2", "r1", "a"));
	}
	files = sim_files_keep();
	for (size_t i = 0; i < files.n; i++)
		if (strcmp(files.file[i].name, "a") == 0)
			s->damage(&(struct bytes){ files.file[i].bytes, files.file[i].size });
	sim_files_restore(&roomy, &files);
	return files;
}

/* What can be read of the disk, and of the snapshot. */
struct contents {
	bool readable[2];
	uint8_t bytes[2][DISK_BYTES];
};

static void read_contents(const char *where, struct contents *ret)
{
	*ret = (struct contents){ 0 };
	for (size_t i = 0; i < 2; i++) {
		struct image *image;
		struct error why;

		if (image_open_file("a", image_format_find("qcow2"), OPEN_READ, &image, &why) != ST_OK)
			fail_msg("%s: it does not open: %s", where, why.text);
		if (i == 0 || image->n_snapshots > 0)
			ret->readable[i] = (i == 0 ? image_load(image, &why) : image_load_snapshot(image, 0, &why)) == ST_OK &&
					   blk_read(&image->blk, 0, ret->bytes[i], DISK_BYTES) == ST_OK;
		image_close(image);
	}
}

static uint8_t *copy_of_image(uint64_t *ret_size)
{
	const uint8_t *bytes = sim_file("a", ret_size);
	uint8_t *copy = test_malloc(*ret_size);

	memcpy(copy, bytes, *ret_size);
	return copy;
}

/* How many clusters have a refcount lower than their users: what is written next could destroy these. */
static unsigned endangered(void)
{
	unsigned n = 0;

	(void)RUN("check", "a");
	for (const char *at = err.text; (at = strstr(at, "corrupt: cluster ")) != NULL; at++)
		n++;
	return n;
}

struct trial {
	const struct scenario *scenario;
	struct contents before;
	unsigned endangered;
};

/* Nothing is lost, and nothing is in more danger than before. */
static void assert_not_worse(const char *where, void *arg)
{
	static struct contents now;
	const struct trial *trial = arg;

	read_contents(where, &now);
	for (size_t i = 0; i < 2; i++)
		if (trial->before.readable[i] &&
		    (!now.readable[i] || memcmp(now.bytes[i], trial->before.bytes[i], DISK_BYTES) != 0))
			fail_msg("%s: the %s is not what it was", where, i == 0 ? "disk" : "snapshot");
	if (endangered() > trial->endangered)
		fail_msg("%s: more refcounts are too low than before: %s", where, err.text);
}

/* And a new repair finishes what was begun; a further one changes nothing. */
static void assert_finishes(const char *where, void *arg)
{
	const struct trial *trial = arg;
	uint64_t size, size_again;
	uint8_t *bytes, *again;
	char why[256];

	assert_not_worse(where, arg);
	if (RUN("check", "-r", "all", "a") != trial->scenario->code)
		fail_msg("%s: it cannot be repaired again: %s", where, err.text);
	assert_not_worse(where, arg);
	bytes = copy_of_image(&size);
	/* Where more than a repair was cut, refcounts may be left behind the end of the file: nothing is lost by these. */
	if (trial->scenario->code == EXIT_OK &&
	    !verdict_qcow2(bytes, size, strcmp(trial->scenario->words[0], "check") == 0, why))
		fail_msg("%s: repaired again, it is not sound: %s", where, why);
	if (RUN("check", "-r", "all", "a") != trial->scenario->code)
		fail_msg("%s: the last repair fails: %s", where, err.text);
	again = copy_of_image(&size_again);
	if (size != size_again || memcmp(bytes, again, size) != 0)
		fail_msg("%s: repairing it once more changes it", where);
	test_free(bytes);
	test_free(again);
}

static struct trial begin(const struct scenario *s, struct sim_files *ret_files)
{
	struct trial trial = { .scenario = s };

	*ret_files = prepare(s);
	read_contents("before", &trial.before);
	assert_true(trial.before.readable[0] || s->damage == lost || s->damage == reserved_places);
	trial.endangered = endangered();
	assert_true(RUN("check", "a") != EXIT_OK);
	sim_files_restore(&roomy, ret_files);
	return trial;
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

static void each_works(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++) {
		struct sim_files files;
		struct trial trial = begin(&scenarios[i], &files);
		char where[32];

		snprintf(where, sizeof where, "scenario %zu", i);
		if (run(scenarios[i].words) != scenarios[i].code)
			fail_msg("%s: it said: %s%s", where, out.text, err.text);
		assert_finishes(where, &trial);
		sim_files_drop(&files);
	}
}

enum victim { ALLOCATION, CALL_IO, CALL_NO_SPACE, CANCEL, N_VICTIMS };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL_IO || victim == CALL_NO_SPACE ? n : 0, victim == CALL_IO ? ST_IO : ST_NO_SPACE);
	sim_cancel(victim == CANCEL ? n : 0);
}

static unsigned fail_each(size_t scenario)
{
	const struct scenario *s = &scenarios[scenario];
	struct sim_files files;
	struct trial trial = begin(s, &files);
	unsigned tried = 0;

	for (enum victim victim = ALLOCATION; victim < N_VICTIMS; victim++)
		for (unsigned n = 1;; n++, tried++) {
			char where[64];
			int code;

			sim_files_restore(&roomy, &files);
			arm(victim, n);
			code = run(s->words);
			arm(N_VICTIMS, 0);
			snprintf(where, sizeof where, "scenario %zu, failure %u of kind %d", scenario, n, victim);
			if (sim_allocations() != 0 || (code != s->code && (code != EXIT_ERROR || out.n != 0)))
				fail_msg("%s: exit code %d, %zu allocations left; it said: %s", where, code, sim_allocations(), err.text);
			if (code != s->code && strstr(err.text, "efi-img: ") == NULL)
				fail_msg("%s: it does not say what failed: %s", where, err.text);
			assert_finishes(where, &trial);
			if (code == s->code)
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
		tried += fail_each(i);
	print_message("%u failures tried\n", tried);
	assert_true(tried > 1000);
}

static void every_cut(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++) {
		struct sim_files files;
		struct trial trial = begin(&scenarios[i], &files);
		unsigned n;

		if (run(scenarios[i].words) != scenarios[i].code)
			fail_msg("scenario %zu: it said: %s%s", i, out.text, err.text);
		n = powercut_each(&roomy, &files, assert_finishes, &trial);
		print_message("scenario %zu: %u states after a power cut\n", i, n);
		tried += n;
		sim_files_drop(&files);
	}
	assert_true(tried > 300);
}

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Some bytes of the tables are anything: what could be read is not lost, and a second repair changes nothing. */
static int repair_damaged(const struct sim_files *files, size_t image, uint32_t seed)
{
	static struct contents before, now;
	const struct bytes b = { files->file[image].bytes, files->file[image].size };
	uint64_t size, size_again;
	uint8_t *bytes, *again;
	uint32_t state = seed;
	char where[32];
	int code;

	snprintf(where, sizeof where, "seed %u", seed);
	for (uint32_t i = 0, n = 1 + seed % 3; i < n; i++) {
		/* the header, or the first clusters, or any */
		uint64_t range = i == 0 ? 80 : dice(&state) % 2 == 0 ? 8192 : b.size - 24;

		b.at[24 + dice(&state) % range] ^= (uint8_t)(1u << dice(&state) % 8);
	}
	sim_files_restore(&roomy, files);
	if (RUN("info", "a") != EXIT_OK)
		return EXIT_ERROR;
	read_contents(where, &before);
	code = RUN("check", "-r", seed % 4 == 0 ? "leaks" : "all", "a");
	bytes = copy_of_image(&size);
	read_contents(where, &now);
	for (size_t i = 0; i < 2; i++)
		if (before.readable[i] && (!now.readable[i] || memcmp(before.bytes[i], now.bytes[i], DISK_BYTES) != 0))
			fail_msg("%s: what could be read before is lost", where);
	if (RUN("check", "-r", seed % 4 == 0 ? "leaks" : "all", "a") != code || sim_allocations() != 0)
		fail_msg("%s: exit code %d the first time, then another: %s", where, code, err.text);
	again = copy_of_image(&size_again);
	if (size != size_again || memcmp(bytes, again, size) != 0)
		fail_msg("%s: repairing it once more changes it", where);
	test_free(bytes);
	test_free(again);
	return code;
}

static void untouched(const struct bytes *b)
{
	(void)b;
}

static void random_bytes(void **state)
{
	static const struct scenario kinds[] = {
		{ "cluster_size=512", true, untouched, { NULL }, 0 },
		{ "cluster_size=16k,extended_l2=on,refcount_bits=4", true, untouched, { NULL }, 0 },
		{ "cluster_size=512,refcount_bits=1", false, untouched, { NULL }, 0 },
		{ "cluster_size=1k,compat=0.10", true, untouched, { NULL }, 0 },
	};
	unsigned seen[4] = { 0 };

	(void)state;
	for (size_t kind = 0; kind < N_OF(kinds); kind++) {
		struct sim_files files = prepare(&kinds[kind]);
		size_t image = 0;
		struct bytes sound;

		while (strcmp(files.file[image].name, "a") != 0)
			image++;
		sound = (struct bytes){ test_malloc(files.file[image].size), files.file[image].size };
		memcpy(sound.at, files.file[image].bytes, sound.size);
		for (uint32_t seed = 0; seed < 80; seed++) {
			memcpy(files.file[image].bytes, sound.at, sound.size);
			seen[repair_damaged(&files, image, seed)]++;
		}
		test_free(sound.at);
		sim_files_drop(&files);
	}
	print_message("in the end sound %u, not repaired %u, corrupt %u, leaks %u\n", seen[0], seen[1], seen[2], seen[3]);
	assert_true(seen[0] > 50 && seen[1] > 10 && seen[2] > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_works),
		cmocka_unit_test(every_failure),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
