/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi-img with a stopwatch: runs one command, as efi-img.efi would, and prints how long it took.
 * What is measured has no loading of the program in it, and no typing.
 *
 * Usage: timed.efi COMMAND WORD...
 */
#include <efi.h>

#include "arguments.h"
#include "base/out.h"
#include "cancel.h"
#include "cli/command.h"
#include "cli/dispatch.h"
#include "console.h"
#include "firmware.h"
#include "platform/clock.h"
#include "sata.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct console console;
	struct words words;
	struct error err;
	enum way way;
	uint64_t start;
	int code = EXIT_ERROR;

	firmware_start(image, system);
	console = (struct console){ .out = console_out(), .err = console_err() };
	start = platform_nanoseconds(); /* the first time, the clock is set */
	start = platform_nanoseconds();
	if (arguments_find(&way, &words, &err) == ST_OK)
		code = cli_run(&console, (int)words.n, words.word);
	out_printf(console.out, "exit code %d after %ju ns\n", code,
		   platform_nanoseconds() - start);
	words_free(&words);
	cancel_finish();
	sata_finish();
	return EFI_SUCCESS;
}
