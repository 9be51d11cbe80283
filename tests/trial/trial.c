/* SPDX-License-Identifier: BSD-2-Clause */
#include "trial.h"

#include "blk/mark.h"
#include "contents.h"
#include "format/chain.h"
#include "guest.h"
#include "judge.h"
#include "powercut.h"
#include "verdict.h"

enum {
	STALE_BYTE = 0xaa,        /* what tests/sim/powercut.c leaves where nothing was written */
	SPARSE_BYTES = 256 << 10, /* of a disk: cut some of the writes that are alike */
};

static const struct sim_volume_kind roomy = { .free_bytes = 32 << 20 };

/* An operation with what it begins with, and what it makes of it. */
struct trial {
	const struct operation *op;
	struct figures *figures;
	struct sim_files files, final;
	struct contents before, after;
	uint32_t seed;
	unsigned endangered;
	bool writes; /* to files that were there before */
	char *words; /* that it prints as errors, although nothing has failed */
	size_t n_seen, seen_capacity;
	uint64_t *seen; /* hashes of states that were looked at: many cuts leave the same */
};

static int operate(const struct trial *t)
{
	return t->op->guest > 0 ? guest_run(t->op->guest, t->seed) : run(t->op->words);
}

/* ---- one state ---- */

static bool seen(struct trial *t, uint64_t more)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ more;
	const char *name;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++) {
		uint64_t size, word;
		const uint8_t *bytes = sim_file(name, &size);

		hash = (hash ^ size ^ (uint64_t)name[0] << 56) * UINT64_C(1099511628211);
		for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
			memcpy(&word, bytes, sizeof word);
			hash = (hash ^ word) * UINT64_C(1099511628211);
			hash ^= hash >> 29;
		}
		for (; size > 0; size--)
			hash = (hash ^ *bytes++) * UINT64_C(1099511628211);
	}
	for (size_t i = 0; i < t->n_seen; i++)
		if (t->seen[i] == hash)
			return true;
	if (t->n_seen == t->seen_capacity) {
		t->seen_capacity = 2 * t->seen_capacity + 64;
		t->seen = realloc(t->seen, t->seen_capacity * sizeof *t->seen);
	}
	t->seen[t->n_seen++] = hash;
	return false;
}

/*
 * How many clusters have a refcount lower than their users: what is written next could destroy
 * these.
 */
static unsigned endangered(void)
{
	unsigned n = 0;

	(void)RUN("check", "a");
	for (const char *at = err.text; (at = strstr(at, "corrupt: cluster ")) != NULL; at++)
		n++;
	return n;
}

static bool was_there(const struct trial *t, const char *name)
{
	for (size_t i = 0; i < t->files.n; i++)
		if (strcmp(t->files.file[i].name, name) == 0)
			return true;
	return false;
}

/*
 * A new file that is not as it should be is empty, or has the mark, and is refused for it. Before
 * the first flush it may have what the volume had in its first sector. A part of an image has no
 * mark: the image that names it has.
 */
static void assert_marked(const char *name, const uint8_t *bytes, uint64_t size)
{
	uint8_t id[MARK_ID_BYTES];
	struct storage storage;
	struct image *image;
	struct error why;

	if (bytes == NULL || size == 0 || is_part(name) || is_record(name))
		return;
	if (size < MARK_BYTES || !mark_parse(bytes, MARK_IMAGE, id)) {
		if (size > MARK_BYTES || bytes[0] != STALE_BYTE)
			wrong("%s: it has no mark, and is not whole", name);
	} else if (storage_begin(&storage, NULL, &why) != ST_OK ||
		   image_open(&storage, name, NULL, &image, &why) != ST_REFUSED ||
		   strstr(why.text, "this disk image is unfinished") == NULL) {
		wrong("%s: it has the mark, and is not refused", name);
	} else {
		storage_end(&storage);
	}
}

/* What was not there before is no image, or all of it is as it should be. */
static void assert_no_half_image(const struct trial *t)
{
	bool whole = true, image = false;

	for (size_t i = 0; i < t->final.n; i++) {
		const char *name = t->final.file[i].name;
		uint64_t size;
		const uint8_t *bytes = sim_file(name, &size);

		if (was_there(t, name))
			continue;
		image |= is_image(name) && !is_part(name);
		if (bytes != NULL && size == t->final.file[i].size &&
		    memcmp(bytes, t->final.file[i].bytes, size) == 0)
			continue;
		whole = false;
		assert_marked(name, bytes, size);
	}
	if (image && !whole)
		wrong("half an image looks whole");
}

/* Where it is not sure what refers to what, nothing is given up. */
static void assert_all_kept(const struct trial *t)
{
	uint64_t size;
	const uint8_t *bytes = sim_file("a", &size);

	for (size_t i = 0; i < t->files.n; i++)
		if (strcmp(t->files.file[i].name, "a") == 0 &&
		    verdict_lowered(t->files.file[i].bytes, t->files.file[i].size, bytes, size))
			wrong("a refcount is lower than before");
}

static bool is_as_before(const struct trial *t, const char *name)
{
	uint64_t size;
	const uint8_t *bytes = sim_file(name, &size);

	for (size_t i = 0; i < t->files.n; i++)
		if (strcmp(t->files.file[i].name, name) == 0)
			return t->files.file[i].size == size &&
			       memcmp(t->files.file[i].bytes, bytes, size) == 0;
	return false;
}

/* Whether a file is as it was before the operation, and so are its extents. */
static bool untouched(const struct trial *t, const char *name)
{
	size_t n = strlen(name);
	const char *part;

	for (size_t i = 0; (part = sim_file_name(i)) != NULL; i++)
		if (is_part(part) && strncmp(part, name, n) == 0 &&
		    (part[n] == '-' || part[n] == '.') && !is_as_before(t, part))
			return false;
	return is_as_before(t, name);
}

static struct contents assert_state(const struct trial *t, size_t cut)
{
	const struct expectation expected = {
		.before = &t->before,
		.after = &t->after,
		.mixed = t->op->mixed,
		.mixture = t->op->guest > 0 ? guest_assert : assert_mixed,
		.cut = cut,
	};
	struct contents now;

	assert_no_half_image(t);
	now = contents_read();
	if (t->op->damage == NULL)
		judge_all(VERDICT_LEAKS);
	else if (endangered() > t->endangered)
		wrong("more refcounts are too low than before: %s", err.text);
	if (t->op->repaired != EXIT_OK)
		assert_all_kept(t);
	assert_old_or_new(&expected, &now);
	return now;
}

/* The front image. */
static const char *front(const struct trial *t)
{
	return was_there(t, "c") ? "c" : was_there(t, "b") ? "b" : was_there(t, "a") ? "a" : NULL;
}

/* What was lost is in nobody's way when the image is written to. */
static void assert_works(const struct trial *t, const struct contents *now)
{
	enum { PIECE = 40 << 10 };
	static uint8_t piece[PIECE], back[PIECE];
	const char *name = front(t);
	struct storage storage;
	struct chain chain;
	struct error why;
	struct contents then;
	struct blk *blk;
	size_t n;

	if (name == NULL || t->op->damage != NULL || untouched(t, name))
		return;
	if (storage_begin(&storage, NULL, &why) != ST_OK ||
	    chain_open_writable(&storage, name, format_of(name), 0, &chain, &why) != ST_OK)
		wrong("it cannot be worked with: %s", why.text);
	blk = &chain.link[0].image->blk;
	n = blk->size < PIECE ? (size_t)blk->size : PIECE;
	memset(piece, 'w', n);
	if (blk_write(blk, 0, piece, n) != ST_OK ||
	    blk_write(blk, blk->size - n, piece, n) != ST_OK ||
	    image_flush(chain.link[0].image, &why) != ST_OK || blk_read(blk, 0, back, n) != ST_OK ||
	    memcmp(piece, back, n) != 0)
		wrong("it cannot be written to");
	chain_close(&chain);
	storage_end(&storage);
	judge_all(VERDICT_SOUND);
	then = contents_read();
	assert_same_snapshots(contents_find(now, name), contents_find(&then, name));
	contents_free(&then);
}

static bool is_command(const struct operation *op, const char *name)
{
	return op->words[0] != NULL && strcmp(op->words[0], name) == 0;
}

static bool can_repair(const char *name)
{
	return !is_part(name) && format_of(name)->check.repair != NULL;
}

/* A QED image cannot use a cluster again: its repair leaves the leaks, as qemu-img's does. */
static bool keeps_leaks(const char *name)
{
	return strcmp(format_of(name)->name, "qed") == 0;
}

static void repair(const struct trial *t, const char *name)
{
	int code = t->op->repaired, got = RUN("check", "-r", "all", name);

	if (got != code && (got != 3 || !keeps_leaks(name)))
		wrong("%s cannot be repaired: %s%s", name, out.text, err.text);
	/*
	 * Refcounts of what is behind the end of the file are nobody's loss; a repair that was cut
	 * leaves none either.
	 */
	if (code == EXIT_OK && !keeps_leaks(name))
		judge(name, t->op->damage != NULL && is_command(t->op, "check")
				    ? VERDICT_NOTHING_LOST
				    : VERDICT_CLEAN);
}

/*
 * A repair makes it clean, and changes nothing that can be read; a second one changes nothing at
 * all.
 */
static void assert_finishes(const struct trial *t, const struct contents *now)
{
	struct sim_files repaired;
	struct contents then;
	const char *name;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++)
		if (can_repair(name) && (t->op->damage != NULL || !untouched(t, name)))
			repair(t, name);
	then = contents_read();
	assert_same_contents(now, &then);
	contents_free(&then);
	repaired = sim_files_keep();
	for (size_t i = 0; i < repaired.n; i++) {
		uint64_t size;
		const uint8_t *bytes;

		name = repaired.file[i].name;
		if (can_repair(name) && (t->op->damage != NULL || !untouched(t, name)))
			repair(t, name);
		bytes = sim_file(name, &size);
		if (size != repaired.file[i].size ||
		    memcmp(bytes, repaired.file[i].bytes, size) != 0)
			wrong("%s: repairing it once more changes it", name);
	}
	sim_files_drop(&repaired);
}

static void assert_all(struct trial *t, size_t cut)
{
	struct contents now;
	struct sim_files files;

	if (seen(t, t->op->guest > 0 ? guest_flushes(cut) : 0))
		return;
	t->figures->distinct++;
	now = assert_state(t, cut);
	files = sim_files_keep();
	assert_works(t, &now);
	sim_files_restore(&roomy, &files);
	sim_files_drop(&files);
	assert_finishes(t, &now);
	contents_free(&now);
}

/* ---- beginning and end ---- */

/*
 * What the operation does when nothing fails is what is expected; the volume is then as after it.
 */
static struct trial begin(const struct operation *op, struct figures *figures)
{
	struct trial t = { .op = op, .figures = figures, .seed = setting("SEED", 0) };
	int code;

	(void)trying("%s", op->name);
	t.files = operation_prepare(op, &roomy);
	t.before = contents_read();
	if (op->damage != NULL)
		t.endangered = endangered();
	sim_files_restore(&roomy, &t.files);
	code = operate(&t);
	if (code != op->code || (op->says != NULL && strstr(out.text, op->says) == NULL))
		wrong("exit code %d: %s%s", code, out.text, err.text);
	t.words = strdup(err.text);
	if (op->code == EXIT_OK)
		judge_all(VERDICT_NOTHING_LOST);
	for (size_t i = 0; i < t.files.n; i++)
		t.writes |= !untouched(&t, t.files.file[i].name);
	t.after = contents_read();
	t.final = sim_files_keep();
	for (size_t i = 0; !op->replaces && op->guest == 0 && i < t.before.n; i++)
		if (!is_mixed(op->mixed, t.before.file[i].name))
			assert_same_beginning(&t.before.file[i],
					      contents_find(&t.after, t.before.file[i].name));
	figures->operations++;
	return t;
}

static void end(struct trial *t)
{
	contents_free(&t->before);
	contents_free(&t->after);
	sim_files_drop(&t->files);
	sim_files_drop(&t->final);
	free(t->seen);
	free(t->words);
}

/* ---- cuts ---- */

static bool wanted(const struct powercut *cut, void *arg)
{
	const struct trial *t = arg;

	return trying("%s/%s", t->op->name, cut->name);
}

static void check_cut(const struct powercut *cut, void *arg)
{
	struct trial *t = arg;

	t->figures->states++;
	assert_all(t, cut->cut);
}

void trial_cut(const struct operation *op, struct figures *figures)
{
	const struct powercut_plan plan = {
		.seed = setting("SEED", 0),
		.n_seeds = setting("SEEDS", 2),
		.only_mixtures = op->large ||
				 setting("SEED", 0) > 0, /* the others are the same for each seed */
		.sample = op->large ? 7 : 1,
		.sparse = op->disk_bytes > SPARSE_BYTES,
	};
	struct trial t = begin(op, figures);

	figures->changes += (unsigned)powercut_each(&roomy, &t.files, &plan, wanted, check_cut, &t);
	end(&t);
}

/* ---- failures ---- */

enum { FAILURES_MAX = 20000 }; /* where ONLY leaves out most */

enum victim { ALLOCATION, CALL_IO, CALL_NO_SPACE, CANCEL, N_VICTIMS };

static const char *const victims[] = { "allocation", "io", "space", "cancel" };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL_IO || victim == CALL_NO_SPACE ? n : 0,
			victim == CALL_IO ? ST_IO : ST_NO_SPACE);
	sim_cancel(victim == CANCEL ? n : 0);
}

static bool has_failed(enum victim victim)
{
	return victim == ALLOCATION ? sim_allocation_failed()
	       : victim == CANCEL   ? sim_was_cancelled()
				    : sim_volume_failed();
}

/* A status that says what happened, and no result beside it. */
static void assert_failure(const struct operation *op, int code)
{
	bool misused = strstr(err.text, "Try 'efi-img help ") != NULL,
	     compares = is_command(op, "compare") && !misused;

	if (strstr(err.text, "efi-img: ") == NULL ||
	    (op->says != NULL && strstr(out.text, op->says) != NULL))
		wrong("exit code %d; it said: %s%s", code, out.text, err.text);
	if (compares ? code < 2 || code > 4 : code != EXIT_ERROR)
		wrong("exit code %d: %s", code, err.text);
}

/* It did without what failed. */
static void assert_done(const struct trial *t)
{
	struct contents now = contents_read();

	assert_same_contents(&t->after, &now);
	contents_free(&now);
}

static void assert_nothing_left(const struct trial *t)
{
	const char *name;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++)
		if (!was_there(t, name) && !is_record(name))
			wrong("%s is left", name);
}

/* The failure after which open images are flushed. */
static enum victim flushed_after = N_VICTIMS;

bool trial_wants_flush(void)
{
	return flushed_after != N_VICTIMS && has_failed(flushed_after);
}

/* The same failure once more; what was changed in memory then reaches the medium. */
static void fail_and_flush(struct trial *t, enum victim victim, unsigned n)
{
	if (!trying("%s/%s%u/flushed", t->op->name, victims[victim], n))
		return;
	sim_files_restore(&roomy, &t->files);
	arm(victim, n);
	flushed_after = victim;
	(void)operate(t);
	flushed_after = N_VICTIMS;
	arm(N_VICTIMS, 0);
	t->figures->flushed++;
	assert_nothing_left(t);
	assert_all(t, SIZE_MAX);
}

static void fail_nth(struct trial *t, enum victim victim, unsigned n, bool *ret_failed)
{
	int code;

	sim_files_restore(&roomy, &t->files);
	arm(victim, n);
	code = operate(t);
	*ret_failed = has_failed(victim);
	arm(N_VICTIMS, 0);
	if (!*ret_failed)
		return;
	t->figures->failures++;
	if (sim_allocations() != 0)
		wrong("%zu allocations left", sim_allocations());
	if (code == t->op->code &&
	    (strstr(err.text, "efi-img: ") == NULL || strcmp(err.text, t->words) == 0)) {
		assert_done(t);
		return;
	}
	assert_failure(t->op, code);
	assert_nothing_left(t);
	if (victim == CANCEL && is_command(t->op, "snapshot") && t->op->damage == NULL)
		judge_all(VERDICT_CLEAN); /* what the person stops leaves nothing behind */
	assert_all(t, SIZE_MAX);
	if (t->writes)
		fail_and_flush(t, victim, n);
}

/* Of an operation with a large disk, the later calls are much alike: each third of them fails. */
static unsigned step_after(const struct operation *op, unsigned n)
{
	enum { FIRST = 16 };

	return n < FIRST || op->disk_bytes <= SPARSE_BYTES ? 1 : setting("SAMPLE", 3);
}

void trial_fail(const struct operation *op, struct figures *figures)
{
	struct trial t = begin(op, figures);

	for (enum victim victim = ALLOCATION; !op->large && victim < N_VICTIMS; victim++) {
		bool failed = true;

		for (unsigned n = 1; failed && n < FAILURES_MAX; n += step_after(op, n))
			if (trying("%s/%s%u", op->name, victims[victim], n))
				fail_nth(&t, victim, n, &failed);
	}
	end(&t);
}

/* ---- all of them ---- */

static void add(struct figures *sum, const struct figures *figures)
{
	sum->operations += figures->operations;
	sum->changes += figures->changes;
	sum->states += figures->states;
	sum->distinct += figures->distinct;
	sum->failures += figures->failures;
	sum->flushed += figures->flushed;
}

static void print(const struct figures *f)
{
	print_message("| %-9s | %4u | %6u | %7u | %7u | %6u |\n", f->group, f->operations,
		      f->changes, f->states, f->distinct, f->failures);
}

/* Whether the name of an operation begins with that of the group. */
static bool is_in(const struct operation *op, const char *group)
{
	size_t n = strcspn(op->name, "/");

	return strncmp(op->name, group, n) == 0 && group[n] == '\0';
}

struct figures trial_each(const struct operation *op, size_t n,
			  void (*try)(const struct operation *, struct figures *))
{
	struct figures sum = { .group = "all" };

	print_message("| operation |    n |   cuts |  states | differ  | failed |\n");
	for (size_t i = 0; i < n;) {
		struct figures group = { 0 };

		memcpy(group.group, op[i].name, strcspn(op[i].name, "/"));
		for (; i < n && is_in(&op[i], group.group); i++)
			if (trying_any(op[i].name))
				try(&op[i], &group);
		if (group.operations > 0)
			print(&group);
		add(&sum, &group);
	}
	print(&sum);
	return sum;
}
