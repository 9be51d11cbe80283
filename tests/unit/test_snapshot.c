/*
 * `snapshot` where something goes wrong: every allocation, every call to the volume, every moment at which the person
 * stops it, and the power at every change of the image.
 */
#include "unit.h"

#include "command/command.h"
#include "format/image.h"
#include "powercut.h"
#include "verdict.h"

enum { DISK_BYTES = 70 << 10, LAYOUTS = 5, STEPS = 6 };

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };
static struct capture out, err;

/*
 * The images: disks r0, r1 and r2 behind each other, with snapshots s0 and s1 between them. The file r4 is one that
 * stays as it is.
 */
static const struct layout {
	const char *options;
	bool compressed;
} layouts[LAYOUTS] = {
	{ "cluster_size=512", false },
	{ "cluster_size=4k,refcount_bits=8", true },
	{ "cluster_size=16k,extended_l2=on,refcount_bits=64", false },
	{ "cluster_size=1k,compat=0.10", true },
	{ "cluster_size=512,refcount_bits=2", false },
};

/* What is done to them. */
static const char *const actions[][2] = { { "-c", "new" }, { "-a", "s0" }, { "-a", "s1" }, { "-d", "s0" }, { "-d", "s1" } };

static int run(const char *const *words)
{
	struct console console = { .out = &out.out, .err = &err.out };
	char *argv[12];
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return command_run(&console, argc, argv);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

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

/* ---- images ------------------------------------------------------------------------------------------------------- */

static uint8_t disks[3][DISK_BYTES];

/* Parts of each disk are as in the one before. */
static void fill_disks(void)
{
	uint32_t dice = 1;

	for (size_t k = 0; k < N_OF(disks); k++)
		for (size_t i = 0; i < DISK_BYTES; i++) {
			dice = dice * 1664525 + 1013904223;
			if (k > 0 && i / 5000 % 3 == 0)
				disks[k][i] = disks[k - 1][i];
			else
				disks[k][i] = (uint8_t)(i / 3000 % 3 == k ? 0 : i / 3000 % 2 == 0 ? dice >> 24 : 'a' + k);
		}
}

static void must(int code)
{
	if (code != EXIT_OK)
		fail_msg("setting up: %s", err.text);
}

static struct sim_files prepare(const struct layout *layout)
{
	static const char *const names[] = { "r0", "r1", "r2" };
	static const char *const snapshots[] = { "s0", "s1" };
	struct sim_files files;

	fill_disks();
	sim_volume(&roomy);
	for (size_t i = 0; i < N_OF(disks); i++)
		sim_file_put(names[i], disks[i], DISK_BYTES);
	must(RUN("create", "-q", "-f", "qcow2", "-o", layout->options, "a", "70k"));
	for (size_t i = 0; i < N_OF(disks); i++) {
		if (layout->compressed)
			must(RUN("convert", "-c", "-n", "-f", "raw", "-O", "qcow2", names[i], "a"));
		else
			must(RUN("convert", "-n", "-f", "raw", "-O", "qcow2", names[i], "a"));
		if (i < N_OF(snapshots))
			must(RUN("snapshot", "-c", snapshots[i], "a"));
	}
	files = sim_files_keep();
	sim_files_restore(&roomy, &files);
	return files;
}

static void assert_sound(const char *where, bool exact)
{
	uint64_t size;
	const uint8_t *bytes = sim_file("a", &size);
	char why[256];

	if (!verdict_qcow2(bytes, size, exact, why))
		fail_msg("%s: %s", where, why);
}

/*
 * Which of the three disks it is (3: none of them) that the image has now, or had at a snapshot (NULL: now; 4: there
 * is no such snapshot).
 */
static size_t which_disk(const char *where, const char *snapshot)
{
	static uint8_t bytes[DISK_BYTES];
	struct image *image;
	struct error why;
	size_t index = 0, found = 3;

	if (image_open_file("a", image_format_find("qcow2"), OPEN_READ, &image, &why) != ST_OK)
		fail_msg("%s: it does not open: %s", where, why.text);
	while (snapshot != NULL && index < image->n_snapshots && strcmp(image->snapshots[index].name, snapshot) != 0)
		index++;
	if (snapshot != NULL && index == image->n_snapshots) {
		image_close(image);
		return 4;
	}
	if ((snapshot != NULL ? image_load_snapshot(image, index, &why) : image_load(image, &why)) != ST_OK)
		fail_msg("%s: it cannot be read: %s", where, why.text);
	if (image->size == DISK_BYTES && blk_read(&image->blk, 0, bytes, DISK_BYTES) == ST_OK)
		for (size_t i = 0; i < N_OF(disks); i++)
			if (memcmp(bytes, disks[i], DISK_BYTES) == 0)
				found = i;
	image_close(image);
	return found;
}

/* The image is as it was before one of the actions, or as it is after it. */
static void assert_old_or_new(const char *where, size_t action)
{
	const char *name = actions[action][1];
	bool apply = actions[action][0][1] == 'a', remove = actions[action][0][1] == 'd';
	size_t s[] = { which_disk(where, "s0"), which_disk(where, "s1") };
	size_t now = which_disk(where, NULL), new = which_disk(where, "new");

	assert_sound(where, false);
	if (now != 2 && !(apply && now == (size_t)(name[1] - '0')))
		fail_msg("%s, action %zu: the disk is neither as before nor as after, but %zu", where, action, now);
	for (size_t i = 0; i < 2; i++)
		if (s[i] != i && !(remove && name[1] == (char)('0' + i) && s[i] == 4))
			fail_msg("%s, action %zu: snapshot s%zu is not what it was, but %zu", where, action, i, s[i]);
	if (new != 4 && !(action == 0 && new == 2))
		fail_msg("%s, action %zu: the new snapshot is %zu", where, action, new);
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

static void each_works(void **state)
{
	(void)state;
	for (size_t layout = 0; layout < LAYOUTS; layout++) {
		struct sim_files files = prepare(&layouts[layout]);

		for (size_t action = 0; action < N_OF(actions); action++) {
			sim_files_restore(&roomy, &files);
			must(RUN("snapshot", actions[action][0], actions[action][1], "a"));
			assert_old_or_new("no failure", action);
			assert_sound("no failure", true);
		}
		must(RUN("snapshot", "-a", "1", "a"));
		must(RUN("snapshot", "-d", "s0", "a"));
		assert_sound("all given up", true);
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

static unsigned fail_each(const struct sim_files *files, size_t action)
{
	unsigned tried = 0;

	for (enum victim victim = ALLOCATION; victim < N_VICTIMS; victim++)
		for (unsigned n = 1;; n++, tried++) {
			char where[64];
			int code;

			sim_files_restore(&roomy, files);
			arm(victim, n);
			code = RUN("snapshot", actions[action][0], actions[action][1], "a");
			arm(N_VICTIMS, 0);
			snprintf(where, sizeof where, "failure %u of kind %d", n, victim);
			if (sim_allocations() != 0 || (code != EXIT_OK && strncmp(err.text, "efi-img: ", 9) != 0))
				fail_msg("%s, action %zu: %zu allocations left; it said: %s", where, action, sim_allocations(),
					 err.text);
			assert_old_or_new(where, action);
			if (victim == CANCEL)
				assert_sound(where, true); /* what the person stops leaves nothing behind */
			if (code == EXIT_OK)
				break;
		}
	return tried;
}

static void every_failure(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t layout = 0; layout < LAYOUTS; layout++) {
		struct sim_files files = prepare(&layouts[layout]);

		for (size_t action = 0; action < N_OF(actions); action++)
			tried += fail_each(&files, action);
		sim_files_drop(&files);
	}
	print_message("%u failures tried\n", tried);
	assert_true(tried > 1000);
}

/* After a power cut, and when the image is then worked with: what was lost is in nobody's way. */
static void check_cut(const char *where, void *arg)
{
	size_t action = *(size_t *)arg;

	assert_old_or_new(where, action);
	if (strstr(where, " lost 0") == NULL) /* nothing, or all */
		return;
	if (RUN("convert", "-n", "-f", "raw", "-O", "qcow2", "r2", "a") != EXIT_OK ||
	    RUN("snapshot", "-d", action == 3 ? "s1" : "s0", "a") != EXIT_OK)
		fail_msg("%s, action %zu: it cannot be worked with: %s", where, action, err.text);
	assert_sound(where, false);
	if (which_disk(where, NULL) != 2 || which_disk(where, action == 3 ? "s0" : "s1") == 3)
		fail_msg("%s, action %zu: worked with, it is not what was written", where, action);
}

static void every_cut(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t layout = 0; layout < LAYOUTS; layout++) {
		struct sim_files files = prepare(&layouts[layout]);

		for (size_t action = 0; action < N_OF(actions); action++) {
			sim_files_restore(&roomy, &files);
			must(RUN("snapshot", actions[action][0], actions[action][1], "a"));
			tried += powercut_each(&roomy, &files, check_cut, &action);
		}
		sim_files_drop(&files);
	}
	print_message("%u states after a power cut\n", tried);
	assert_true(tried > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_works),
		cmocka_unit_test(every_failure),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
