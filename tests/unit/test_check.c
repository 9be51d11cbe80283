/*
 * `check` where something goes wrong: every allocation, every call to the volume, every moment at which the person
 * stops it; and images with bytes of all kinds.
 */
#include "unit.h"

#include "command/command.h"
#include "volume.h"

/* How the images that are checked are made. */
static const char *const kinds[][10] = {
	{ "create", "-q", "-f", "qcow2", "a.qcow2", "1M" },
	{ "create", "-q", "-f", "qcow2", "-o", "cluster_size=512,preallocation=metadata", "a.qcow2", "100k" },
	{ "create", "-q", "-f", "qcow2", "-o", "cluster_size=16k,extended_l2=on,preallocation=full,refcount_bits=1", "a.qcow2",
	  "100k" },
	{ "create", "-q", "-f", "qcow2", "-o", "cluster_size=512,refcount_bits=64,preallocation=metadata", "a.qcow2", "400k" },
	{ "create", "-q", "-f", "qcow2", "-o", "cluster_size=512,data_file=d.raw,data_file_raw=on", "a.qcow2", "100k" },
	{ "create", "-q", "-f", "qcow2", "-o", "compat=0.10,cluster_size=4k,preallocation=metadata", "a.qcow2", "200k" },
};

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };
static const char *const check[] = { "check", "a.qcow2", NULL };

static struct capture out, err;

static int run(const char *const *words)
{
	struct console console = { .out = &out.out, .err = &err.out };
	char *argv[10];
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return command_run(&console, argc, argv);
}

/* An image of that kind, in memory of its own; the volume has it too. */
static uint8_t *make(size_t kind, uint64_t *ret_n)
{
	const uint8_t *bytes;
	uint8_t *copy;

	sim_volume(&roomy);
	assert_int_equal(run(kinds[kind]), EXIT_OK);
	bytes = sim_file("a.qcow2", ret_n);
	copy = test_malloc(*ret_n);
	memcpy(copy, bytes, *ret_n);
	return copy;
}

static void put(const uint8_t *bytes, uint64_t n)
{
	sim_volume(&roomy);
	sim_file_put("a.qcow2", bytes, n);
}

static int set_up(void **state)
{
	(void)state;
	capture_init(&out);
	capture_init(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return 0;
}

enum victim { ALLOCATION, CALL, CANCEL };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL ? n : 0, victim == CALL ? ST_IO : ST_OK);
	sim_cancel(victim == CANCEL ? n : 0);
}

/* No verdict without having seen everything, and nothing is left behind. `expected`: the verdict without a failure. */
static unsigned every_failure_of(enum victim victim, int expected)
{
	for (unsigned n = 1;; n++) {
		int code;

		arm(victim, n);
		code = run(check);
		arm(ALLOCATION, 0);
		if (sim_allocations() != 0)
			fail_msg("failure %u of kind %d: %zu allocations left", n, (int)victim, sim_allocations());
		if (code == expected)
			return n - 1;
		if (code != EXIT_ERROR || out.n != 0 || strstr(err.text, "efi-img: ") == NULL)
			fail_msg("failure %u of kind %d: exit code %d; it said: %s%s", n, (int)victim, code, out.text, err.text);
	}
}

static void every_failure(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t kind = 0; kind < N_OF(kinds); kind++) {
		uint64_t n;

		test_free(make(kind, &n));
		for (enum victim victim = ALLOCATION; victim <= CANCEL; victim++)
			tried += every_failure_of(victim, EXIT_OK);
	}
	print_message("%u failures tried\n", tried);
	assert_true(tried > 100);
}

/* The same in an image that is corrupt: a failure must not turn that into anything but "not checked". */
static void every_failure_when_corrupt(void **state)
{
	uint64_t n;
	uint8_t *bytes = make(1, &n);

	(void)state;
	bytes[2 * 512 + 1] = 0; /* of the refcount block in cluster 2 */
	put(bytes, n);
	assert_int_equal(run(check), 2);
	for (enum victim victim = ALLOCATION; victim <= CANCEL; victim++)
		assert_true(every_failure_of(victim, 2) > 3);
	test_free(bytes);
}

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Checks an image with some of its bytes changed; the sanitizers watch. */
static int check_damaged(const uint8_t *bytes, uint64_t n, uint32_t seed)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x02, 0x40, 0x7f, 0x80, 0xc0, 0xff };
	uint8_t *damaged = test_malloc(n);
	int code;

	memcpy(damaged, bytes, n);
	for (uint32_t i = dice(&seed) % 4; i < 4; i++) {
		/* the first clusters: header and tables */
		uint64_t at = dice(&seed) % 4 == 0 ? 24 + dice(&seed) % 80 : dice(&seed) % 8192;

		if (at >= 8 && at < n)
			damaged[at] = dice(&seed) % 2 == 0 ? values[dice(&seed) % 8] : (uint8_t)dice(&seed);
	}
	put(damaged, n);
	test_free(damaged);
	code = run(check);
	if (code < 0 || code > 3 || sim_allocations() != 0)
		fail_msg("seed %u: exit code %d, %zu allocations left", seed, code, sim_allocations());
	return code;
}

static void random_bytes(void **state)
{
	unsigned seen[4] = { 0 };

	(void)state;
	for (size_t kind = 0; kind < N_OF(kinds); kind++) {
		uint64_t n;
		uint8_t *bytes = make(kind, &n);

		for (uint32_t seed = 0; seed < 200; seed++)
			seen[check_damaged(bytes, n, seed)]++;
		test_free(bytes);
	}
	print_message("sound %u, not checked %u, corrupt %u, leaks %u\n", seen[0], seen[1], seen[2], seen[3]);
	assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0 && seen[3] > 0);
}

/* A header alone that claims the largest tables there can be, all of them behind the end of the file. */
static void large_tables_behind_the_end(void **state)
{
	uint64_t n;
	uint8_t *bytes = make(0, &n);

	(void)state;
	bytes[36] = 0x00; /* 4 Mi entries of the L1 table */
	bytes[37] = 0x40;
	bytes[38] = bytes[39] = 0;
	bytes[42] = 0x10; /* far away */
	bytes[56 + 3] = 128; /* 8 MiB of refcount table */
	put(bytes, n);
	assert_int_equal(run(check), 2);
	assert_non_null(strstr(err.text, "behind the end of the file"));
	test_free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(every_failure_when_corrupt),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(large_tables_behind_the_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
