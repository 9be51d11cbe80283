/* SPDX-License-Identifier: BSD-2-Clause */
/* What may start without being typed, and where the state of Secure Boot is printed. */
#include "unit.h"

#include "cli/session.h"
#include "cli/start.h"
#include "run.h"
#include "volume.h"

enum { STATES = SECURE_BOOT_ON + 1 };

static const char *const state_text[STATES] = { NULL, "off", "setup mode", "on" };

/* Each source in each state; only where Secure Boot is on, nothing unsigned decides alone. */
static void rules(void **state)
{
	static const enum start_rule expected[][STATES] = {
		[START_HYPERVISOR] = { START_AT_ONCE, START_AT_ONCE, START_AT_ONCE, START_NEVER },
		[START_STICK] = { START_UNLESS_STOPPED, START_UNLESS_STOPPED, START_UNLESS_STOPPED,
				  START_IF_CONFIRMED },
		[START_BOOT_ENTRY] = { START_AT_ONCE, START_AT_ONCE, START_AT_ONCE,
				       START_IF_CONFIRMED },
	};

	(void)state;
	for (size_t source = 0; source < N_OF(expected); source++)
		for (size_t i = 0; i < STATES; i++)
			assert_row(start_rule((enum start_source)source, (enum secure_boot)i) ==
					   expected[source][i],
				   source * STATES + i);
}

static unsigned show(char *const *word, size_t n)
{
	struct words words = { .word = (char **)(uintptr_t)word, .n = n };

	capture_clear(&out);
	return start_show(&words, &out.out);
}

/* All of it is shown, or nothing, and nothing that moves the cursor or reverses the text. */
static void shown(void **state)
{
	static char long_word[600];
	char *words[] = { (char *)"create", (char *)"a \033[2Jb\xe2\x80\xae", (char *)"1M" };
	char *one[] = { long_word };

	(void)state;
	capture_init(&out);
	assert_int_equal(show(words, N_OF(words)), 1);
	assert_string_equal(out.text, "  create \"a ?[2Jb?\" 1M\n");
	memset(long_word, 'x', 77);
	assert_int_equal(show(one, 1), 1);
	long_word[77] = 'x';
	assert_int_equal(show(one, 1), 2);
	memset(long_word, 'x', 511);
	assert_int_equal(show(one, 1), 7);
	assert_int_equal(strlen(out.text), 2 + 511 + 1);
	long_word[511] = 'x';
	assert_int_equal(show(one, 1), 0);
	assert_int_equal(out.n, 0);
	capture_free(&out);
}

static bool shows_all(const char *a, const char *b, const char *c)
{
	char *word[] = { (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c };

	return start_shows_all(&(struct words){ .word = word, .n = c ? 3 : b ? 2 : 1 });
}

/* A script's lines are not shown, whatever stands before `run`. */
static void script_in_a_boot_entry(void **state)
{
	(void)state;
	assert_true(shows_all("list", NULL, NULL));
	assert_true(shows_all("create", "run", "1M"));
	assert_true(shows_all("-V", NULL, NULL));
	assert_true(shows_all("-T", "run", "list"));
	assert_true(shows_all("-T", NULL, NULL));
	assert_false(shows_all("run", "job.txt", NULL));
	assert_false(shows_all("--plain", "run", "job.txt"));
	assert_false(shows_all("-T", "x", "run"));
	assert_false(shows_all("--plain", "--plain", "run"));
}

/* `efi-img version`, and the head of a log, as text and as JSON. */
static void printed_in(enum secure_boot state)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 8 << 20 };
	struct capture json;
	const struct console console = {
		.out = &out.out, .err = &err.out, .json = &json.out, .plain = true
	};
	struct session *session;
	struct error why;
	char line[64], member[64];
	const uint8_t *log;
	uint64_t n;

	snprintf(line, sizeof line, "\nSecure Boot: %s\n", state_text[state]);
	snprintf(member, sizeof member, "\"secure-boot\": \"%s\"", state_text[state]);
	capture_init(&out);
	capture_init(&err);
	capture_init(&json);
	sim_volume(&roomy);
	sim_secure_boot(state);
	assert_int_equal(RUN("version"), 0);
	assert_non_null(strstr(out.text, line));
	assert_ok(session_open(&console, &session, &why));
	session_close(session);
	log = sim_file("logs\\0001.log", &n);
	assert_non_null(memmem(log, n, line, strlen(line)));
	assert_non_null(strstr(json.text, member));
	capture_free(&json);
	capture_free(&out);
	capture_free(&err);
	sim_volume(&roomy);
	sim_secure_boot(SECURE_BOOT_NONE);
	assert_int_equal(sim_allocations(), 0);
}

static void printed(void **state)
{
	(void)state;
	for (enum secure_boot i = SECURE_BOOT_OFF; i <= SECURE_BOOT_ON; i++)
		printed_in(i);
	assert_null(secure_boot_text(SECURE_BOOT_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(shown),
		cmocka_unit_test(script_in_a_boot_entry),
		cmocka_unit_test(printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
