/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Decides how a copy is done. decide_mode() is the one place where the kind of target, the request,
 * and what an earlier run has left become a mode:
 *
 *	target            reads as zeros       grows   first written   continued by
 *	new raw file      yes                  yes     last            journal
 *	new image         unless backed        no      last            journal; does not read as
 *	                                                               zeros past the checkpoint
 *	existing image    --target-is-zero     no      in order        rescue map
 *	disk              --target-is-zero     no      last (1 MiB)    journal, rescue map
 *	image on a disk   unless backed        no      last            nothing
 *
 * Everything that can be refused is refused here, before the first write.
 */
#include "copy/plan.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "blk/mark.h"
#include "copy/source.h"
#include "edit/used.h"
#include "engine/source_disk.h"
#include "engine/salvage.h"
#include "platform/files.h"

/* ---- the sources ---- */

/* Whether the bitmaps of the source can be copied; reports which are left out. */
static enum status check_bitmaps(const struct copy_request *r, struct error *err)
{
	const struct image *source = r->source[0].link[0].image;

	if (source->format->bitmaps.run == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "%s: option --bitmaps: images of format %s have no bitmaps",
			    source->name, source->format->name);
	for (size_t i = 0; i < source->n_bitmaps; i++) {
		const struct bitmap *bitmap = &source->bitmaps[i];

		if (!bitmap->in_use)
			continue;
		if (!r->skip_broken_bitmaps)
			return fail(err, ST_CORRUPT,
				    "%s: the bitmap \"%s\" is marked as in use: it was not stored "
				    "when the image was closed, and cannot be copied; "
				    "--skip-broken-bitmaps leaves it out",
				    source->name, bitmap->name);
		warn(r->warnings, "%s: the bitmap \"%s\" is in use, and left out", source->name,
		     bitmap->name);
	}
	return ST_OK;
}

/*
 * A raw image begins with the first sector of the disk. Where that is the mark, because another
 * program has copied an unfinished image onto the disk, the new image would be complete and yet be
 * taken for an unfinished one.
 */
static enum status refuse_marked_disk(const struct copy_plan *plan, struct error *err)
{
	struct image *source = plan->request->source[0].link[0].image;
	uint8_t sector[MARK_BYTES], id[MARK_ID_BYTES];
	enum status st;

	if (!plan->mode.grows || !range_ok(plan->first_byte, sizeof sector, source->size))
		return ST_OK;
	st = blk_read(&source->blk, plan->first_byte, sector, sizeof sector);
	if (st != ST_OK && !salvage_is_local(st))
		return fail(err, st, "%s: reading its beginning: %s", source->name,
			    status_text(st));
	/* What cannot be read is zeros in the target, or ends the copy. */
	if (st != ST_OK || !mark_parse(sector, MARK_IMAGE, id))
		return ST_OK;
	return fail(err, ST_REFUSED,
		    "%s: this disk begins with the mark of an unfinished image, which another "
		    "program has copied onto it; a raw image of it would be taken for an "
		    "unfinished one: use -O qcow2",
		    source->name);
}

/* ---- what is in use of it ---- */

/* Reads the block map of a raw image, if there is one, and has the image read by it. */
static enum status open_bmap_of_image(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	struct image *image = r->source[0].link[0].image;
	bool is_raw = image->format->flat && image->file[0].blk->device == NULL;
	char *found = NULL;
	const char *file = r->bmap;
	enum status st = ST_OK;

	if (r->finds_bmap && r->map == NULL && is_raw)
		st = bmap_find(r->source_name[0], &found, err);
	if (file == NULL)
		file = found;
	if (st == ST_OK && file != NULL && (!is_raw || image->size != image->file[0].blk->size))
		st = fail(err, ST_INVALID,
			  "%s: %s is no raw image of whole sectors, and has no block map", file,
			  image->name);
	if (st == ST_OK && file != NULL)
		st = storage_use(r->storage, ROLE_BMAP, ACCESS_READ, file, err);
	if (st == ST_OK && file != NULL) {
		st = bmap_read(&plan->bmap, file, image->name, image->size, err);
		plan->has_bmap = st == ST_OK;
	}
	mem_free(found);
	if (!plan->has_bmap)
		return st;
	return used_blocks_of_ranges(&plan->used, image, bmap_unmapped, &plan->bmap,
				     plan->bmap.unused && r->used_only, err);
}

enum { NOTES_OF_DISK = 2 };

/* A note of the disk that a source is, or is on: of its drive, or of a twin; "": none. */
static const char *note_of_source(const struct copy_request *r, size_t i, size_t which)
{
	const struct inventory *inventory;
	struct selection found;
	struct error ignored; /* it is open, and was found by then */

	if (!storage_is_device(r->source_name[i]) ||
	    storage_inventory(r->storage, &inventory, &ignored) != ST_OK ||
	    selector_find(inventory, r->source_name[i], &found, &ignored) != ST_OK)
		return "";
	return which == 0 ? found.disk->drive_note : found.disk->twin_note;
}

static void warn_of_disks(const struct copy_request *r)
{
	for (size_t i = 0; i < r->n_sources * NOTES_OF_DISK; i++) {
		const char *name = r->source_name[i / NOTES_OF_DISK];
		const char *note = note_of_source(r, i / NOTES_OF_DISK, i % NOTES_OF_DISK);

		if (note[0] != '\0')
			warn(r->warnings, "%s: %s", name, note);
	}
}

static enum status look_for_used(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	struct image *image = r->source[0].link[0].image;
	enum status st;

	if (copy_kind(r) == COPY_TO_DISK && (r->bmap != NULL || r->finds_bmap)) {
		st = open_bmap_of_image(plan, err);
		if (st != ST_OK || plan->has_bmap)
			return st;
	}
	if (!r->used_only)
		return ST_OK;
	if (!image->format->flat || image->file[0].blk->device == NULL)
		return copy_kind(r) == COPY_TO_DISK ? used_blocks_of_image(&plan->used, image, err)
						    : ST_OK;
	return used_of_device(&plan->used, r->storage, r->source_name[0], image, err);
}

static enum status open_used(struct copy_plan *plan, struct error *err)
{
	enum status st = look_for_used(plan, err);

	if (st == ST_OK && !plan->request->dry_run) {
		warn_of_disks(plan->request);
		used_warn(&plan->used, plan->request->source_name[0], plan->request->warnings);
	}
	return st;
}

/* ---- the records ---- */

/* What the target has already, if the map says that it continues an earlier copy. */
static enum status check_map(const struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	const char *name = plan->map.file.name;

	if (!rescue_map_has_finished(&plan->map, plan->map.size))
		return ST_OK;
	if (!r->no_create || copy_kind(r) == COPY_TO_DISK_IMAGE)
		return fail(err, ST_INVALID,
			    "option --map: according to %s, a part of the disk is copied already: "
			    "name the target that has it, with -n, or another map to copy "
			    "everything",
			    name);
	if (r->compress || r->target_is_zero || r->bitmaps || r->manifest != NULL)
		return fail(err, ST_INVALID,
			    "options -c, --target-is-zero, --bitmaps and --manifest: according to "
			    "%s, a part of the disk is copied already, without them",
			    name);
	return ST_OK;
}

static enum status open_map(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	enum status st;

	if (r->map == NULL)
		return ST_OK;
	plan->has_map = true;
	st = rescue_map_open(&plan->map, r->storage, r->map, plan->n_bytes, err);
	return st == ST_OK ? check_map(plan, err) : st;
}

/*
 * What is left out decides what is written. Where it has changed since an interrupted run, the
 * source is another one, and that run cannot be continued. The options are those of `convert`.
 */
static void print_deciding(const struct copy_plan *plan, struct journal_facts *facts,
			   bool *ret_fits)
{
	const char *deciding = plan->request->deciding;
	struct out_buffer text, digest;

	out_buffer_init(&text, facts->options, sizeof facts->options);
	out_text(&text.out, deciding != NULL ? deciding : "");
	if (used_blocks_any(&plan->used) && plan->request->used_only)
		out_text(&text.out, facts->options[0] != '\0' ? " --used" : "--used");
	if (plan->has_bmap) /* only that of an image is open so far */
		out_printf(&text.out, "%s--bmap %s", facts->options[0] != '\0' ? " " : "",
			   plan->bmap.file);
	if (used_blocks_any(&plan->used)) {
		out_buffer_init(&digest, facts->unused, sizeof facts->unused);
		used_blocks_print_digest(&plan->used, &digest.out);
	}
	*ret_fits = deciding != NULL && !text.out.failed;
}

static enum status open_journal(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	bool to_disk = copy_kind(r) == COPY_TO_DISK;
	struct journal_facts facts = { .to_disk = to_disk, .size = plan->n_bytes };
	bool fits;
	enum status st;

	if (!copy_can_resume(r))
		return ST_OK;
	print_deciding(plan, &facts, &fits);
	if (!fits && r->resume)
		return fail(err, ST_INVALID,
			    "option --resume: the options that decide what is written are too long "
			    "for a journal");
	st = journal_open(r->storage, &facts, to_disk ? r->target : r->source_name[0],
			  to_disk ? r->source_name[0] : r->target, r->resume, r->warnings,
			  &plan->journal, err);
	if (st == ST_OK && !fits)
		journal_disable(plan->journal, ST_TOO_LARGE,
				"the options that decide what is written are too long for a "
				"journal");
	return st;
}

/*
 * Looks for a record that has the name of the new image, and so is that of an older one. *ret is
 * its name, which the caller frees; NULL: there is none.
 */
static enum status find_old_record(const struct copy_request *r, const char *ending, char **ret,
				   struct error *err)
{
	char *name = out_new("%s%s", r->target, ending);
	struct place place = { 0 };
	enum status st;

	*ret = NULL;
	if (name == NULL)
		return fail_no_memory(err);
	st = platform_look(name, &place, err);
	if (st == ST_OK && place.exists)
		*ret = name;
	else
		mem_free(name);
	return st;
}

/* The menu shows what a manifest says of an image, and nobody looks at its date. */
static enum status warn_of_old_manifest(const struct copy_request *r, struct error *err)
{
	char *name;
	enum status st = find_old_record(r, MANIFEST_ENDING, &name, err);

	if (name != NULL)
		warn(r->warnings,
		     "%s is about an older image of that name: remove it, or replace it with "
		     "--manifest and --force",
		     name);
	mem_free(name);
	return st;
}

static enum status open_manifest(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	enum status st;

	if (r->manifest == NULL && copy_kind(r) == COPY_TO_NEW_FILE)
		return warn_of_old_manifest(r, err);
	if (r->manifest == NULL)
		return ST_OK;
	st = manifest_plan(r->storage, r->manifest, r->force, err);
	if (st == ST_OK)
		st = manifest_open(&plan->manifest, plan->n_bytes, err);
	plan->has_manifest = st == ST_OK;
	return st;
}

/* By the map of an older image restore would leave out what was unused then. */
static enum status refuse_old_bmap(const struct copy_request *r, struct error *err)
{
	char *name;
	enum status st = find_old_record(r, BMAP_ENDING, &name, err);

	if (name != NULL)
		st = fail(err, ST_EXISTS,
			  "%s exists, and would be taken for the block map of the new image: "
			  "remove it, or replace it with --bmap and --force",
			  name);
	mem_free(name);
	return st;
}

/* The map of a new image; that of an image that is copied onto a disk is open already. */
static enum status open_new_bmap(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	enum status st;

	if (copy_kind(r) != COPY_TO_NEW_FILE || !r->format->flat)
		return ST_OK;
	if (r->bmap == NULL)
		return refuse_old_bmap(r, err);
	st = bmap_plan(r->storage, r->bmap, r->force, err);
	if (st == ST_OK)
		st = bmap_open(&plan->bmap, round_up(plan->n_bytes, 512),
			       used_blocks_any(&plan->used) ? &plan->used.map : NULL, err);
	plan->has_bmap = st == ST_OK;
	return st;
}

enum status copy_plan_open(struct copy_plan *plan, const struct copy_request *r, struct error *err)
{
	enum status st;

	*plan = (struct copy_plan){ .request = r, .first_byte = r->first_byte };
	plan->create.options = r->options; /* freed with the plan */
	st = copy_request_check(r, err);
	if (st == ST_OK)
		st = source_disk_size(r->source, r->n_sources, &plan->n_bytes, err);
	if (r->part)
		plan->n_bytes = r->n_bytes;
	if (st == ST_OK && !r->dry_run)
		st = source_settle(r->source, r->n_sources, r->losses != NULL ? r->warnings : NULL,
				   err);
	if (st == ST_OK && r->bitmaps)
		st = check_bitmaps(r, err);
	if (st == ST_OK)
		st = open_used(plan, err);
	if (st == ST_OK)
		st = open_map(plan, err);
	if (st == ST_OK)
		st = open_journal(plan, err);
	if (st == ST_OK)
		st = open_manifest(plan, err);
	return st == ST_OK ? open_new_bmap(plan, err) : st;
}

static enum status end_manifest(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	const struct manifest_facts facts = {
		.storage = r->storage,
		.image = r->target,
		.format = r->format->name,
		.source = r->source_name,
		.n_sources = r->n_sources,
		.losses = r->losses,
		.used = used_blocks_any(&plan->used) ? &plan->used.map : NULL,
		.unused_bytes = plan->used.unused_bytes,
	};

	return plan->has_manifest && !r->dry_run
		       ? manifest_write(&plan->manifest, &facts, r->manifest, r->force, err)
		       : ST_OK;
}

enum status copy_plan_close(struct copy_plan *plan, enum status st, struct error *err)
{
	const char *target = plan->request->target;

	st = journal_close(plan->journal, target, st, err);
	if (st == ST_OK)
		st = end_manifest(plan, err);
	manifest_close(&plan->manifest);
	if (st == ST_OK && plan->has_bmap && plan->mode.kind == COPY_TO_NEW_FILE &&
	    !plan->request->dry_run)
		st = bmap_write(&plan->bmap, plan->request->bmap, plan->request->force, err);
	if (plan->has_map) {
		st = rescue_map_end(&plan->map, target, st, err);
		rescue_map_close(&plan->map);
	}
	create_job_free(&plan->create);
	used_blocks_close(&plan->used);
	bmap_close(&plan->bmap); /* what was not used is asked of it */
	return st;
}

/* ---- the decision ---- */

/* The table at the head of this file. */
static void decide_mode(struct copy_plan *plan)
{
	const struct copy_request *r = plan->request;
	struct copy_mode *mode = &plan->mode;

	mode->kind = copy_kind(r);
	mode->makes_image = copy_makes_image(r);
	mode->grows = mode->kind == COPY_TO_NEW_FILE && r->format->flat;
	mode->keep_depth = copy_has_backing(r) ? 1 : 0;
	mode->keeps_unused = mode->kind == COPY_TO_DISK && used_blocks_any(&plan->used) &&
			     plan->used.keeps;
	mode->verify = copy_has_disk(r) && !r->no_verify;
	mode->resumed = plan->journal != NULL && plan->journal->old > 0;
	mode->reads_zero = mode->makes_image ? mode->keep_depth == 0 : r->target_is_zero;
	if (mode->resumed && !mode->grows)
		mode->reads_zero = false; /* past the checkpoint there may be anything */
	/*
	 * a first MiB that is finished in the map stays: the disk cannot look more complete than it
	 * does
	 */
	mode->holds_head = mode->kind == COPY_TO_DISK_IMAGE ||
			   (mode->kind == COPY_TO_DISK &&
			    !(plan->has_map &&
			      rescue_map_has_finished(&plan->map, HOLD_DISK_BYTES)));
}

static void request_image(struct copy_plan *plan)
{
	const struct copy_request *r = plan->request;
	struct create_job *create = &plan->create;

	create->storage = r->storage;
	create->format = r->format;
	create->file_name = r->target;
	create->fill = true;
	create->replace = r->force && copy_kind(r) == COPY_TO_NEW_FILE;
	create->bitmaps = r->bitmaps;
	create->compressed = r->compress;
	create->dense = r->sparse_bytes == 0 && !r->compress;
	create->may_split = r->may_split;
	create->split_bytes = r->split_bytes;
	create->used = r->used_only ? &plan->used : NULL;
}

/* The new image gets a disk of the size of what is copied. */
static enum status set_size(struct copy_plan *plan, struct error *err)
{
	struct out_buffer digits;
	char text[24];

	out_buffer_init(&digits, text, sizeof text);
	out_printf(&digits.out, "%ju", plan->n_bytes);
	return create_values_set(&plan->create.options, "size", text, err);
}

/*
 * A file is resumed, or replaced because nothing of it counts yet, only when it is the one that the
 * journal is about. One that does not exist is made, if nothing of it counts.
 */
static enum status check_resumed_file(struct copy_plan *plan, struct error *err)
{
	const struct journal *journal = plan->journal;
	enum status st;

	if (journal == NULL)
		return ST_OK;
	plan->create.id = journal->text.id;
	if (!journal->found)
		return ST_OK;
	st = create_check_unfinished(plan->request->target, journal->text.id, err);
	plan->create.replace = st == ST_OK;
	plan->create.continued = st == ST_OK && journal->old > 0;
	return st == ST_NOT_FOUND && journal->old == 0 ? ST_OK : st;
}

static enum status decide_new_file(struct copy_plan *plan, struct error *err)
{
	enum status st = check_resumed_file(plan, err);

	if (st == ST_OK)
		st = create_prepare(&plan->create, err);
	if (st == ST_OK && plan->journal != NULL && !plan->create.replace)
		st = journal_replaces(plan->journal, err);
	return st;
}

static void request_disk(struct copy_plan *plan)
{
	const struct copy_request *r = plan->request;

	plan->disk_request = (struct target_request){ .storage = r->storage,
						      .name = r->target,
						      .erase = r->erase,
						      .source = r->source,
						      .n_sources = r->n_sources,
						      .first_byte = plan->first_byte,
						      .n_bytes = plan->n_bytes,
						      .format = r->format,
						      .used = r->used_only ? &plan->used : NULL,
						      .gpt = r->gpt,
						      .no_table = r->no_table,
						      .truncated = r->truncated };
	plan->disk = (struct target_plan){ .request = &plan->disk_request };
}

static enum status decide_disk(struct copy_plan *plan, struct error *err)
{
	enum status st = target_plan_decide(&plan->disk, err);

	if (st != ST_OK || !copy_makes_image(plan->request))
		return st;
	plan->create.device_bytes = plan->disk.size_bytes;
	return create_prepare(&plan->create, err); /* needs the size of the disk */
}

enum status copy_plan_decide(struct copy_plan *plan, struct error *err)
{
	const struct copy_request *r = plan->request;
	enum status st = ST_OK;

	if (storage_is_device(r->target))
		request_disk(plan); /* the plan is printed even if the size cannot be set */
	if (copy_makes_image(r)) {
		request_image(plan);
		st = set_size(plan, err);
	}
	if (st == ST_OK && copy_kind(r) == COPY_TO_NEW_FILE)
		st = decide_new_file(plan, err);
	else if (st == ST_OK && copy_kind(r) != COPY_TO_IMAGE)
		st = decide_disk(plan, err);
	decide_mode(plan);
	plan->copy_bytes = copy_kind(r) == COPY_TO_DISK ? plan->disk.copy_bytes : plan->n_bytes;
	return st == ST_OK ? refuse_marked_disk(plan, err) : st;
}

void copy_plan_print(const struct copy_plan *plan, enum status st, const struct error *err,
		     bool json, struct out *out)
{
	const struct copy_request *r = plan->request;

	for (size_t i = 0; !json && i < r->n_sources * NOTES_OF_DISK; i++) {
		const char *name = r->source_name[i / NOTES_OF_DISK];
		const char *note = note_of_source(r, i / NOTES_OF_DISK, i % NOTES_OF_DISK);

		if (note[0] != '\0')
			out_printf(out, "drive:   %s: %s\n", name, note);
	}
	if (plan->mode.kind == COPY_TO_NEW_FILE)
		(json ? create_print_json : create_print_text)(&plan->create, r->source,
							       r->n_sources, st, err, out);
	else
		(json ? target_plan_print_json : target_plan_print_text)(&plan->disk, st, err, out);
}
