/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts that run without anybody at the machine: where they come from, in this order, and what
 * follows.
 *
 * A script on the stick waits five seconds for a key, because a stick may still have the script of
 * its last use. One that was handed to a virtual machine runs at once.
 */
#include <efi.h>

#include "jobs.h"

#include "base/memory.h"
#include "base/text.h"
#include "cli/script.h"
#include "console.h"
#include "location.h"
#include "platform/machine.h"
#include "virtual_machine.h"

enum { COUNTDOWN_SECONDS = 5 };

/*
 * Reads the script on the volume that efi-img was started from. The caller frees name and text.
 * ST_NOT_FOUND: there is none.
 */
static enum status from_stick(char **ret_name, char **ret, size_t *ret_n, struct error *err)
{
	static const char path[] = "\\efi-img\\job.txt";
	char *home = NULL;
	size_t n;
	enum status st = location_home(&home, err);

	if (st != ST_OK)
		return st;
	n = text_length(home);
	*ret_name = mem_alloc(n + sizeof path);
	if (*ret_name != NULL) {
		memcpy(*ret_name, home, n);
		memcpy(*ret_name + n, path, sizeof path);
		st = script_read(*ret_name, ret, ret_n, err);
	} else {
		st = fail_no_memory(err);
	}
	mem_free(home);
	return st;
}

bool jobs_run(const struct console *console, int *ret)
{
	enum ending ending;
	const char *from = NULL;
	char *text = NULL, *name = NULL;
	struct error err;
	bool stopped = false;
	size_t n = 0;
	enum status st = virtual_machine_job(SCRIPT_BYTES_MAX, &from, &text, &n);

	if (st != ST_OK && st != ST_NOT_FOUND)
		error_set(&err, "%s: %s", from, status_text(st));
	if (st == ST_NOT_FOUND) {
		st = from_stick(&name, &text, &n, &err);
		from = name;
		stopped = st == ST_OK && console_countdown(name, COUNTDOWN_SECONDS);
	}
	if (st != ST_OK && st != ST_NOT_FOUND)
		(void)command_failed(console, &err);
	if (st == ST_OK && !stopped) {
		*ret = script_run(console, from, text, n, &ending);
		platform_end(ending == ENDING_UNSAID ? ENDING_WAIT : ending);
	}
	mem_free(text);
	mem_free(name);
	return st == ST_OK && !stopped;
}
