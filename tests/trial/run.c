/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include "cli/dispatch.h"

#include <stdarg.h>

struct capture out, err;
static char tried_now[128];

int run(const char *const words[])
{
	struct console console = { .out = &out.out, .err = &err.out, .progress_in_out = true };
	char *argv[WORDS];
	int argc = 0;

	if (out.text == NULL) {
		capture_init(&out);
		capture_init(&err);
	}
	for (; argc < WORDS && words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return cli_run(&console, argc, argv);
}

void must(const char *const words[])
{
	if (run(words) != EXIT_OK)
		wrong("%s failed: %s%s", words[0], out.text, err.text);
}

uint32_t dice(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

void put_raw(const char *name, uint32_t seed, size_t n, size_t same)
{
	uint8_t *bytes = test_malloc(n);
	uint32_t state = seed;

	for (size_t i = 0; i < n; i++) {
		uint32_t s = i / 7000 % 5 < same ? 1 : seed, kind = ((uint32_t)i / 3000 + s) % 4,
			 random = dice(&state);

		bytes[i] = kind == 0   ? 0
			   : kind == 1 ? (uint8_t)(random >> 16)
			   : kind == 2 ? 'a'
				       : (uint8_t)('a' + s);
	}
	sim_file_put(name, bytes, n);
	test_free(bytes);
}

/* Whether `name` is `of` or begins with `of` and '/'. */
static bool is_part(const char *name, const char *of)
{
	size_t n = strlen(of);

	return strncmp(name, of, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

bool trying(const char *format, ...)
{
	const char *only = getenv("ONLY");
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(tried_now, sizeof tried_now, format, arguments);
	va_end(arguments);
	return only == NULL || is_part(tried_now, only);
}

bool trying_any(const char *name)
{
	const char *only = getenv("ONLY");

	return only == NULL || is_part(name, only) || is_part(only, name);
}

void tell_tried(void)
{
	static const char *const names[] = { "SEED", "SEEDS" };

	for (size_t i = 0; i < N_OF(names); i++)
		if (getenv(names[i]) != NULL)
			print_error("%s=%s ", names[i], getenv(names[i]));
	print_error("ONLY=%s\n", tried_now);
}

unsigned setting(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}
