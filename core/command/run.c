/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * run: the commands of a script (cli/script.h), and what the script asks for at its end.
 */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/script.h"
#include "platform/machine.h"

static const struct option options[] = {
	{ 0, "check", NULL, "only check the script, and whether the disks are there" },
	{ 0 },
};

static const char notes[] =
	"A script begins with the line \"#efi-img job 1\". Each line after it is a command\n"
	"as it is typed, with or without efi-img before it; lines that begin with # are\n"
	"comments. All lines are checked before the first command runs: if one is wrong,\n"
	"or names a disk by a serial number that no disk has, nothing is run. The script\n"
	"stops at the first command that fails (exit code other than 0). Three kinds of\n"
	"lines are about its end:\n"
	"\n"
	"  on-success ENDING   what to do then: poweroff, reboot, wait (for Enter), or\n"
	"  on-failure ENDING   shell (leave efi-img)\n"
	"  exit-code           in a virtual machine: write 16 + the exit code to port\n"
	"                      0xf4, for QEMU's isa-debug-exit; QEMU then exits with 33\n"
	"                      after success, otherwise with 33 + 2 x the exit code\n"
	"\n"
	"All output is kept in \\efi-img\\logs on the volume that efi-img was started\n"
	"from, for people (.log) and as JSON (.jsonl). The lines of JSON also go to\n"
	"serial ports that are not a console, and to QEMU's isa-debugcon at port 0xe9.\n"
	"A script \\efi-img\\job.txt on that volume is run when the firmware starts\n"
	"efi-img, unless a key is pressed. In a virtual machine, so is a script given\n"
	"to QEMU by -fw_cfg name=opt/org.efi-img/job,file=FILE, or line by line by\n"
	"-smbios type=11,value=efi-img.job=LINE. Under Secure Boot the former is run\n"
	"only after Y was pressed, and the latter not at all.\n"
	"Such a script has a page of its own on the screen; run prints lines, so that\n"
	"they can be redirected. Without a screen, progress is printed as by\n"
	"efi-img --plain COMMAND ...: a line for each tenth, without times.\n";

/* Everything that can be checked before the first command runs. */
static int check(const struct console *console, const char *name, const char *text, size_t n)
{
	const struct inventory *inventory;
	struct script script;
	struct error err;
	enum status st = script_parse(name, text, n, &script, &err);

	if (st == ST_OK)
		st = storage_inventory(console->storage, &inventory, &err);
	if (st == ST_OK)
		st = script_find_disks(&script, inventory, &err);
	if (st == ST_OK)
		out_printf(console->out, "%s: %zu command%s, no mistakes\n", name, script.n,
			   script.n == 1 ? "" : "s");
	script_free(&script);
	return st == ST_OK ? EXIT_OK : command_failed(console, &err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	enum ending ending = ENDING_UNSAID;
	struct error err;
	const char *name;
	char *text;
	size_t n;
	int code;

	if (arguments->n_operands != 1) {
		error_set(&err, arguments->n_operands == 0
					? "no script given"
					: "too many operands: run takes one script");
		return command_misused(console, "run", &err);
	}
	name = arguments->operands[0];
	if (script_read(name, &text, &n, &err) != ST_OK)
		return command_failed(console, &err);
	code = arguments_has(arguments, "check") ? check(console, name, text, n)
						 : script_run(console, name, text, n, &ending);
	mem_free(text);
	platform_end(ending);
	return code;
}

const struct command command_run = {
	.name = "run",
	.summary = "run a script: the commands in a file, with a log",
	.usage = "[--check] FILE",
	.options = options,
	.notes = notes,
	.example = "run fs0:\\jobs\\capture.txt\n"
		   "run --check job.txt\n",
	.run = run,
};
