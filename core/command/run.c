/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/script.h"
#include "platform/machine.h"

static const struct option options[] = {
	{ 0, "check", NULL, "only look whether there are mistakes in it" },
	{ 0 },
};

static const char notes[] =
	"The file begins with the line \"#efi-img job 1\". Each line after it is a command\n"
	"as it is typed, with or without efi-img before it; those that begin with # are\n"
	"comments. Every command and its options are looked at before the first one is\n"
	"run: with a mistake in any line, nothing is done. The first command that ends\n"
	"in something else than 0 ends the job. These lines are about that:\n"
	"\n"
	"  on-success ENDING   what comes then: poweroff, reboot, wait (for Enter), or\n"
	"  on-failure ENDING   shell (efi-img ends, what started it goes on)\n"
	"  exit-code           in a virtual machine: 16 more than the exit code goes to\n"
	"                      port 0xf4, for QEMU's isa-debug-exit, which ends QEMU\n"
	"                      with 33 if all went well, else 33 + 2 x the exit code\n"
	"\n"
	"All that is printed is kept in \\efi-img\\logs on the volume that efi-img was\n"
	"started from, for people (.log) and as JSON (.jsonl); the lines of JSON also go\n"
	"to the serial ports. A file \\efi-img\\job.txt there is run when the machine\n"
	"starts efi-img by itself, unless a key is pressed; in a virtual machine also\n"
	"what QEMU has as -fw_cfg name=opt/org.efi-img/job,file=FILE, or line by line as\n"
	"-smbios type=11,value=efi-img.job=LINE, but not under Secure Boot. Without a\n"
	"screen, progress is shown as by efi-img --plain COMMAND ...: a line for each\n"
	"tenth, without times.\n";

static int run(const struct console *console, struct arguments *arguments)
{
	enum ending ending = ENDING_UNSAID;
	struct job job = { 0 };
	struct error err;
	const char *name;
	int code = EXIT_ERROR;
	char *text;
	size_t n;

	if (arguments->n_operands != 1) {
		error_set(&err, arguments->n_operands == 0
					? "the name of a job file is missing"
					: "too many words: one job file is expected");
		return command_misused(console, "run", &err);
	}
	name = arguments->operands[0];
	if (job_read(name, &text, &n, &err) != ST_OK)
		return command_failed(console, &err);
	if (!arguments_has(arguments, "check")) {
		code = job_run(console, name, text, n, &ending);
	} else if (job_parse(name, text, n, &job, &err) == ST_OK) {
		out_printf(console->out, "%s: %zu command%s, no mistakes\n", name, job.n,
			   job.n == 1 ? "" : "s");
		code = EXIT_OK;
	} else {
		(void)command_failed(console, &err);
	}
	job_free(&job);
	mem_free(text);
	platform_end(ending);
	return code;
}

const struct command command_run = {
	.name = "run",
	.summary = "run the commands in a file, with a log",
	.usage = "[--check] FILE",
	.options = options,
	.notes = notes,
	.example = "run fs0:\\jobs\\capture.txt\n"
		   "run --check job.txt\n",
	.run = run,
};
