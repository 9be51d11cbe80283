/* SPDX-License-Identifier: BSD-2-Clause */
/* An image of any bytes, looked at by every command that only reads. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "volume.h"

static const char *const commands[] = {
	"info --output=json image", "info image", "check --output=json image", "check image",
	"map --output=json image",  "map image",  "measure -O qcow2 image",    "snapshot -l image",
	"compare image image",
};

/* The contents are read where that is over soon. */
static bool is_small(void)
{
	const char *size = fuzz_run("info --output=json image") == 0
				   ? strstr(fuzz_out.text, "\"virtual-size\": ")
				   : NULL;

	return size != NULL && strtoull(size + strlen("\"virtual-size\": "), NULL, 10) <= 4 << 20;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fuzz_image image = fuzz_image_of(data, n, false);

	fuzz_image_volume(&image);
	for (size_t i = 0; i < sizeof commands / sizeof *commands - 1; i++)
		(void)fuzz_run(commands[i]);
	if (is_small()) {
		(void)fuzz_run(commands[sizeof commands / sizeof *commands - 1]);
		if (fuzz_run("convert -O raw image copy") == 0) {
			/* What the disk begins with may look like something else than a raw disk.
			 */
			MUST(fuzz_run("compare -F raw image copy") == 0);
			MUST(fuzz_run("convert -c -O qcow2 image packed") == 0);
			MUST(fuzz_run("compare -F raw packed copy") == 0);
		}
	}
	fuzz_end();
	return 0;
}
