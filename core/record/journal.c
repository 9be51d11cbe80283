/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The journal of a copy while it runs.
 *
 * Order: the target gets the placeholder of its first bytes, with the id of a capture in it
 * (blk/hold.h, blk/mark.h); the journal is written with done = 0; then data is copied. At a
 * checkpoint the target is flushed before the journal is written. So the journal never
 * promises more than the medium has, and where it promises anything, the target carries the mark
 * with its id, or is a disk whose beginning is zeros.
 *
 * A journal that could not be found or trusted again is not kept, with a warning before anything is
 * copied: of a disk that has only a map name ("blk4:"), which changes from boot to boot; of a
 * target disk that is known by the GUID of the very GPT that the copy replaces; where its file
 * cannot be written.
 */
#include "record/journal.h"

#include "base/memory.h"
#include "base/text.h"
#include "codec/sha256.h"
#include "platform/clock.h"

enum { EVERY_SECONDS = 5 };

static const struct observer_ops ops;

/* ---- reading ---- */

static enum status differs(const char *name, const char *what, const char *before, const char *now,
			   struct error *err)
{
	return fail(err, ST_REFUSED,
		    "%s: --resume: the copy was started with %s %s, and this is %s: repeat the "
		    "command as it was, or start again without --resume",
		    name, what, before, now);
}

static enum status check_facts(const struct journal *journal, const char *name,
			       const struct journal_facts *before, struct error *err)
{
	static const char *const direction[] = { "from the disk", "to the disk" };
	const struct journal_facts *now = &journal->text.facts;

	if (before->to_disk != now->to_disk)
		return differs(name, "a copy", direction[before->to_disk], direction[now->to_disk],
			       err);
	if (!text_equal(before->disk, now->disk))
		return differs(name, "the disk", before->disk, now->disk, err);
	if (before->size != now->size)
		return fail(err, ST_REFUSED,
			    "%s: --resume: the source had %ju bytes when the copy was started, and "
			    "has %ju now: it is not the same",
			    name, before->size, now->size);
	if (!text_equal(before->options, now->options))
		return differs(name, "the options",
			       before->options[0] != '\0' ? before->options : "of none",
			       now->options[0] != '\0' ? now->options : "none of them", err);
	if (!text_equal(before->unused, now->unused))
		return fail(err, ST_REFUSED,
			    "%s: --resume: what is in use of the source has changed since the copy "
			    "was started: start again without --resume",
			    name);
	return ST_OK;
}

enum status journal_parse(struct journal *journal, const char *name, const char *text, size_t n,
			  struct error *err)
{
	struct journal_text before;
	enum status st = journal_text_parse(name, text, n, &before, err);

	if (st == ST_OK)
		st = check_facts(journal, name, &before.facts, err);
	journal->found = st == ST_OK;
	if (st != ST_OK)
		return st;
	journal->text = before;
	if (before.done <= journal->begin)
		journal->text.done = 0;
	journal->old = journal->text.done;
	return ST_OK;
}

static enum status read_one(struct journal *journal, bool side, struct error *err)
{
	size_t n;
	char *text;
	enum status st = record_read(&journal->file, side, JOURNAL_TEXT_BYTES_MAX, &text, &n, err);

	if (st == ST_OK && n > 0)
		st = journal_parse(journal, side ? journal->file.side_name : journal->name, text, n,
				   err);
	mem_free(text);
	return st;
}

/* Where a power cut has left its file damaged, or not there yet, the side file counts. */
static enum status read_file(struct journal *journal, struct error *err)
{
	struct error of_side;
	enum status st = read_one(journal, false, err);

	if (journal->found || (st != ST_OK && st != ST_CORRUPT))
		return st;
	return read_one(journal, true, &of_side) == ST_OK && journal->found ? ST_OK : st;
}

/* ---- opening ---- */

/* The selector of a disk that will still find it when the copy is resumed. "": it has none. */
static void lasting_selector(const struct inventory *inventory, const struct selection *selection,
			     bool replaced, char ret[static SELECTOR_BYTES])
{
	struct out_buffer out;
	struct selection found;
	struct error ignored;

	out_buffer_init(&out, ret, SELECTOR_BYTES);
	selector_print(inventory, selection, &out.out);
	if (replaced && selection->part == NULL && text_starts_with(ret, "guid=")) {
		out_buffer_init(&out, ret, SELECTOR_BYTES);
		out_printf(&out.out, "path=%s", selection->disk->device->path);
	}
	if (!text_starts_with(ret, "serial=") && !text_starts_with(ret, "guid=") &&
	    !text_starts_with(ret, "path="))
		ret[0] = '\0';
	if (out.out.failed || selector_find(inventory, ret, &found, &ignored) != ST_OK ||
	    found.disk != selection->disk || found.part != selection->part)
		ret[0] = '\0';
}

static enum status find_disk(struct storage *storage, const char *name, struct journal_facts *facts,
			     struct error *err)
{
	const struct inventory *inventory;
	struct selection selection;
	enum status st = storage_inventory(storage, &inventory, err);

	if (st == ST_OK)
		st = selector_find(inventory, name, &selection, err);
	if (st == ST_OK)
		lasting_selector(inventory, &selection, facts->to_disk, facts->disk);
	return st;
}

/* Enough to tell this copy from any other, not to keep a secret. */
static void make_id(struct journal *journal, const char *image)
{
	uint64_t running_ns = platform_nanoseconds();
	uint8_t hash[SHA256_BYTES];
	uint32_t nanoseconds;
	int64_t seconds;
	struct sha256 sha;

	(void)platform_time(&seconds, &nanoseconds); /* without a clock, the other one runs */
	sha256_begin(&sha);
	sha256_add(&sha, &seconds, sizeof seconds);
	sha256_add(&sha, &nanoseconds, sizeof nanoseconds);
	sha256_add(&sha, &running_ns, sizeof running_ns);
	sha256_add(&sha, image, text_length(image));
	sha256_add(&sha, journal->text.facts.disk, text_length(journal->text.facts.disk));
	sha256_end(&sha, hash);
	memcpy(journal->text.id, hash, sizeof journal->text.id);
}

static void free_all(struct journal *journal)
{
	record_close(&journal->file);
	mem_free(journal->name);
	mem_free(journal);
}

void journal_disable(struct journal *journal, enum status st, const char *why)
{
	journal->st = st;
	error_set(&journal->why, "%s", why);
}

static enum status open_file(struct journal *journal, struct storage *storage, bool resume,
			     struct error *err)
{
	enum status st = record_open(&journal->file, journal->name, journal_text_head, err);

	if (st == ST_OK)
		st = record_use(&journal->file, storage, ROLE_JOURNAL, err);
	if (st != ST_OK)
		return st;
	/*
	 * Only this program writes the side file: a power cut left old bytes in the first sector.
	 */
	if (journal->file.state == RECORD_FOREIGN && journal->file.side_state == RECORD_WHOLE &&
	    journal->file.size <= MARK_BYTES)
		journal->file.state = RECORD_EMPTY;
	if (journal->file.state == RECORD_FOREIGN)
		return fail(err, ST_EXISTS,
			    "%s: this is the name of the copy's journal, and the file is not a "
			    "journal: rename it",
			    journal->name);
	return resume ? read_file(journal, err) : ST_OK;
}

static enum status open_named(struct journal *journal, struct storage *storage, const char *image,
			      bool resume, struct error *err)
{
	bool to_disk = journal->text.facts.to_disk;
	enum status st;

	journal->name = journal_name(&journal->text.facts, image);
	if (journal->name == NULL)
		return fail_no_memory(err);
	st = open_file(journal, storage, resume, err);
	if ((st == ST_READ_ONLY || st == ST_INVALID) && to_disk && !resume) {
		journal_disable(journal, st, err->text);
		return ST_OK;
	}
	if (st == ST_OK && resume && !journal->found)
		warn(journal->warnings,
		     "%s: there is no such journal; the copy starts from the beginning",
		     journal->name);
	return st;
}

enum status journal_open(struct storage *storage, const struct journal_facts *facts,
			 const char *disk, const char *image, bool resume,
			 struct warnings *warnings, struct journal **ret, struct error *err)
{
	struct journal *journal = mem_alloc(sizeof *journal);
	struct error why;
	enum status st;

	*ret = journal;
	if (journal == NULL)
		return fail_no_memory(err);
	journal->observer.ops = &ops;
	journal->text.facts = *facts;
	journal->begin = facts->to_disk ? HOLD_DISK_BYTES : 0;
	journal->warnings = warnings;
	st = find_disk(storage, disk, &journal->text.facts, err);
	if (st == ST_OK && journal->text.facts.disk[0] != '\0') {
		st = open_named(journal, storage, image, resume, err);
	} else if (st == ST_OK) {
		error_set(&why, "%s: this disk has no lasting name (serial=, guid=, path=)", disk);
		if (resume)
			return fail(err, ST_INVALID, "option --resume: %s", why.text);
		journal_disable(journal, ST_INVALID, why.text);
	}
	if (st == ST_OK && !journal->found)
		make_id(journal, image);
	journal->kept = journal->found;
	return st;
}

enum status journal_replaces(const struct journal *journal, struct error *err)
{
	if (journal->file.state != RECORD_WHOLE && journal->file.side_state != RECORD_WHOLE)
		return ST_OK;
	return fail(err, ST_EXISTS,
		    "%s: this is the journal of an unfinished image that no longer exists; remove "
		    "it, or --force replaces it",
		    journal->file.state == RECORD_WHOLE ? journal->name : journal->file.side_name);
}

/* ---- writing ---- */

static void print(const void *user, struct out *out)
{
	journal_text_print(user, out);
}

static void save(struct journal *journal)
{
	if (journal->st == ST_OK)
		journal->st = record_write(&journal->file, print, &journal->text, &journal->why);
	journal->kept |= journal->st == ST_OK;
	journal->written_ns = platform_nanoseconds();
}

/*
 * When the journal cannot be written now, a warning says so before anything is copied, and the copy
 * cannot be resumed. When it cannot be written later, the last checkpoint counts.
 */
static void begin(struct observer *observer)
{
	struct journal *journal = (struct journal *)observer;

	journal->used = journal->st == ST_OK;
	journal->written_ns = platform_nanoseconds();
	if (journal->old > 0)
		return;
	journal->kept = false;
	save(journal);
	if (!journal->kept)
		warn(journal->warnings,
		     "%s; without a journal, the copy cannot be resumed if it is interrupted",
		     journal->why.text);
}

/* Flushes the target, and records in the journal how far it is copied. */
static enum status checkpoint(struct journal *journal, struct image *target)
{
	struct journal_text before = journal->text;
	enum status st;

	/*
	 * Zeros at the end of a flat file are there only when it is so long. The copy has made it
	 * so; where not, --resume sees it.
	 */
	st = blk_flush(&target->blk);
	if (st == ST_OK)
		st = blk_read_padded(target->file[0].blk, 0, journal->text.first,
				     sizeof journal->text.first);
	if (st == ST_OK) {
		journal->text.done = journal->copied;
		save(journal);
	}
	if (st != ST_OK || journal->st != ST_OK)
		journal->text = before;
	return st;
}

static bool is_due(const struct journal *journal)
{
	return journal->st == ST_OK &&
	       platform_nanoseconds() - journal->written_ns >= (uint64_t)EVERY_SECONDS * 1000000000;
}

static enum status written(struct observer *observer, uint64_t end, struct image *target)
{
	struct journal *journal = (struct journal *)observer;

	journal->copied = end;
	return end > journal->old && is_due(journal) ? checkpoint(journal, target) : ST_OK;
}

/* The copy can never be resumed: its journal will be removed, and its target is, too. */
static void drop(struct observer *observer)
{
	struct journal *journal = (struct journal *)observer;

	journal->copied = journal->text.done = 0;
}

/* Only what was read back, and is something else, is wrong; the rest may be right. */
static void doubted(struct observer *journal, enum status st)
{
	if (st == ST_MISMATCH)
		drop(journal);
}

/* The last checkpoint, if it can still be known how far the copy came; otherwise the one before. */
static void failed(struct observer *observer, enum status st, struct image *target)
{
	struct journal *journal = (struct journal *)observer;

	if (st == ST_TOO_LARGE) /* the same command would end there again */
		drop(observer);
	if (st != ST_MISMATCH && journal->copied > journal->text.done)
		(void)checkpoint(journal, target);
}

static const struct observer_ops ops = {
	.begin = begin,
	.written = written,
	.doubted = doubted,
	.failed = failed,
	.exposed = drop,
};

bool journal_resumes(const struct journal *journal)
{
	return journal->kept && journal->text.done > 0;
}

enum status journal_close(struct journal *journal, const char *target, enum status st,
			  struct error *err)
{
	struct error why;

	if (journal == NULL)
		return st;
	if (journal->used && journal->kept && journal->st != ST_OK)
		warn(journal->warnings, "the journal is not up to date: %s", journal->why.text);
	if (journal->used && (st == ST_OK || !journal_resumes(journal)) &&
	    record_remove(&journal->file, &why) != ST_OK)
		warn(journal->warnings, "the journal could not be removed: %s", why.text);
	if (st != ST_OK)
		why = *err;
	if (journal->used && st != ST_OK && st != ST_MISMATCH && journal_resumes(journal))
		error_set(err,
			  "%s\n%s has %ju of %ju bytes; the same command with --resume continues "
			  "from there",
			  why.text, target, journal->text.done, journal->text.facts.size);
	else if (!journal->used && !journal->found && st == ST_EXISTS &&
		 journal->file.state == RECORD_WHOLE)
		error_set(err, "%s; according to %s it is not complete, and --resume continues it",
			  why.text, journal->name);
	free_all(journal);
	return st;
}
