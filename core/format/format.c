/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The formats by name. The list itself, image_formats[], is made by the Makefile from the names of
 * the folders in core/format/.
 */
#include "format/format.h"

#include "base/text.h"

const struct image_format *image_format_find(const char *name)
{
	for (size_t i = 0; image_formats[i] != NULL; i++)
		if (text_equal(image_formats[i]->name, name))
			return image_formats[i];
	return NULL;
}

enum status image_format_get(const char *name, const char *option, const struct image_format **ret,
			     struct error *err)
{
	const struct image_format *format = image_format_find(name);
	struct out_buffer known;
	char text[128];

	if (format != NULL) {
		*ret = format;
		return ST_OK;
	}
	out_buffer_init(&known, text, sizeof text);
	for (size_t i = 0; image_formats[i] != NULL; i++)
		out_printf(&known.out, " %s", image_formats[i]->name);
	return fail(err, ST_UNSUPPORTED,
		    "%s %s: there is no such image format; those that efi-img knows are:%s", option,
		    name, text);
}

enum status image_format_check_new(const struct image_format *format, struct error *err)
{
	return format->create.plan != NULL
		       ? ST_OK
		       : fail(err, ST_UNSUPPORTED,
			      "images of format %s can be read, but not created; choose another "
			      "format",
			      format->name);
}
