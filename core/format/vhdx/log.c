/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log, as it is found ([MS-VHDX] 2.3): a ring of sectors of 4 KiB with entries, each of which
 * describes changes of other sectors of the file. Which of them are to be applied is found out as
 * 2.3.3 says it, step by step: the active sequence is the valid one with the largest sequence
 * number; it begins at the entry that its last entry calls its tail.
 *
 * Every sector of a valid entry after its first begins with the signature of a descriptor or of
 * data. So two entries never share a sector, an entry that is none is noticed before the next one
 * begins, and the search reads each sector a few times at most, whatever the log says. Memory: 16
 * bytes for each sector of the log, and a record for each change.
 */
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/vhdx/image.h"
#include "platform/person.h"

enum {
	FIRST_DESCRIPTORS = (VHDX_SECTOR - sizeof(struct vhdx_disk_entry)) /
			    sizeof(struct vhdx_disk_descriptor),
	MORE_DESCRIPTORS = VHDX_SECTOR / sizeof(struct vhdx_disk_descriptor),
	RECORDS_MAX = 1 << 19, /* of changes, for us: 20 MiB */
};

/* An entry that begins in a sector of the log. */
struct position {
	uint64_t sequence;
	uint32_t n_sectors; /* 0: none does */
	uint32_t tail;      /* the sector where its sequence begins */
};

struct search {
	struct vhdx_image *v;
	struct position *at; /* for each sector */
	uint32_t n_sectors;  /* of the log */
	struct error *err;
};

/* An entry that is looked at, sector by sector. */
struct entry {
	struct vhdx_disk_entry head;
	uint64_t sequence;
	uint32_t first, n_sectors, n_descriptors, n_described; /* .. so far */
	uint32_t n_data;                                       /* data descriptors so far */
	uint32_t crc;
};

static enum status read_sector(const struct search *s, uint64_t n, uint8_t *ret)
{
	uint64_t at = s->v->header.log_offset + n % s->n_sectors * VHDX_SECTOR;
	enum status st = platform_cancelled() ? ST_CANCELLED
					      : blk_read_padded(s->v->file, at, ret, VHDX_SECTOR);

	return st == ST_OK ? ST_OK
			   : fail(s->err, st, "reading its log at 0x%jx: %s", at, status_text(st));
}

static uint32_t descriptor_sectors(uint32_t n)
{
	return n <= FIRST_DESCRIPTORS
		       ? 1
		       : 1 + (uint32_t)div_up(n - FIRST_DESCRIPTORS, MORE_DESCRIPTORS);
}

/* Whether an entry of this log begins with this sector, as far as its header says. */
static bool begins(const struct search *s, const uint8_t *sector, struct entry *ret)
{
	uint32_t bytes, tail;

	memcpy(&ret->head, sector, sizeof ret->head);
	bytes = le32_get(ret->head.bytes);
	tail = le32_get(ret->head.tail);
	ret->sequence = le64_get(ret->head.sequence);
	ret->n_sectors = bytes / VHDX_SECTOR;
	ret->n_descriptors = le32_get(ret->head.n_descriptors);
	ret->n_described = ret->n_data = 0;
	return memcmp(ret->head.signature, "loge", 4) == 0 &&
	       guid_equal(&ret->head.log_guid, &s->v->header.log) && ret->sequence > 0 &&
	       bytes % VHDX_SECTOR == 0 && bytes > 0 && ret->n_sectors <= s->n_sectors &&
	       tail % VHDX_SECTOR == 0 && tail / VHDX_SECTOR < s->n_sectors &&
	       ret->n_descriptors <= (uint64_t)s->n_sectors * MORE_DESCRIPTORS &&
	       descriptor_sectors(ret->n_descriptors) <= ret->n_sectors;
}

/* Looks at the descriptors in one sector of an entry. */
static bool descriptors_fit(struct entry *entry, const uint8_t *sector, bool first)
{
	size_t at = first ? sizeof(struct vhdx_disk_entry) : 0;

	for (; at < VHDX_SECTOR && entry->n_described < entry->n_descriptors;
	     at += sizeof(struct vhdx_disk_descriptor), entry->n_described++) {
		struct vhdx_disk_descriptor d;
		bool data;

		memcpy(&d, sector + at, sizeof d);
		data = memcmp(d.signature, "desc", 4) == 0;
		if (!data && memcmp(d.signature, "zero", 4) != 0)
			return false;
		if (le64_get(d.sequence) != entry->sequence ||
		    le64_get(d.offset) % VHDX_SECTOR != 0 ||
		    (!data && bytes_from_le(d.leading, 8) % VHDX_SECTOR != 0))
			return false;
		entry->n_data += data;
	}
	return true;
}

static bool data_fits(const struct entry *entry, const uint8_t *sector)
{
	return memcmp(sector, "data", 4) == 0 &&
	       bytes_from_le(sector + 4, 4) == entry->sequence >> 32 &&
	       bytes_from_le(sector + VHDX_SECTOR - 4, 4) == (entry->sequence & UINT32_MAX);
}

/* Whether sector `i` of an entry is what it has to be; adds it to the checksum. */
static bool sector_fits(struct entry *entry, uint32_t i, uint8_t *sector)
{
	uint32_t n_first = descriptor_sectors(entry->n_descriptors);

	if (i < n_first ? !descriptors_fit(entry, sector, i == 0) : !data_fits(entry, sector))
		return false;
	if (i + 1 == n_first && entry->n_data != entry->n_sectors - n_first)
		return false;
	if (i == 0)
		memset(sector + 4, 0, 4); /* the checksum itself */
	entry->crc = crc32c(i == 0 ? 0 : entry->crc, sector, VHDX_SECTOR);
	return true;
}

/* Looks for an entry that begins in sector `n` of the log. */
static enum status look_at(struct search *s, uint32_t n, uint8_t *sector)
{
	struct entry entry = { .first = n };
	enum status st = read_sector(s, n, sector);

	if (st != ST_OK || !begins(s, sector, &entry))
		return st;
	for (uint32_t i = 0; i < entry.n_sectors; i++) {
		if (i > 0)
			st = read_sector(s, (uint64_t)n + i, sector);
		if (st != ST_OK || !sector_fits(&entry, i, sector))
			return st;
	}
	if (entry.crc == le32_get(entry.head.checksum))
		s->at[n] = (struct position){ .sequence = entry.sequence,
					      .n_sectors = entry.n_sectors,
					      .tail = le32_get(entry.head.tail) / VHDX_SECTOR };
	return ST_OK;
}

static uint32_t next_of(const struct search *s, uint32_t n)
{
	return (uint32_t)(((uint64_t)n + s->at[n].n_sectors) % s->n_sectors);
}

/* The entries from `tail` on, each with the next number: ret_last is the last of them. */
static bool follow(const struct search *s, uint32_t tail, uint32_t *ret_last)
{
	uint32_t n = tail;

	if (s->at[n].n_sectors == 0)
		return false;
	while (s->at[next_of(s, n)].n_sectors > 0 &&
	       s->at[next_of(s, n)].sequence == s->at[n].sequence + 1)
		n = next_of(s, n);
	*ret_last = n;
	return true;
}

/* Whether the tail of the entry `last` is one of the entries from `first` to it. */
static bool is_complete(const struct search *s, uint32_t first, uint32_t last)
{
	uint32_t n = first;

	while (n != s->at[last].tail && n != last)
		n = next_of(s, n);
	return n == s->at[last].tail;
}

/* 2.3.3: *ret_last is the last entry of the active sequence. False: there is none. */
static bool find_active(const struct search *s, uint32_t *ret_last)
{
	uint64_t best = 0;

	for (uint32_t tail = 0, old;;) {
		uint32_t last = 0;
		bool valid = follow(s, tail, &last) && is_complete(s, tail, last);

		if (valid && s->at[last].sequence > best) {
			best = s->at[last].sequence;
			*ret_last = last;
		}
		old = tail;
		tail = valid ? next_of(s, last) : (tail + 1) % s->n_sectors;
		if (tail <= old)
			return best > 0;
	}
}

/* ---- records ---- */

static enum status add_record(const struct search *s, struct vhdx_replay *replay,
			      const struct vhdx_record *record)
{
	size_t capacity = replay->capacity == 0 ? 64 : 2 * replay->capacity;
	struct vhdx_record *more;

	if (record->offset < VHDX_REGIONS_AT_1 ||
	    !range_ok(record->offset, record->bytes, VHDX_FILE_MAX) ||
	    (record->offset < s->v->header.log_offset + s->v->header.log_bytes &&
	     s->v->header.log_offset < record->offset + record->bytes))
		return fail(s->err, ST_CORRUPT,
			    "its log would change 0x%jx bytes at 0x%jx, where nothing is that a "
			    "log may change",
			    record->bytes, record->offset);
	if (replay->n == RECORDS_MAX)
		return fail(s->err, ST_UNSUPPORTED, "its log has more than %d changes",
			    RECORDS_MAX);
	if (replay->n == replay->capacity) {
		more = mem_alloc(capacity * sizeof *more);
		if (more == NULL)
			return fail_no_memory(s->err);
		if (replay->n > 0)
			memcpy(more, replay->record, replay->n * sizeof *more);
		mem_free(replay->record);
		replay->record = more;
		replay->capacity = capacity;
	}
	replay->record[replay->n++] = *record;
	return ST_OK;
}

/* Adds the records of one sector of descriptors. */
static enum status add_descriptors(const struct search *s, struct vhdx_replay *replay,
				   struct entry *entry, const uint8_t *sector, bool first)
{
	size_t at = first ? sizeof(struct vhdx_disk_entry) : 0;
	enum status st = ST_OK;

	for (; st == ST_OK && at < VHDX_SECTOR && entry->n_described < entry->n_descriptors;
	     at += sizeof(struct vhdx_disk_descriptor), entry->n_described++) {
		struct vhdx_record record = { .bytes = VHDX_SECTOR };
		struct vhdx_disk_descriptor d;
		uint64_t n;

		memcpy(&d, sector + at, sizeof d);
		record.offset = le64_get(d.offset);
		if (memcmp(d.signature, "zero", 4) == 0) {
			record.bytes = bytes_from_le(d.leading, 8);
		} else {
			n = (uint64_t)entry->first + descriptor_sectors(entry->n_descriptors) +
			    entry->n_data++;
			record.from = s->v->header.log_offset + n % s->n_sectors * VHDX_SECTOR;
			memcpy(record.leading, d.leading, sizeof d.leading);
			memcpy(record.trailing, d.trailing, sizeof d.trailing);
		}
		if (record.bytes > 0)
			st = add_record(s, replay, &record);
	}
	return st;
}

/* Adds the records of the entry in sector `n` of the log, which is valid. */
static enum status add_entry(const struct search *s, struct vhdx_replay *replay, uint32_t n,
			     uint8_t *sector)
{
	struct entry entry = { .first = n };
	enum status st = read_sector(s, n, sector);

	if (st != ST_OK)
		return st;
	if (!begins(s, sector, &entry))
		return fail(s->err, ST_IO, "its log reads differently each time");
	replay->flushed_bytes = le64_get(entry.head.flushed_bytes);
	replay->last_bytes = le64_get(entry.head.last_bytes);
	for (uint32_t i = 0; st == ST_OK && i < descriptor_sectors(entry.n_descriptors); i++) {
		if (i > 0)
			st = read_sector(s, (uint64_t)n + i, sector);
		if (st == ST_OK)
			st = add_descriptors(s, replay, &entry, sector, i == 0);
	}
	return st;
}

static enum status search(struct search *s, struct vhdx_replay *ret, bool *ret_found,
			  uint8_t *sector)
{
	enum status st = ST_OK;
	uint32_t last = 0, n;

	for (uint32_t i = 0; st == ST_OK && i < s->n_sectors; i++)
		st = look_at(s, i, sector);
	*ret_found = st == ST_OK && find_active(s, &last);
	if (!*ret_found)
		return st;
	for (n = s->at[last].tail; st == ST_OK && n != last; n = next_of(s, n))
		st = add_entry(s, ret, n, sector);
	return st == ST_OK ? add_entry(s, ret, last, sector) : st;
}

enum status vhdx_log_find(struct vhdx_image *v, struct vhdx_replay *ret, bool *ret_found,
			  struct error *err)
{
	struct search s = { .v = v, .n_sectors = v->header.log_bytes / VHDX_SECTOR, .err = err };
	uint8_t *sector = io_alloc(VHDX_SECTOR);
	enum status st;

	*ret = (struct vhdx_replay){ 0 };
	*ret_found = false;
	s.at = mem_alloc(s.n_sectors * sizeof *s.at); /* at most 16 MiB */
	if (s.at == NULL || sector == NULL)
		st = fail_no_memory(err);
	else
		st = s.n_sectors > 0 ? search(&s, ret, ret_found, sector) : ST_OK;
	mem_free(s.at);
	io_free(sector, VHDX_SECTOR);
	return st;
}
