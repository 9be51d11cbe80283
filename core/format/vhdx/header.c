/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file identifier and the two headers ([MS-VHDX] 2.2.1, 2.2.2).
 *
 * A header is never changed where it is in force: the other one is written with the next sequence
 * number, and flushed; only then is it the current one. Whatever happens to that write, the old
 * header is still whole. The same is done once more, so that both say the same.
 *
 * Two valid headers with one sequence number are an error, unless they are the same byte by byte:
 * Disk2vhd writes them so.
 */
#include "base/crc32c.h"
#include "base/memory.h"
#include "format/new_guid.h"
#include "format/vhdx/image.h"

static const uint64_t header_at[2] = { VHDX_HEADER_AT_1, VHDX_HEADER_AT_2 };

static uint32_t checksum(const uint8_t *raw)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(0, raw, 4);

	crc = crc32c(crc, zeros, sizeof zeros);
	return crc32c(crc, raw + 8, VHDX_HEADER_BYTES - 8);
}

void vhdx_header_encode(const struct vhdx_header *header, uint8_t *ret)
{
	struct vhdx_disk_header disk = {
		.signature = { 'h', 'e', 'a', 'd' },
		.sequence = le64_of(header->sequence),
		.file_write_guid = header->file_write,
		.data_write_guid = header->data_write,
		.log_guid = header->log,
		.log_bytes = le32_of(header->log_bytes),
		.log_offset = le64_of(header->log_offset),
	};

	bytes_to_le(disk.log_version.b, 2, header->log_version);
	bytes_to_le(disk.version.b, 2, header->version);
	memset(ret, 0, VHDX_HEADER_BYTES);
	memcpy(ret, &disk, sizeof disk);
	bytes_to_le(ret + 4, 4, checksum(ret));
}

/* Whether these bytes are a header; if not, `why` says why. */
static bool is_header(const uint8_t *raw, struct error *why)
{
	uint32_t said = (uint32_t)bytes_from_le(raw + 4, 4), is = checksum(raw);

	if (memcmp(raw, "head", 4) != 0) {
		error_set(why, "has no signature");
		return false;
	}
	if (said != is) {
		error_set(why, "has the checksum 0x%08x, but its bytes have 0x%08x", said, is);
		return false;
	}
	return true;
}

static void decode(const uint8_t *raw, struct vhdx_header *ret)
{
	struct vhdx_disk_header disk;

	memcpy(&disk, raw, sizeof disk);
	*ret = (struct vhdx_header){
		.sequence = le64_get(disk.sequence),
		.file_write = disk.file_write_guid,
		.data_write = disk.data_write_guid,
		.log = disk.log_guid,
		.log_version = le16_get(disk.log_version),
		.version = le16_get(disk.version),
		.log_bytes = le32_get(disk.log_bytes),
		.log_offset = le64_get(disk.log_offset),
	};
}

/* Chooses the current one of the two headers, which are behind each other in `raw`. */
static enum status choose(struct vhdx_image *v, const uint8_t *raw, struct error *err)
{
	struct vhdx_header header[2];
	struct error why[2];

	for (size_t i = 0; i < 2; i++) {
		v->bad_header[i] = !is_header(raw + i * VHDX_HEADER_BYTES, &why[i]);
		decode(raw + i * VHDX_HEADER_BYTES, &header[i]);
	}
	if (v->bad_header[0] && v->bad_header[1])
		return fail(err, ST_CORRUPT,
			    "neither of its headers is valid: that at 0x%x %s, that at 0x%x %s",
			    VHDX_HEADER_AT_1, why[0].text, VHDX_HEADER_AT_2, why[1].text);
	v->current = v->bad_header[0];
	if (!v->bad_header[0] && !v->bad_header[1]) {
		if (header[0].sequence == header[1].sequence &&
		    memcmp(raw, raw + VHDX_HEADER_BYTES, VHDX_HEADER_BYTES) != 0)
			return fail(err, ST_CORRUPT,
				    "its two headers differ, and both have the sequence number "
				    "%ju: it is not known which one is in force",
				    header[0].sequence);
		v->current = header[1].sequence > header[0].sequence;
	}
	v->header = header[v->current];
	return ST_OK;
}

static enum status check(const struct vhdx_header *header, struct error *err)
{
	if (header->version != 1)
		return fail(err, ST_UNSUPPORTED,
			    "its header says version %u of the format, and there is only 1",
			    header->version);
	if (header->log_version != 0 && !guid_is_zero(&header->log))
		return fail(err, ST_UNSUPPORTED,
			    "its log has version %u, and is to be replayed; only version 0 is "
			    "known",
			    header->log_version);
	if (header->log_bytes % VHDX_MIB != 0)
		return fail(err, ST_CORRUPT,
			    "the log length in its header, 0x%x, is not a multiple of 1 MiB",
			    header->log_bytes);
	if (header->log_offset % VHDX_MIB != 0)
		return fail(err, ST_CORRUPT,
			    "the log offset in its header, 0x%jx, is not a multiple of 1 MiB",
			    header->log_offset);
	if (header->sequence > UINT64_MAX / 2)
		return fail(err, ST_CORRUPT,
			    "the sequence number in its header, 0x%jx, leaves none for changes",
			    header->sequence);
	return ST_OK;
}

enum status vhdx_headers_read(struct vhdx_image *v, struct error *err)
{
	uint8_t *raw = mem_alloc(2 * (size_t)VHDX_HEADER_BYTES);
	uint8_t signature[8];
	enum status st = ST_OK;

	if (raw == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(v->file, 0, signature, sizeof signature);
	for (size_t i = 0; st == ST_OK && i < 2; i++)
		st = blk_read_padded(v->file, header_at[i], raw + i * VHDX_HEADER_BYTES,
				     VHDX_HEADER_BYTES);
	if (st != ST_OK)
		error_set(err, "reading its headers: %s", status_text(st));
	else if (memcmp(signature, VHDX_SIGNATURE, sizeof signature) != 0)
		st = fail(err, ST_CORRUPT, "it does not begin with \"%s\", as VHDX images do",
			  VHDX_SIGNATURE);
	if (st == ST_OK)
		st = choose(v, raw, err);
	mem_free(raw);
	return st == ST_OK ? check(&v->header, err) : st;
}

static enum status write_other(struct vhdx_image *v, const struct vhdx_header *next)
{
	struct vhdx_header header = *next;
	unsigned other = !v->current;
	uint8_t *raw = io_alloc(VHDX_HEADER_BYTES);
	enum status st;

	if (raw == NULL)
		return ST_NO_MEMORY;
	header.sequence = v->header.sequence + 1;
	vhdx_header_encode(&header, raw);
	st = blk_write(v->file, header_at[other], raw, VHDX_HEADER_BYTES);
	if (st == ST_OK)
		st = blk_flush(v->file);
	io_free(raw, VHDX_HEADER_BYTES);
	if (st != ST_OK)
		return st;
	v->header = header;
	v->current = other;
	v->bad_header[other] = false;
	return ST_OK;
}

enum status vhdx_header_write(struct vhdx_image *v, const struct vhdx_header *next)
{
	struct vhdx_header copy = *next; /* it may be v->header, which changes */
	enum status st = write_other(v, &copy);

	return st == ST_OK ? write_other(v, &copy) : st;
}

enum status vhdx_session_begin(struct vhdx_image *v, bool data)
{
	struct vhdx_header next = v->header;
	unsigned n = (unsigned)(v->header.sequence * 4);
	enum status st;

	if (v->session || v->failed != ST_OK)
		return v->failed;
	new_guid(v->image.name, n, &next.file_write);
	if (data)
		new_guid(v->image.name, n + 1, &next.data_write);
	st = vhdx_header_write(v, &next);
	v->session = st == ST_OK && data;
	return vhdx_changed(v, st);
}
