/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes together in a copy. Every rule is a line of one table, so that a person can hold the
 * table against `help convert`; the first one that is broken is reported. What can only be known
 * from the opened sources, or from the machine, is decided in plan.c.
 */
#include "copy/request.h"

enum copy_kind copy_kind(const struct copy_request *r)
{
	if (storage_is_device(r->target))
		return r->format->flat ? COPY_TO_DISK : COPY_TO_DISK_IMAGE;
	return r->no_create ? COPY_TO_IMAGE : COPY_TO_NEW_FILE;
}

bool copy_makes_image(const struct copy_request *r)
{
	return copy_kind(r) == COPY_TO_NEW_FILE ||
	       (copy_kind(r) == COPY_TO_DISK_IMAGE && !r->no_create);
}

bool copy_has_disk(const struct copy_request *r)
{
	for (size_t i = 0; i < r->n_sources; i++)
		if (storage_is_device(r->source_name[i]))
			return true;
	return storage_is_device(r->target);
}

static const struct create_value *given(const struct copy_request *r, const char *name)
{
	const struct create_value *value = copy_makes_image(r) ? create_value(&r->options, name)
							       : NULL;

	return value != NULL && value->text != NULL ? value : NULL;
}

bool copy_has_backing(const struct copy_request *r)
{
	return given(r, "backing_file") != NULL;
}

bool copy_can_resume(const struct copy_request *r)
{
	enum copy_kind kind = copy_kind(r);

	if (!r->keeps_journal || r->n_sources != 1 || r->map != NULL || r->bitmaps ||
	    copy_has_backing(r) ||
	    (copy_makes_image(r) && r->format->create.resumable != NULL &&
	     !r->format->create.resumable(&r->options)))
		return false;
	return storage_is_device(r->source_name[0]) ? kind == COPY_TO_NEW_FILE
						    : kind == COPY_TO_DISK;
}

/* One rule, and what to report where it is broken. */
struct rule {
	bool broken;
	enum status st;
	const char *words[3]; /* one after the other; NULL: no more */
};

static enum status check_rules(const struct rule *rule, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (rule[i].broken)
			return fail(err, rule[i].st, "%s%s%s", rule[i].words[0],
				    rule[i].words[1] != NULL ? rule[i].words[1] : "",
				    rule[i].words[2] != NULL ? rule[i].words[2] : "");
	return ST_OK;
}

/* What the kind of target allows. */
static enum status check_target(const struct copy_request *r, struct error *err)
{
	bool disk = storage_is_device(r->target);
	const struct rule rules[] = {
		{ !disk && (r->erase != NULL || r->has_gpt || r->no_table || r->truncated),
		  ST_INVALID,
		  { "options --erase, --gpt, --no-table and --truncated are for a disk or a "
		    "partition as target" } },
		{ !disk && r->no_create && r->dry_run,
		  ST_INVALID,
		  { "option --dry-run is for a disk, a partition or a new image as target" } },
		{ (disk || r->no_create) && r->has_split,
		  ST_INVALID,
		  { "option --split is for a new image in a file" } },
		{ r->target_is_zero && !disk && !r->no_create,
		  ST_INVALID,
		  { "option --target-is-zero needs -n: a new image is zeros anyway" } },
		{ r->no_create && r->has_options,
		  ST_INVALID,
		  { "options -o and -B are for a new target; with -n there is none: leave out "
		    "-n" } },
		{ disk && r->format->flat && r->has_options,
		  ST_INVALID,
		  { "options -o and -B are for a new image; the disk ", r->target,
		    " is written over as it is" } },
		{ disk && !r->format->flat && r->no_create,
		  ST_UNSUPPORTED,
		  { "option -n: an image that is on the disk ", r->target,
		    " cannot be written to; leave out -n, and a new one is made there" } },
	};

	return check_rules(rules, sizeof rules / sizeof rules[0], err);
}

/* What the format of the target, and its options, allow. */
static enum status check_format(const struct copy_request *r, struct error *err)
{
	const struct create_value *prealloc = given(r, "preallocation");
	const struct rule rules[] = {
		{ r->compress && r->format->change.write_compressed == NULL,
		  ST_UNSUPPORTED,
		  { "option -c: images of format ", r->format->name, " cannot be compressed" } },
		{ r->bitmaps && r->format->bitmaps.run == NULL,
		  ST_UNSUPPORTED,
		  { "option --bitmaps: images of format ", r->format->name, " have no bitmaps" } },
		{ r->compress && given(r, "data_file") != NULL,
		  ST_UNSUPPORTED,
		  { "option -c: the data in a data_file cannot be compressed" } },
		{ r->compress && prealloc != NULL && prealloc->number != PREALLOC_OFF,
		  ST_INVALID,
		  { "option -c: compressed clusters cannot be preallocated (preallocation=",
		    prealloc != NULL ? prealloc->text : NULL, ")" } },
		{ copy_has_backing(r) && r->n_sources > 1,
		  ST_INVALID,
		  { "a backing file (-B, backing_file) needs a single source" } },
	};

	return check_rules(rules, sizeof rules / sizeof rules[0], err);
}

/* What the number of sources, and the records, allow. */
static enum status check_records(const struct copy_request *r, struct error *err)
{
	const struct rule rules[] = {
		{ r->map != NULL && (r->n_sources != 1 || storage_is_device(r->map)),
		  ST_INVALID,
		  { "option --map: it takes a file, and a single source" } },
		{ r->skip_broken_bitmaps && !r->bitmaps,
		  ST_INVALID,
		  { "option --skip-broken-bitmaps needs --bitmaps" } },
		{ r->bitmaps && r->n_sources != 1,
		  ST_INVALID,
		  { "option --bitmaps: bitmaps can only be copied from one source, not from "
		    "several" } },
		{ r->snapshot && r->n_sources != 1,
		  ST_INVALID,
		  { "option -l: a snapshot can only be copied from one source, not from "
		    "several" } },
		{ r->used_only && (r->n_sources != 1 || !copy_has_disk(r)),
		  ST_INVALID,
		  { "option --used: it needs one source, and a disk or partition on either "
		    "side" } },
		{ r->used_only && r->snapshot,
		  ST_INVALID,
		  { "options --used and -l: what is in use is known of the disk as it is, and not "
		    "of its snapshots" } },
		{ r->used_only && r->manifest != NULL && copy_kind(r) == COPY_TO_DISK,
		  ST_INVALID,
		  { "options --used and --manifest: the disk keeps what it has where nothing is in "
		    "use, so its hash is not known" } },
		{ r->manifest != NULL && copy_has_backing(r),
		  ST_INVALID,
		  { "options --manifest and -B: the data in the backing file is not read, so it "
		    "has no hash" } },
		{ r->resume && !copy_can_resume(r),
		  ST_INVALID,
		  { "option --resume: only a copy of a disk into a new image file, or of an image "
		    "onto a disk, can be resumed; not with --map, -B or --bitmaps, and not into an "
		    "image of several files, or one that is written in one pass "
		    "(streamOptimized)" } },
		{ r->resume && r->force,
		  ST_INVALID,
		  { "options --resume and --force: the first continues the target, the second "
		    "replaces it; give one of them" } },
		{ r->resume && r->deciding == NULL,
		  ST_INVALID,
		  { "option --resume: the options that decide what is written are too long for a "
		    "journal" } },
	};

	return check_rules(rules, sizeof rules / sizeof rules[0], err);
}

/* What the block map of a raw image allows. */
static enum status check_bmap(const struct copy_request *r, struct error *err)
{
	const struct rule rules[] = {
		{ copy_kind(r) != COPY_TO_DISK &&
			  (copy_kind(r) != COPY_TO_NEW_FILE || !r->format->flat),
		  ST_INVALID,
		  { "option --bmap: only raw images have a block map: one that is made, or one "
		    "that is copied onto a disk" } },
		{ copy_kind(r) == COPY_TO_DISK &&
			  (r->n_sources != 1 || storage_is_device(r->source_name[0])),
		  ST_INVALID,
		  { "option --bmap: onto a disk, it takes the block map of one raw image" } },
		{ r->map != NULL,
		  ST_INVALID,
		  { "options --bmap and --map: a part of a disk has no block map" } },
	};

	return r->bmap != NULL ? check_rules(rules, sizeof rules / sizeof rules[0], err) : ST_OK;
}

enum status copy_request_check(const struct copy_request *r, struct error *err)
{
	enum status st = check_target(r, err);

	if (st == ST_OK)
		st = check_format(r, err);
	if (st == ST_OK)
		st = check_records(r, err);
	return st == ST_OK ? check_bmap(r, err) : st;
}
