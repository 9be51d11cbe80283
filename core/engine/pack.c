/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Compressed units: which images can have them, and how one is made. A unit that does not get
 * smaller is stored as it is.
 */
#include "engine/pack.h"

enum status pack_possible(const struct image *image, struct error *err)
{
	if (image->format->change.write_compressed == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "option -c: %s: images of format %s cannot be compressed", image->name,
			    image->format->name);
	if (image->data != image->file[0].blk)
		return fail(err, ST_UNSUPPORTED,
			    "option -c: the data of %s is in a data file, which cannot be "
			    "compressed",
			    image->name);
	return ST_OK;
}

enum status pack_unit(struct codec *codec, const uint8_t *bytes, size_t n, uint8_t *packed,
		      uint32_t *ret_packed_bytes)
{
	size_t packed_bytes;
	enum status st = codec_compress(codec, bytes, n, packed, n - 1, &packed_bytes);

	*ret_packed_bytes = st == ST_OK ? (uint32_t)packed_bytes : 0;
	return st == ST_NO_SPACE ? ST_OK : st;
}
