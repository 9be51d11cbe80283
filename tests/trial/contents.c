/* SPDX-License-Identifier: BSD-2-Clause */
#include "contents.h"

#include "blk/mark.h"
#include "format/chain.h"
#include "pages.h"
#include "run.h"

enum { DISK_BYTES_MAX = 64 << 20 };

/* ---- reading ---- */

/* What a format is recognised by. */
static void fill_probe(struct image_probe *probe, const char *name, const uint8_t *bytes,
		       uint64_t size)
{
	size_t n_head = size < PROBE_HEAD_BYTES ? (size_t)size : PROBE_HEAD_BYTES,
	       n_tail = size < PROBE_TAIL_BYTES ? (size_t)size : PROBE_TAIL_BYTES;

	*probe = (struct image_probe){ .name = name, .size = size, .whole = true };
	memcpy(probe->head, bytes, n_head);
	memcpy(probe->tail + PROBE_TAIL_BYTES - n_tail, bytes + size - n_tail, n_tail);
}

const struct image_format *format_of(const char *name)
{
	const struct image_format *best = image_format_find("raw");
	static struct image_probe probe;
	uint8_t id[MARK_ID_BYTES];
	uint64_t size;
	const uint8_t *bytes = sim_file(name, &size);
	int score = 0;

	if (bytes == NULL || (size >= MARK_BYTES && mark_parse(bytes, MARK_IMAGE, id)))
		return best;
	fill_probe(&probe, name, bytes, size);
	for (size_t i = 0; image_formats[i] != NULL; i++) {
		int its = image_formats[i]->probe(&probe);

		if (its > score) {
			best = image_formats[i];
			score = its;
		}
	}
	return best;
}

bool is_image(const char *name)
{
	return !format_of(name)->flat;
}

bool is_part(const char *name)
{
	/* as VMware names extents, and tests/doubles/pieces its pieces */
	static const char *const marks[] = { "-s0", "-f0", "-flat", ".0", ".1", ".2" };

	for (size_t i = 0; i < N_OF(marks); i++)
		if (strstr(name, marks[i]) != NULL)
			return true;
	return strcmp(name, "d") == 0;
}

bool is_record(const char *name)
{
	return strcmp(name, "m") == 0 || strcmp(name, "m.new") == 0;
}

static void open_chain(struct storage *storage, const char *name, bool whole, struct chain *chain)
{
	struct error why;

	if (storage_begin(storage, NULL, &why) != ST_OK ||
	    chain_open(storage, ROLE_IMAGE, name, format_of(name), whole, chain, &why) != ST_OK)
		wrong("%s does not open: %s", name, why.text);
}

static void close_chain(struct storage *storage, struct chain *chain)
{
	chain_close(chain);
	storage_end(storage);
}

/* The disk now, or (not NULL) at a snapshot. */
static void read_disk(const char *name, const size_t *snapshot, struct disk *disk)
{
	struct storage storage;
	struct chain chain;
	struct error why;
	struct image *image;

	open_chain(&storage, name, true, &chain);
	image = chain.link[0].image;
	if (snapshot != NULL)
		snprintf(disk->snapshot, sizeof disk->snapshot, "%s",
			 image->snapshots[*snapshot].name);
	/* a size that damage has made up is not read */
	if (image->size <= DISK_BYTES_MAX && chain_load(&chain, snapshot, &why) == ST_OK) {
		disk->size = image->size;
		disk->bytes = pages_new(disk->size + 1);
		if (disk->size > 0 &&
		    blk_read(&image->blk, 0, disk->bytes, (size_t)disk->size) != ST_OK) {
			pages_free(disk->bytes, disk->size + 1);
			disk->bytes = NULL;
		}
	}
	close_chain(&storage, &chain);
}

static void read_bitmap(struct image *image, size_t i, struct marks *marks)
{
	const struct bitmap *bitmap = &image->bitmaps[i];
	uint64_t granularity = bitmap->granularity_bytes, n;
	struct error why;
	bool set;

	snprintf(marks->name, sizeof marks->name, "%s", bitmap->name);
	marks->automatic = bitmap->automatic;
	marks->in_use = bitmap->in_use;
	marks->granularity = granularity;
	if (bitmap->in_use)
		return;
	if (image->format->bitmaps.check(image, i, &why) != ST_OK)
		wrong("%s: %s", image->name, why.text);
	marks->n = (image->size + granularity - 1) / granularity;
	marks->bit = test_calloc(marks->n + 1, 1);
	for (uint64_t at = 0; at < image->size; at += n) {
		if (image->format->bitmaps.run(image, i, at, &set, &n) != ST_OK)
			wrong("%s: bitmap %s cannot be read", image->name, bitmap->name);
		memset(marks->bit + at / granularity, set, (n + granularity - 1) / granularity);
	}
}

static void read_image(const char *name, struct picture *picture)
{
	struct storage storage;
	struct chain chain;
	struct error why;
	struct image *image;
	size_t n_snapshots;

	open_chain(&storage, name, false, &chain);
	image = chain.link[0].image;
	/* A damaged one can say that it has more. */
	n_snapshots = image->n_snapshots < SNAPSHOTS_MAX ? image->n_snapshots : SNAPSHOTS_MAX;
	assert_true(image->n_bitmaps <= BITMAPS_MAX);
	snprintf(picture->backing, sizeof picture->backing, "%s",
		 image->backing_name != NULL ? image->backing_name : "");
	if (image->n_bitmaps > 0 && image_load(image, &why) == ST_OK)
		for (size_t i = 0; i < image->n_bitmaps; i++)
			read_bitmap(image, i, &picture->bitmap[picture->n_bitmaps++]);
	close_chain(&storage, &chain);
	read_disk(name, NULL, &picture->disk[picture->n_disks++]);
	for (size_t i = 0; i < n_snapshots; i++)
		read_disk(name, &i, &picture->disk[picture->n_disks++]);
}

struct contents contents_read(void)
{
	struct contents contents = { 0 };
	const char *name;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++) {
		struct picture *picture = &contents.file[contents.n];

		if (is_part(name) || is_record(name))
			continue;
		contents.n++;
		snprintf(picture->name, sizeof picture->name, "%s", name);
		picture->format = format_of(name);
		if (!picture->format->flat) {
			read_image(name, picture);
		} else {
			struct disk *disk = &picture->disk[picture->n_disks++];
			const uint8_t *bytes = sim_file(name, &disk->size);

			disk->bytes = pages_new(disk->size + 1);
			memcpy(disk->bytes, bytes, disk->size);
		}
	}
	return contents;
}

void contents_free(struct contents *contents)
{
	for (size_t i = 0; i < contents->n; i++) {
		for (size_t k = 0; k < contents->file[i].n_disks; k++)
			pages_free(contents->file[i].disk[k].bytes,
				   contents->file[i].disk[k].size + 1);
		for (size_t k = 0; k < contents->file[i].n_bitmaps; k++)
			test_free(contents->file[i].bitmap[k].bit);
	}
	*contents = (struct contents){ 0 };
}

const struct picture *contents_find(const struct contents *contents, const char *name)
{
	for (size_t i = 0; i < contents->n; i++)
		if (strcmp(contents->file[i].name, name) == 0)
			return &contents->file[i];
	return NULL;
}

static const struct disk *find_disk(const struct picture *picture, const char *snapshot)
{
	for (size_t i = 0; picture != NULL && i < picture->n_disks; i++)
		if (strcmp(picture->disk[i].snapshot, snapshot) == 0)
			return &picture->disk[i];
	return NULL;
}

static const struct marks *find_bitmap(const struct picture *picture, const char *name)
{
	for (size_t i = 0; picture != NULL && i < picture->n_bitmaps; i++)
		if (strcmp(picture->bitmap[i].name, name) == 0)
			return &picture->bitmap[i];
	return NULL;
}

/* ---- what must hold ---- */

static bool same_disk(const struct disk *a, const struct disk *b)
{
	return a != NULL && b != NULL && (a->bytes == NULL) == (b->bytes == NULL) &&
	       a->size == b->size && (a->bytes == NULL || memcmp(a->bytes, b->bytes, a->size) == 0);
}

void assert_mixed(const struct disk *before, const struct disk *after, const struct disk *now,
		  size_t cut)
{
	uint64_t least = before->size < after->size ? before->size : after->size;

	(void)cut;
	if (now->size < least)
		wrong("there are only %zu bytes", (size_t)now->size);
	for (uint64_t i = 0; i < now->size && i < before->size; i++)
		if (now->bytes[i] != before->bytes[i] &&
		    (i >= after->size || now->bytes[i] != after->bytes[i]))
			wrong("byte %zu is 0x%02x, neither old nor new", (size_t)i, now->bytes[i]);
}

bool is_mixed(const char *mixed, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = mixed; at != NULL && (at = strstr(at, name)) != NULL; at += n)
		if ((at == mixed || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
			return true;
	return false;
}

static void assert_disk(const struct expectation *e, const struct picture *before,
			const struct picture *after, const struct picture *now)
{
	const struct disk *old = &before->disk[0], *new = &after->disk[0], *disk = &now->disk[0];
	bool mixed = is_mixed(e->mixed, now->name);

	if (old->bytes == NULL || same_disk(disk, old) || (same_disk(disk, new) && !mixed))
		return;
	if (disk->bytes == NULL)
		wrong("%s: its disk cannot be read any more", now->name);
	if (!now->format->flat && disk->size != old->size && disk->size != new->size)
		wrong("%s: its size is neither old nor new", now->name);
	if (mixed)
		e->mixture(old, new, disk, e->cut);
	else if (!now->format->flat)
		wrong("%s: the disk is neither as before nor as after", now->name);
	else
		assert_mixed(old, new, disk, e->cut);
}

static void assert_snapshots(const struct picture *before, const struct picture *after,
			     const struct picture *now)
{
	const char *name = now->name;

	for (size_t i = 1; i < before->n_disks; i++) {
		const struct disk *old = &before->disk[i], *disk = find_disk(now, old->snapshot);

		if (disk == NULL && find_disk(after, old->snapshot) != NULL)
			wrong("%s: snapshot %s is gone", name, old->snapshot);
		if (disk != NULL && old->bytes != NULL && !same_disk(disk, old))
			wrong("%s: snapshot %s has changed", name, old->snapshot);
	}
	for (size_t i = 1; i < now->n_disks; i++)
		if (find_disk(before, now->disk[i].snapshot) == NULL &&
		    !same_disk(&now->disk[i], find_disk(after, now->disk[i].snapshot)))
			wrong("%s: the new snapshot %s is not what it should be", name,
			      now->disk[i].snapshot);
}

/* Whether what a bit stands for was changed. */
static bool changed(const struct picture *before, const struct picture *now, uint64_t from,
		    uint64_t n)
{
	uint64_t end = from + n;

	end = end < now->disk[0].size ? end : now->disk[0].size;
	end = end < before->disk[0].size ? end : before->disk[0].size;
	return from < end &&
	       memcmp(before->disk[0].bytes + from, now->disk[0].bytes + from, end - from) != 0;
}

static bool bit_of(const struct marks *marks, uint64_t i)
{
	return marks != NULL && i < marks->n && marks->bit[i] != 0;
}

/*
 * What a bitmap that is not in use says is true: nothing is set that never should, and all that was
 * written is noted.
 */
static void assert_bitmap(const struct picture *before, const struct picture *after,
			  const struct picture *now, const struct marks *marks)
{
	const struct marks *old = find_bitmap(before, marks->name),
			   *new = find_bitmap(after, marks->name);

	if (old == NULL && new == NULL)
		wrong("%s: where does bitmap %s come from?", now->name, marks->name);
	for (uint64_t i = 0; i < marks->n; i++) {
		if (marks->bit[i] && !bit_of(old, i) && !bit_of(new, i))
			wrong("%s: bit %zu of %s is set, but never should", now->name, (size_t)i,
			      marks->name);
		if (!marks->bit[i] && bit_of(old, i) && bit_of(new, i))
			wrong("%s: bit %zu of %s is lost", now->name, (size_t)i, marks->name);
		if (!marks->bit[i] && old != NULL && old->automatic &&
		    changed(before, now, i * marks->granularity, marks->granularity))
			wrong("%s: bit %zu of %s was not noted", now->name, (size_t)i, marks->name);
	}
}

void assert_old_or_new(const struct expectation *e, const struct contents *now)
{
	for (size_t i = 0; i < e->before->n; i++) {
		const struct picture *before = &e->before->file[i],
				     *after = contents_find(e->after, before->name);
		const struct picture *p = contents_find(now, before->name);

		if (p == NULL || p->format != before->format || after == NULL)
			wrong("%s is not there any more", before->name);
		if (strcmp(p->backing, before->backing) != 0 &&
		    strcmp(p->backing, after->backing) != 0)
			wrong("%s: its backing file is \"%s\"", p->name, p->backing);
		assert_disk(e, before, after, p);
		assert_snapshots(before, after, p);
		for (size_t k = 0; k < p->n_bitmaps; k++)
			assert_bitmap(before, after, p, &p->bitmap[k]);
		for (size_t k = 0; k < before->n_bitmaps; k++)
			if (find_bitmap(p, before->bitmap[k].name) == NULL &&
			    find_bitmap(after, before->bitmap[k].name) != NULL)
				wrong("%s: bitmap %s is gone", p->name, before->bitmap[k].name);
	}
}

void assert_same_contents(const struct contents *before, const struct contents *now)
{
	assert_int_equal(now->n, before->n);
	for (size_t i = 0; i < before->n; i++) {
		const struct picture *old = &before->file[i], *new = contents_find(now, old->name);

		if (new == NULL || new->n_disks != old->n_disks ||
		    new->n_bitmaps != old->n_bitmaps || strcmp(new->backing, old->backing) != 0)
			wrong("%s has lost something", old->name);
		for (size_t k = 0; k < old->n_disks; k++)
			if (old->disk[k].bytes != NULL && !same_disk(&old->disk[k], &new->disk[k]))
				wrong("%s: disk %zu (%s) has changed", old->name, k,
				      old->disk[k].snapshot);
		for (size_t k = 0; k < old->n_bitmaps; k++)
			if (old->bitmap[k].in_use != new->bitmap[k].in_use ||
			    (!old->bitmap[k].in_use &&
			     memcmp(old->bitmap[k].bit, new->bitmap[k].bit, old->bitmap[k].n) != 0))
				wrong("%s: bitmap %s has changed", old->name, old->bitmap[k].name);
	}
}

void assert_same_snapshots(const struct picture *before, const struct picture *now)
{
	for (size_t i = 1; i < before->n_disks; i++)
		if (!same_disk(&before->disk[i], find_disk(now, before->disk[i].snapshot)))
			wrong("%s: snapshot %s has changed", before->name,
			      before->disk[i].snapshot);
}

void assert_same_beginning(const struct picture *before, const struct picture *now)
{
	const struct disk *a = &before->disk[0], *b = &now->disk[0];

	if (a->bytes != NULL &&
	    (b->bytes == NULL ||
	     memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size) != 0))
		wrong("%s: its disk has changed", before->name);
}
