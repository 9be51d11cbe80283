#include "job/journal.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/text.h"

enum { FORMAT_VERSION = 1, TEXT_BYTES_MAX = 1 << 16, EVERY_SECONDS = 5, FIRST_TEXT_BYTES = 2 * HOLD_IMAGE_BYTES + 1 };

static const char ending[] = ".resume", head[] = "{\n    \"journal-version\": ";

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static enum status wrong_field(const char *name, const char *field, struct error *err)
{
	return fail(err, ST_CORRUPT, "%s: the journal is damaged: its field \"%s\" is not what it should be; begin again without --resume", name,
		    field);
}

static enum status differs(const char *name, const char *what, const char *before, const char *now, struct error *err)
{
	return fail(err, ST_REFUSED, "%s: --resume: the copy was begun with %s %s, and this is %s: say it as before, or begin again without "
		    "--resume", name, what, before, now);
}

static enum status check_facts(const struct journal *journal, const char *name, const struct journal_facts *before, struct error *err)
{
	static const char *const direction[] = { "from the disk", "to the disk" };
	const struct journal_facts *now = &journal->facts;

	if (before->to_disk != now->to_disk)
		return differs(name, "a copy", direction[before->to_disk], direction[now->to_disk], err);
	if (!text_equal(before->disk, now->disk))
		return differs(name, "the disk", before->disk, now->disk, err);
	if (before->size != now->size)
		return fail(err, ST_REFUSED, "%s: --resume: the copy was begun with %ju bytes, and the source has %ju now: it is not the same", name,
			    before->size, now->size);
	if (!text_equal(before->options, now->options))
		return differs(name, "the options", before->options[0] != '\0' ? before->options : "of none",
			       now->options[0] != '\0' ? now->options : "none of them", err);
	return ST_OK;
}

enum status journal_parse(struct journal *journal, const char *name, const char *text, size_t n, struct error *err)
{
	struct journal_facts before = { 0 };
	char first[FIRST_TEXT_BYTES], direction[16];
	struct json object, value;
	uint64_t version, done;
	enum status st;

	if (!json_read(text, n, &object))
		return fail(err, ST_CORRUPT, "%s: the journal is damaged: it is not JSON; begin again without --resume", name);
	if (!json_member(object, "journal-version", &value) || !json_number(value, &version))
		return wrong_field(name, "journal-version", err);
	if (version != FORMAT_VERSION)
		return fail(err, ST_UNSUPPORTED, "%s: journals of version %ju are not known, only %d is", name, version, FORMAT_VERSION);
	if (!json_member(object, "direction", &value) || !json_text(value, direction, sizeof direction) ||
	    (!text_equal(direction, "to-disk") && !text_equal(direction, "from-disk")))
		return wrong_field(name, "direction", err);
	before.to_disk = text_equal(direction, "to-disk");
	if (!json_member(object, "disk", &value) || !json_text(value, before.disk, sizeof before.disk))
		return wrong_field(name, "disk", err);
	if (!json_member(object, "virtual-size", &value) || !json_number(value, &before.size))
		return wrong_field(name, "virtual-size", err);
	if (!json_member(object, "options", &value) || !json_text(value, before.options, sizeof before.options))
		return wrong_field(name, "options", err);
	if (!json_member(object, "done", &value) || !json_number(value, &done) || done > before.size)
		return wrong_field(name, "done", err);
	if (!json_member(object, "first", &value) || !json_text(value, first, sizeof first) || !hex_parse(first, journal->first, HOLD_IMAGE_BYTES))
		return wrong_field(name, "first", err);
	st = check_facts(journal, name, &before, err);
	journal->found = st == ST_OK;
	if (st == ST_OK)
		journal->old = journal->done = done > journal->begin ? done : 0;
	return st;
}

/* *ret_ours: there is a journal. Without `resume`, what it says does not matter. */
static enum status read_one(struct journal *journal, bool beside, bool resume, bool *ret_ours, size_t *ret_n, struct error *err)
{
	char *text;
	enum status st = record_read(&journal->file, beside, TEXT_BYTES_MAX, &text, ret_n, err);

	*ret_ours = st == ST_OK && *ret_n >= sizeof head - 1 && memcmp(text, head, sizeof head - 1) == 0;
	if (*ret_ours && resume)
		st = journal_parse(journal, beside ? journal->file.side_name : journal->name, text, *ret_n, err);
	mem_free(text);
	return st;
}

/* Where a power cut has left its file damaged, or not there yet, the one beside it counts. */
static enum status read_file(struct journal *journal, bool resume, struct error *err)
{
	struct error of_side;
	bool ours, side_is_ours;
	size_t n, n_side;
	enum status st = read_one(journal, false, resume, &ours, &n, err);

	if (st == ST_OK ? ours : st != ST_CORRUPT)
		return st;
	if (read_one(journal, true, resume, &side_is_ours, &n_side, &of_side) == ST_OK && side_is_ours)
		return ST_OK;
	if (st == ST_OK && n > 0)
		return fail(err, ST_EXISTS, "%s: how far the copy has come is written into this file, and it is something else: rename it",
			    journal->name);
	return st;
}

static enum status find_disk(struct storage *storage, const char *name, char ret[static SELECTOR_BYTES], struct error *err)
{
	const struct inventory *inventory;
	struct selection selection;
	struct out_buffer out;
	enum status st = storage_inventory(storage, &inventory, err);

	if (st != ST_OK)
		return st;
	st = selector_find(inventory, name, &selection, err);
	out_buffer_init(&out, ret, SELECTOR_BYTES);
	if (st == ST_OK)
		selector_print(inventory, &selection, &out.out);
	return st;
}

static void free_all(struct journal *journal)
{
	record_close(&journal->file);
	mem_free(journal->name);
	mem_free(journal);
}

enum status journal_open(struct storage *storage, const struct journal_facts *facts, const char *disk, const char *image,
			 bool resume, struct out *notes, struct journal **ret, struct error *err)
{
	struct journal *journal = mem_alloc(sizeof *journal);
	size_t n = text_length(image);
	enum status st;

	*ret = journal;
	if (journal == NULL)
		return fail_no_memory(err);
	journal->facts = *facts;
	journal->begin = facts->to_disk ? HOLD_DISK_BYTES : 0;
	journal->name = mem_alloc(n + sizeof ending);
	if (journal->name == NULL)
		return fail_no_memory(err);
	memcpy(journal->name, image, n);
	memcpy(journal->name + n, ending, sizeof ending);
	st = find_disk(storage, disk, journal->facts.disk, err);
	if (st == ST_OK)
		st = record_open(&journal->file, journal->name, NULL, err);
	if (st == ST_READ_ONLY && facts->to_disk && !resume) {
		out_printf(notes, "efi-img: %s; without a journal, a copy that is interrupted cannot be gone on with\n", err->text);
		free_all(journal);
		*ret = NULL;
		return ST_OK;
	}
	if (st == ST_OK)
		st = read_file(journal, resume, err);
	if (st == ST_OK && resume && !journal->found)
		out_printf(notes, "efi-img: %s: there is no such journal, so the copy begins\n", journal->name);
	return st;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static void print(const void *user, struct out *out)
{
	const struct journal *journal = user;
	char first[FIRST_TEXT_BYTES];
	struct tree tree;

	hex_text(journal->first, HOLD_IMAGE_BYTES, first);
	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	tree_number(&tree, "journal-version", FORMAT_VERSION);
	tree_text(&tree, "direction", journal->facts.to_disk ? "to-disk" : "from-disk");
	tree_text(&tree, "disk", journal->facts.disk);
	tree_number(&tree, "virtual-size", journal->facts.size);
	tree_text(&tree, "options", journal->facts.options);
	tree_number(&tree, "done", journal->done);
	tree_text(&tree, "first", first);
	tree_end(&tree);
}

static void save(struct journal *journal)
{
	if (journal->st == ST_OK)
		journal->st = record_write(&journal->file, print, journal, &journal->why);
	journal->written_ns = platform_nanoseconds();
}

void journal_begin(struct journal *journal)
{
	journal->used = true;
	journal->written_ns = platform_nanoseconds();
	if (journal->old == 0)
		save(journal);
}

enum status journal_checkpoint(struct journal *journal, struct image *target)
{
	uint8_t first[HOLD_IMAGE_BYTES];
	enum status st;

	/* Zeros at the end of a flat file are there only when it is so long. The copy has made it so; where not, --resume sees it. */
	st = blk_flush(&target->blk);
	if (st == ST_OK)
		st = blk_read_padded(target->file, 0, first, sizeof first);
	if (st != ST_OK)
		return st;
	memcpy(journal->first, first, sizeof first);
	journal->done = journal->copied;
	save(journal);
	return ST_OK;
}

bool journal_is_due(const struct journal *journal)
{
	return journal->st == ST_OK && platform_nanoseconds() - journal->written_ns >= (uint64_t)EVERY_SECONDS * 1000000000;
}

enum status journal_close(struct journal *journal, const char *target, enum status st, struct out *notes, struct error *err)
{
	struct error why;

	if (journal == NULL)
		return st;
	if (journal->used && journal->st != ST_OK)
		out_printf(notes, "efi-img: the journal is not up to date: %s\n", journal->why.text);
	if (journal->used && (st == ST_OK || journal->done == 0) && record_remove(&journal->file, &why) != ST_OK)
		out_printf(notes, "efi-img: the journal could not be removed: %s\n", why.text);
	if (st != ST_OK)
		why = *err;
	if (journal->used && st != ST_OK && st != ST_MISMATCH && journal->done > 0)
		error_set(err, "%s\n%s has %ju of %ju bytes; the same command with --resume goes on from there", why.text, target, journal->done,
			  journal->facts.size);
	else if (!journal->used && st == ST_EXISTS && journal->file.exists)
		error_set(err, "%s; as %s says it is not complete, and --resume goes on with it", why.text, journal->name);
	free_all(journal);
	return st;
}
