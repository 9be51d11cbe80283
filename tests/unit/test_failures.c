/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each allocation and each call to the volume of an operation fails, and a person stops it at every
 * moment: what must hold then is in trial/trial.h.
 */
#include "trial.h"

#include "format/image.h"

void __real_image_close(struct image *);
void __wrap_image_close(struct image *);

/*
 * What an operation does with an image that it could not change as a whole: closes it, or flushes
 * it and closes it.
 */
void __wrap_image_close(struct image *image)
{
	struct error why;

	if (trial_wants_flush() && image != NULL && image->mode == OPEN_WRITE &&
	    image->blk.ops != NULL)
		/* it may fail again: what is on the medium counts */
		(void)image_flush(image, &why);
	__real_image_close(image);
}

static void every_failure(void **state)
{
	struct figures sum;

	(void)state;
	sim_time(1795380957, 5);
	sum = trial_each(trial_fail);
	print_message("%u of the failures once more, with a flush\n", sum.flushed);
	assert_true(getenv("ONLY") != NULL || (sum.failures > 5000 && sum.flushed > 3000));
}

static void compare_names_the_file(void **state)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

	(void)state;
	sim_volume(&roomy);
	put_raw("one", 1, 100 << 10, 0);
	put_raw("two", 1, 100 << 10, 0);
	sim_cancel(1);
	assert_int_equal(RUN("compare", "one", "two"), 4);
	sim_cancel(0);
	assert_string_equal(err.text,
			    "efi-img: stopped at offset 0; the disks are identical up to there\n");
	assert_int_equal(RUN("compare", "one", "none"), 2);
	assert_non_null(strstr(err.text, "none"));
	sim_volume_bad("one", 70 << 10, 512);
	assert_int_equal(RUN("compare", "one", "two"), 4);
	assert_string_equal(err.text, "efi-img: one: reading 102400 bytes at offset 0: the device "
				      "reports an error\n");
	sim_volume(&roomy);
	put_raw("one", 1, 100 << 10, 0);
	put_raw("two", 1, 100 << 10, 0);
	sim_volume_bad("two", 70 << 10, 512);
	assert_int_equal(RUN("compare", "one", "two"), 4);
	assert_string_equal(err.text, "efi-img: two: reading 102400 bytes at offset 0: the device "
				      "reports an error\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(compare_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
