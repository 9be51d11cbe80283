/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi-img as a Linux program: the same core and commands, with the same output and exit codes, over
 * drivers/posix/. It works on image files, and serves to test all but the firmware drivers, and to
 * compare each command with qemu-img.
 */

#include <stdio.h>

#include "cli/command.h"
#include "cli/dispatch.h"
#include "host.h"

struct stream {
	struct out out;
	FILE *file;
};

static void stream_write(struct out *out, const char *bytes, size_t n)
{
	struct stream *stream = (struct stream *)out;

	if (fwrite(bytes, 1, n, stream->file) != n)
		out->failed = true;
}

int main(int argc, char **argv)
{
	struct stream out = { { .write = stream_write }, stdout },
		      err = { { .write = stream_write }, stderr };
	struct console console = { .out = &out.out, .err = &err.out, .progress_in_out = true };
	int code;

	setvbuf(stderr, NULL, _IOLBF, 0);
	interruption_catch();
	code = cli_run(&console, argc > 0 ? argc - 1 : 0, argv + 1);
	if ((fflush(stdout) != 0 || out.out.failed) && code == EXIT_OK) {
		fprintf(stderr, "efi-img: cannot write all of the output\n");
		code = EXIT_ERROR;
	}
	return code;
}
