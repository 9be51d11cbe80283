/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/dispatch.h"
#include "volume.h"

enum {
	WORDS_MAX = 16,
	MEMORY_MAX = 96 << 20, /* of any command, whatever an image says */
};

struct capture fuzz_out, fuzz_err;

void fuzz_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n%s%s", file, line, what,
		fuzz_out.text != NULL ? fuzz_out.text : "",
		fuzz_err.text != NULL ? fuzz_err.text : "");
	abort();
}

void fuzz_volume(const char *name, const uint8_t *bytes, size_t n)
{
	static const struct sim_volume_kind kind = { .free_bytes = 40 << 20 };
	static const uint8_t extent[64 << 10] = { 1, 2, 3 };

	sim_volume(&kind);
	sim_file_put(name, bytes, n);
	sim_file_put("extent", extent, sizeof extent);
}

int fuzz_run(const char *line)
{
	struct console console = { .out = &fuzz_out.out, .err = &fuzz_err.out };
	char copy[256], *words[WORDS_MAX];
	int n = 0, code;

	if (fuzz_out.text == NULL) {
		capture_init(&fuzz_out);
		capture_init(&fuzz_err);
	}
	capture_clear(&fuzz_out);
	capture_clear(&fuzz_err);
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		words[n++] = strcmp(word, "@") == 0 ? word + 1 : word;
	sim_peak_restart();
	code = cli_run(&console, n, words);
	MUST(sim_peak_bytes() <= MEMORY_MAX);
	return code;
}

void fuzz_end(void)
{
	static const struct sim_volume_kind none;

	sim_volume(&none);
	MUST(sim_allocations() == 0);
}
