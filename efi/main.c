/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry of the UEFI program: finds out how it was started, and runs a command, a script or the
 * menu.
 *
 * Everything that was changed in the firmware is undone before the end (console_finish() and others
 * below): the shell, or an operating system's boot loader, continues with the same drivers.
 */
#include <efi.h>

#include "arguments.h"
#include "base/out.h"
#include "cancel.h"
#include "cli/command.h"
#include "cli/dispatch.h"
#include "cli/start.h"
#include "confirm.h"
#include "console.h"
#include "file_names.h"
#include "firmware.h"
#include "jobs.h"
#include "menu/menu.h"
#include "platform/machine.h"
#include "sata.h"
#include "serial.h"
#include "shell.h"
#include "terminal.h"

enum { STAY_SECONDS = 5 };

static int run(const struct console *console, const char *name)
{
	/* commands reorder the pointers; they do not write to the strings */
	char *words[] = { (char *)(uintptr_t)name, NULL };

	return cli_run(console, 1, words);
}

static int run_from_shell(const struct console *console, const struct words *words)
{
	if (words->n > 0)
		return cli_run(console, (int)words->n, words->word);
	/* no command is an error, whatever help returns */
	(void)run(console, "help");
	return EXIT_ERROR;
}

static bool may_run(const struct console *console, const struct words *words)
{
	struct confirmation confirmation;

	if (start_rule(START_BOOT_ENTRY, platform_secure_boot()) == START_AT_ONCE)
		return true;
	if (!start_shows_all(words)) {
		command_warn(console, "Secure Boot is on: a boot entry runs no script; "
				      "name it \\efi-img\\job.txt, which is shown before it runs");
		console_let_read();
		return false;
	}
	confirmation = confirm_begin(console, "the command line of this boot entry");
	confirm_line(&confirmation, words);
	return confirm_end(&confirmation);
}

/* Waits at the end: the boot manager clears the screen when the program returns. */
static int run_from_boot_manager(const struct console *console, const struct words *words)
{
	int code = cli_run(console, (int)words->n, words->word);

	if (console_wait_for_key("\nPress a key to stay on this screen.\n", STAY_SECONDS))
		/* returns at once if there is no keyboard */
		(void)console_wait_for_key("Press any key to leave.\n", 0);
	return code;
}

/* Without a terminal for the menu: prints version, disks and help. */
static int show_all(const struct console *console)
{
	int code;

	console_clear();
	(void)run(console, "version"); /* cannot fail */
	out_printf(console->out, "\n");
	code = run(console, "list");
	out_printf(console->out, "\n");
	(void)run(console, "help"); /* cannot fail */
	/* returns at once if there is no keyboard */
	(void)console_wait_for_key("\nPress any key to leave.\n", 0);
	return code;
}

/* False: there is none, and nobody who could read that. */
static bool start_shell(void)
{
	switch (shell_start()) {
	case SHELL_STARTED:
		return true;
	case SHELL_REFUSED:
		return console_wait_for_key("The firmware refuses to start the UEFI shell, because "
					    "it is not signed (Secure Boot).\n"
					    "Press any key to go back.\n",
					    0);
	case SHELL_MISSING:
		break;
	}
	return console_wait_for_key("There is no UEFI shell: neither in the firmware nor as "
				    "\\" SHELL_FILE_NAME " on a volume.\n"
				    "Press any key to go back.\n",
				    0);
}

/* Without a command line: shows the menu until the user leaves it. */
static int run_from_nowhere(const struct console *console)
{
	struct terminal *terminal;

	while ((terminal = terminal_open()) != NULL) {
		enum menu_end end = menu_run(terminal);

		terminal_close();
		switch (end) {
		case MENU_LEAVE:
			return EXIT_OK;
		case MENU_IMPOSSIBLE:
			return show_all(console);
		case MENU_SHELL:
			if (!start_shell())
				return EXIT_ERROR;
			break;
		case MENU_REBOOT:
			platform_end(ENDING_REBOOT);
			break;
		case MENU_POWER_OFF:
			platform_end(ENDING_POWER_OFF);
			break;
		}
	}
	return show_all(console);
}

static int start(const struct console *console)
{
	struct words words;
	struct error err;
	enum way way;
	int code;

	if (arguments_find(&way, &words, &err) != ST_OK)
		code = command_failed(console, &err);
	else if (way == FROM_SHELL)
		code = run_from_shell(console, &words);
	else if (way == FROM_BOOT_MANAGER && may_run(console, &words))
		code = run_from_boot_manager(console, &words);
	else if (way == FROM_BOOT_MANAGER || !jobs_run(console, &code))
		code = run_from_nowhere(console);
	words_free(&words);
	return code;
}

/* The firmware, or drivers/arch/x86/entry.asm on its behalf, calls this. */
EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);
EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct console console;
	int code;

	firmware_start(image, system);
	console = (struct console){
		.out = console_out(),
		.err = console_err(),
		.json = serial_out(),
		.plain = !console_has_screen(),
		.page = console_page,
	};
	code = start(&console);
	console_finish();
	cancel_finish();
	sata_finish();
	/* the shell's %lasterror% is the low 32 bits: a small number arrives unchanged */
	return (EFI_STATUS)code;
}
