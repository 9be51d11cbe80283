/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaying the log. While an image is only read, its file is shown as it would be: a blk that has
 * the records of the log over the file. Their data stay where they are, in the log. When the image
 * is to be written to, the records are applied in their order, flushed, and then both headers say
 * that there is no log. Power may fail at any moment: the log is in force up to that flush, and
 * applying it once more does the same.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/new_guid.h"
#include "format/vhdx/image.h"

struct overlay {
	struct blk blk; /* first */
	struct blk *below;
	struct vhdx_replay replay;
	uint64_t lowest, end; /* what records change lies between these */
};

/* What the bytes [at, at + n) of a record are, which lie in it. */
static enum status read_record(struct blk *file, const struct vhdx_record *record, uint64_t at,
			       uint8_t *ret, size_t n)
{
	enum status st;

	if (record->from == 0) {
		memset(ret, 0, n);
		return ST_OK;
	}
	at -= record->offset;
	st = blk_read_padded(file, record->from + at, ret, n);
	for (size_t i = 0; i < n; i++)
		if (at + i < sizeof record->leading)
			ret[i] = record->leading[at + i];
		else if (at + i >= VHDX_SECTOR - sizeof record->trailing)
			ret[i] = record->trailing[at + i - VHDX_SECTOR + sizeof record->trailing];
	return st;
}

static enum status overlay_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	const struct overlay *o = (struct overlay *)blk;
	uint64_t end = offset + len;
	enum status st = ST_OK;

	if (offset < o->below->size)
		st = blk_read_padded(o->below, offset, buf, len);
	else
		memset(buf, 0, len);
	if (offset >= o->end || end <= o->lowest)
		return st;
	for (size_t i = 0; st == ST_OK && i < o->replay.n; i++) {
		const struct vhdx_record *record = &o->replay.record[i];
		uint64_t from = max_u64(offset, record->offset);
		uint64_t to = min_u64(end, record->offset + record->bytes);

		if (from < to)
			st = read_record(o->below, record, from, (uint8_t *)buf + (from - offset),
					 (size_t)(to - from));
	}
	return st;
}

static enum status overlay_allocated(struct blk *blk, uint64_t *ret)
{
	return blk_allocated(((struct overlay *)blk)->below, ret);
}

static void overlay_close(struct blk *blk)
{
	struct overlay *o = (struct overlay *)blk;

	blk_close(o->below);
	mem_free(o->replay.record);
	mem_free(o);
}

/* Puts the records over the file of the image, which owns the result. */
static enum status lay_over(struct vhdx_image *v, struct vhdx_replay *replay)
{
	static const struct blk_ops ops = {
		.read = overlay_read,
		.allocated = overlay_allocated,
		.close = overlay_close,
	};
	struct overlay *o = mem_alloc(sizeof *o);

	if (o == NULL)
		return ST_NO_MEMORY;
	*o = (struct overlay){
		.blk = { .ops = &ops,
			 .size = max_u64(v->file->size, replay->last_bytes),
			 .block_bytes = 1,
			 .buffer_align = 1,
			 .transfer_bytes = v->file->transfer_bytes,
			 .device = v->file->device },
		.below = v->file,
		.replay = *replay,
		.lowest = UINT64_MAX,
	};
	for (size_t i = 0; i < replay->n; i++) {
		o->lowest = min_u64(o->lowest, replay->record[i].offset);
		o->end = max_u64(o->end, replay->record[i].offset + replay->record[i].bytes);
	}
	o->blk.size = max_u64(o->blk.size, o->end);
	*replay = (struct vhdx_replay){ 0 };
	v->file = v->image.file[0].blk = &o->blk;
	v->pending = true;
	return ST_OK;
}

enum status vhdx_log_show(struct vhdx_image *v, struct error *err)
{
	struct vhdx_replay replay;
	bool found;
	enum status st;

	if (guid_is_zero(&v->header.log))
		return ST_OK;
	st = vhdx_log_find(v, &replay, &found, err);
	if (st == ST_OK && !found)
		v->empty_log = true;
	if (st == ST_OK && found && v->file->size < replay.flushed_bytes)
		st = fail(err, ST_CORRUPT,
			  "its file of %ju bytes was cut short: when its log was written, it had "
			  "%ju",
			  v->file->size, replay.flushed_bytes);
	if (st == ST_OK && found && replay.last_bytes > VHDX_FILE_MAX)
		st = fail(err, ST_CORRUPT, "by its log its file has %ju bytes, past all limits",
			  replay.last_bytes);
	if (st == ST_OK && found)
		st = lay_over(v, &replay);
	if (st == ST_NO_MEMORY)
		error_set(err, "%s", status_text(st));
	mem_free(replay.record);
	return st;
}

/* ---- applying ---- */

static enum status apply_record(struct blk *file, const struct vhdx_record *record, uint8_t *sector)
{
	enum status st;

	if (record->from == 0)
		return blk_write_zeros(file, record->offset, record->bytes);
	st = read_record(file, record, record->offset, sector, VHDX_SECTOR);
	return st == ST_OK ? blk_write(file, record->offset, sector, VHDX_SECTOR) : st;
}

static enum status apply_all(const struct overlay *o)
{
	uint8_t *sector = io_alloc(VHDX_SECTOR);
	enum status st = sector != NULL ? ST_OK : ST_NO_MEMORY;

	for (size_t i = 0; st == ST_OK && i < o->replay.n; i++)
		st = apply_record(o->below, &o->replay.record[i], sector);
	if (st == ST_OK && o->below->size < o->replay.last_bytes)
		st = blk_resize(o->below, o->replay.last_bytes, PREALLOC_OFF);
	if (st == ST_OK)
		st = blk_flush(o->below);
	io_free(sector, VHDX_SECTOR);
	return st;
}

enum status vhdx_log_apply(struct vhdx_image *v, struct error *err)
{
	struct vhdx_header next;
	enum status st = ST_OK;

	if (guid_is_zero(&v->header.log))
		return ST_OK;
	if (v->pending) {
		struct overlay *o = (struct overlay *)v->file;

		st = apply_all(o);
		if (st != ST_OK)
			return fail(err, st, "replaying its log: %s", status_text(st));
		if (v->image.data == &o->blk)
			v->image.data = o->below;
		v->file = v->image.file[0].blk = o->below;
		mem_free(o->replay.record);
		mem_free(o);
		v->pending = false;
	}
	next = v->header;
	next.log = (struct guid){ 0 };
	new_guid(v->image.name, (unsigned)(v->header.sequence * 4), &next.file_write);
	st = vhdx_changed(v, vhdx_header_write(v, &next));
	v->empty_log = v->empty_log && st != ST_OK;
	return st == ST_OK ? ST_OK
			   : fail(err, st, "writing its headers after its log was replayed: %s",
				  status_text(st));
}
