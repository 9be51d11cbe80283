/* SPDX-License-Identifier: BSD-2-Clause */
#include "judge.h"

#include "contents.h"
#include "format/image.h"
#include "run.h"

/*
 * An image that says it is in use is corrupt for check, as for qemu-img; a cut leaves it so. What
 * needs more than to be closed is wrong.
 */
static bool is_in_use(const struct image *image)
{
	uint64_t size;
	const uint8_t *bytes = sim_file(image->name, &size);

	return strcmp(image->format->name, "parallels") == 0 && size > 48 &&
	       memcmp(bytes + 44, "Ynot", 4) == 0;
}

static void judge_open_image(struct image *image, enum verdict_on on)
{
	static struct capture problems;
	struct check_result found;
	struct error why;

	if (problems.text == NULL)
		capture_init(&problems);
	capture_clear(&problems);
	if (image->format->check.check == NULL) {
		if (image_load(image, &why) != ST_OK)
			wrong("%s", why.text);
		return;
	}
	if (image_check(image, &problems.out, &found, &why) != ST_OK)
		wrong("%s", why.text);
	if (on != VERDICT_CLEAN && on != VERDICT_NOTHING_LOST && is_in_use(image))
		found.corruptions--;
	if (found.corruptions > 0 || found.check_errors > 0)
		wrong("%s: %s", image->name, problems.text);
	if (found.leaks > 0 && (on == VERDICT_CLEAN || on == VERDICT_NOTHING_LOST))
		wrong("%s: %s", image->name, problems.text);
}

static void judge_by_check(const char *name, const struct image_format *format, enum verdict_on on)
{
	struct storage storage;
	struct image *image;
	struct error why;

	if (storage_begin(&storage, NULL, &why) != ST_OK ||
	    image_open(&storage, name, format, &image, &why) != ST_OK)
		wrong("%s", why.text);
	judge_open_image(image, on);
	image_close(image);
	storage_end(&storage);
}

void judge(const char *name, enum verdict_on on)
{
	const struct image_format *format = format_of(name);
	uint64_t size;
	const uint8_t *bytes = sim_file(name, &size);
	char why[256];

	if (format->flat || is_part(name))
		return;
	if (strcmp(format->name, "qcow2") != 0)
		judge_by_check(name, format, on);
	else if (!verdict_qcow2(bytes, size, on, why))
		wrong("%s: %s", name, why);
}

void judge_all(enum verdict_on on)
{
	const char *name;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++)
		judge(name, on);
}
