/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of programs that are linked with --wrap=image_close: what an operation does with an image that it
 * could not change as a whole. It closes it, or flushes it and closes it.
 */
#include "format/image.h"
#include "trial.h"

void __real_image_close(struct image *);
void __wrap_image_close(struct image *);

void __wrap_image_close(struct image *image)
{
	struct error why;

	if (trial_wants_flush() && image != NULL && image->mode == OPEN_WRITE &&
	    image->blk.ops != NULL)
		/* it may fail again: what is on the medium counts */
		(void)image_flush(image, &why);
	__real_image_close(image);
}
