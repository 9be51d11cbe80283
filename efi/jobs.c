/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts that run without anybody at the machine: where they come from, in this order, and what
 * follows.
 *
 * A script on the stick waits five seconds for a key, because a stick may still have the script of
 * its last use. One that was handed to a virtual machine runs at once. Under Secure Boot, other
 * rules hold (cli/start.h).
 */
#include <efi.h>

#include "jobs.h"

#include "base/memory.h"
#include "base/text.h"
#include "cli/script.h"
#include "cli/start.h"
#include "confirm.h"
#include "console.h"
#include "location.h"
#include "menu/job_page.h"
#include "platform/machine.h"
#include "terminal.h"
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

/*
 * Reads the script that the host of a virtual machine has handed over. The caller frees *ret.
 * ST_NOT_FOUND: there is none, or it must not be run, which has been reported.
 */
static enum status from_host(const struct console *console, const char **ret_name, char **ret,
			     size_t *ret_n, struct error *err)
{
	enum status st = virtual_machine_job(SCRIPT_BYTES_MAX, ret_name, ret, ret_n);

	if (st == ST_NOT_FOUND)
		return st;
	if (start_rule(START_HYPERVISOR, platform_secure_boot()) == START_NEVER) {
		command_warn(console, "Secure Boot is on: the script from %s is ignored",
			     *ret_name);
		console_let_read();
		mem_free(*ret);
		*ret = NULL;
		return ST_NOT_FOUND;
	}
	return st == ST_OK ? st : fail(err, st, "%s: %s", *ret_name, status_text(st));
}

/* One with a wrong line cannot be confirmed: there is nothing to show. */
static bool confirmed(const struct console *console, const char *name, const char *text, size_t n)
{
	struct confirmation confirmation;
	struct script script;
	struct error err;
	bool ret = false;

	if (script_parse(name, text, n, &script, &err) == ST_OK) {
		confirmation = confirm_begin(console, name);
		for (size_t i = 0; i < script.n; i++)
			confirm_line(&confirmation, &script.line[i].words);
		ret = confirm_end(&confirmation);
	} else {
		(void)command_failed(console, &err);
		console_let_read();
	}
	script_free(&script);
	return ret;
}

/* Whether a script on the stick shall run, after what its rule asks for. */
static bool may_run(const struct console *console, const char *name, const char *text, size_t n)
{
	if (start_rule(START_STICK, platform_secure_boot()) == START_IF_CONFIRMED)
		return confirmed(console, name, text, n);
	return !console_countdown(name, COUNTDOWN_SECONDS);
}

/*
 * Runs it on the page of the screen, if there is one; a serial line shows the same lines as without
 * a screen. What was printed stays on the screen.
 */
static int run(const struct console *console, const char *name, const char *text, size_t n,
	       enum ending *ret_ending)
{
	struct terminal *terminal = terminal_open_screen();
	struct job_page *page = terminal != NULL ? job_page_open(terminal, console, name) : NULL;
	int code;

	if (page == NULL) {
		if (terminal != NULL)
			terminal_close();
		return script_run(console, name, text, n, ret_ending);
	}
	console_show_on(CONSOLE_OTHERS);
	code = script_run(job_page_console(page), name, text, n, ret_ending);
	console_show_on(CONSOLE_SCREEN);
	terminal_close();
	out_text(console->out, job_page_text(page));
	console_show_on(CONSOLE_WHOLE);
	if (code == EXIT_OK && job_page_switches_off(page))
		*ret_ending = ENDING_POWER_OFF;
	job_page_close(page);
	return code;
}

bool jobs_run(const struct console *console, int *ret)
{
	enum ending ending;
	const char *from = NULL;
	char *text = NULL, *name = NULL;
	struct error err;
	bool runs;
	size_t n = 0;
	enum status st = from_host(console, &from, &text, &n, &err);

	runs = st == ST_OK;
	if (st == ST_NOT_FOUND) {
		st = from_stick(&name, &text, &n, &err);
		from = name;
		runs = st == ST_OK && may_run(console, name, text, n);
	}
	if (st != ST_OK && st != ST_NOT_FOUND) {
		(void)command_failed(console, &err);
		console_let_read();
	}
	if (runs) {
		if (console_has_screen()) /* the firmware's logo */
			console_clear();
		*ret = run(console, from, text, n, &ending);
		platform_end(ending == ENDING_UNSAID ? ENDING_WAIT : ending);
	}
	mem_free(text);
	mem_free(name);
	return runs;
}
