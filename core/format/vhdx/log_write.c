/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must be on the medium before what: the one place that writes the metadata of an image.
 *
 *   0. before the first change: both headers, one after the other, with new GUIDs of file and data
 *                                                                                    flush each
 *   1. the contents of new blocks, each at a place that no entry of the BAT names          flush
 *      (block_map.c)
 *   2. an entry in the log with all sectors that change: of the BAT, and of the metadata   flush
 *   3. both headers with the GUID of the log, unless they have it                    flush each
 *   4. the sectors in their places                                                         flush
 *   5. when the caller flushes the disk: both headers, with no log GUID              flush each
 *
 * A cut before 3 leaves the image as it was: what a log holds is ignored without its GUID. From 3
 * to 5 the log has one valid sequence at every moment, of one entry: the entry that is written next
 * goes after the last one and never onto it, and when it is whole, the one before is in its place
 * and flushed. So each entry is its own tail.
 *
 * Writing the first entry (2) before the GUID (3) is the one order in which no cut leaves a GUID
 * without a valid entry, which readers have to refuse ([MS-VHDX] 2.3.3). The entry has the GUID
 * that is to come, which no entry of before has, so that none of these can be taken for a part of
 * it: that is why 2.2.2 wants a new GUID before the log is overwritten.
 *
 * After a failure in 2 to 5 it is not known what is on the medium; all that can be there is sound.
 * Nothing more is written then (`failed`): the next one who opens the image replays its log. Where
 * there was only no memory, nothing was written half, and the next flush does it.
 *
 * As many tables are changed at most as fit into half of the log, in one sector of descriptors.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/new_guid.h"
#include "format/vhdx/image.h"

enum {
	ONE_SECTOR_OF_DESCRIPTORS = (VHDX_SECTOR - sizeof(struct vhdx_disk_entry)) /
				    sizeof(struct vhdx_disk_descriptor),
};

size_t vhdx_log_capacity(const struct vhdx_image *v)
{
	return (size_t)min_u64(ONE_SECTOR_OF_DESCRIPTORS,
			       v->header.log_bytes / 2 / VHDX_SECTOR - 1);
}

enum status vhdx_changed(struct vhdx_image *v, enum status st)
{
	if (v->failed == ST_OK && st != ST_NO_MEMORY)
		v->failed = st;
	return st;
}

/* A changed sector, as descriptor `i` and as a data sector of the entry. */
static void put_sector(uint8_t *entry, size_t i, uint64_t sequence, uint64_t offset,
		       const uint8_t *bytes)
{
	uint8_t *descriptor = entry + sizeof(struct vhdx_disk_entry) +
			      i * sizeof(struct vhdx_disk_descriptor);
	struct vhdx_disk_descriptor d = { .signature = { 'd', 'e', 's', 'c' },
					  .offset = le64_of(offset),
					  .sequence = le64_of(sequence) };
	struct vhdx_disk_data *data = (struct vhdx_disk_data *)(entry + (i + 1) * VHDX_SECTOR);

	memcpy(d.leading, bytes, sizeof d.leading);
	memcpy(d.trailing, bytes + VHDX_SECTOR - sizeof d.trailing, sizeof d.trailing);
	memcpy(descriptor, &d, sizeof d);
	memcpy(data->signature, "data", sizeof data->signature);
	data->sequence_high = le32_of((uint32_t)(sequence >> 32));
	data->sequence_low = le32_of((uint32_t)sequence);
	memcpy(data->bytes, bytes + sizeof d.leading, sizeof data->bytes);
}

/* Makes an entry of all changed tables; returns its length. */
static size_t make_entry(struct vhdx_image *v, const struct guid *log)
{
	struct vhdx_disk_entry head = {
		.signature = { 'l', 'o', 'g', 'e' },
		.tail = le32_of((uint32_t)v->log_at),
		.sequence = le64_of(v->log_sequence),
		.n_descriptors = le32_of((uint32_t)v->cache.n_changed),
		.log_guid = *log,
		.flushed_bytes = le64_of(round_down(v->file->size, VHDX_MIB)),
		.last_bytes = le64_of(round_up(v->file->size, VHDX_MIB)),
	};
	size_t n = 0, bytes = (v->cache.n_changed + 1) * VHDX_SECTOR;

	CHECK(bytes <= v->log_entry_bytes);
	memset(v->log_entry, 0, VHDX_SECTOR);
	for (size_t i = 0; i < v->cache.n_slots; i++)
		if (v->cache.slot[i].changed)
			put_sector(v->log_entry, n++, v->log_sequence, v->cache.slot[i].offset,
				   v->cache.slot[i].bytes);
	head.bytes = le32_of((uint32_t)bytes);
	memcpy(v->log_entry, &head, sizeof head);
	bytes_to_le(v->log_entry + 4, 4, crc32c(0, v->log_entry, bytes));
	return bytes;
}

/* Writes the entry where the last one ends; the log is a ring. */
static enum status write_entry(struct vhdx_image *v, size_t bytes)
{
	size_t first = (size_t)min_u64(bytes, v->header.log_bytes - v->log_at);
	enum status st = blk_write(v->file, v->header.log_offset + v->log_at, v->log_entry, first);

	if (st == ST_OK && first < bytes)
		st = blk_write(v->file, v->header.log_offset, v->log_entry + first, bytes - first);
	return st == ST_OK ? blk_flush(v->file) : st;
}

static enum status prepare(struct vhdx_image *v)
{
	if (v->log_entry != NULL)
		return ST_OK;
	v->log_entry_bytes = (vhdx_log_capacity(v) + 1) * VHDX_SECTOR;
	v->log_entry = io_alloc(v->log_entry_bytes);
	return v->log_entry != NULL ? ST_OK : ST_NO_MEMORY;
}

static enum status commit(struct vhdx_image *v)
{
	struct vhdx_header next = v->header;
	bool starts = guid_is_zero(&v->header.log);
	enum status st;
	size_t bytes;

	if (starts) {
		new_guid(v->image.name, (unsigned)(v->header.sequence * 4) + 2, &next.log);
		v->log_at = 0;
		v->log_sequence = 1;
	}
	bytes = make_entry(v, &next.log);
	st = write_entry(v, bytes);
	if (st != ST_OK)
		return st;
	v->log_at = (v->log_at + bytes) % v->header.log_bytes;
	v->log_sequence++;
	if (starts)
		st = vhdx_header_write(v, &next);
	return st == ST_OK ? table_cache_write(&v->cache) : st;
}

enum status vhdx_log_commit(struct vhdx_image *v)
{
	enum status st;

	if (v->failed != ST_OK || v->cache.n_changed == 0)
		return v->failed;
	st = prepare(v);
	if (st != ST_OK)
		return st;
	return vhdx_changed(v, commit(v));
}

enum status vhdx_log_end(struct vhdx_image *v)
{
	struct vhdx_header next = v->header;

	if (v->failed != ST_OK || guid_is_zero(&v->header.log))
		return v->failed;
	next.log = (struct guid){ 0 };
	return vhdx_changed(v, vhdx_header_write(v, &next));
}
