/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A sink that keeps all text in one growing string.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static void capture_write(struct out *out, const char *bytes, size_t n)
{
	struct capture *capture = (struct capture *)out;

	if (capture->n + n + 1 > capture->capacity) {
		capture->capacity = 2 * (capture->n + n + 1);
		capture->text = realloc(capture->text, capture->capacity);
	}
	memcpy(capture->text + capture->n, bytes, n);
	capture->n += n;
	capture->text[capture->n] = '\0';
}

void capture_init(struct capture *capture)
{
	*capture = (struct capture){ .out.write = capture_write };
	capture_write(&capture->out, "", 0);
}

void capture_clear(struct capture *capture)
{
	capture->n = 0;
	capture->text[0] = '\0';
}

void capture_free(struct capture *capture)
{
	free(capture->text);
	*capture = (struct capture){ 0 };
}
