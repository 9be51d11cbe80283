/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/pack.h"

#include "base/memory.h"

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

enum status pack_open(struct pack *pack, struct image *image)
{
	*pack = (struct pack){
		.image = image,
		.codec = codec_open(image->compression, CODEC_PRESET),
		.packed = mem_alloc(image->unit_bytes),
	};
	return pack->codec != NULL && pack->packed != NULL ? ST_OK : ST_NO_MEMORY;
}

void pack_close(struct pack *pack)
{
	codec_close(pack->codec);
	mem_free(pack->packed);
}

enum status pack_write(struct pack *pack, uint64_t offset, const uint8_t *bytes, size_t n)
{
	struct image *image = pack->image;
	size_t packed_bytes, unit_bytes = image->unit_bytes;
	enum status st = codec_compress(pack->codec, bytes, unit_bytes, pack->packed,
					unit_bytes - 1, &packed_bytes);

	if (st == ST_OK)
		return image->format->change.write_compressed(image, offset, pack->packed,
							      packed_bytes);
	/* it does not get smaller */
	return st == ST_NO_SPACE ? blk_write(&image->blk, offset, bytes, n) : st;
}
