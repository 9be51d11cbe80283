/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The access set of a command. Two entries conflict if they overlap and at least one of them is
 * changed. Files are compared by the identity that the platform gives them, so that case, short
 * names, hard links and "./" make no difference; disks and partitions are compared by their ranges;
 * a file and a disk by the device that the file is on. A set holds no more than the files of a
 * chain and their parts, so every pair is compared.
 *
 * The set is also the permit of the platform: what the platform is asked to create, to open for
 * writing or to remove is looked up here by its identity. If it is not in the set, a check has been
 * forgotten in this program, and the platform ends the program before anything is lost.
 */
#include "storage/access.h"

#include "base/memory.h"
#include "base/text.h"

/* ---- identity ---- */

/* Whether `name` is `whole` with ".001" to ".999" added. */
static bool is_part_of(const char *whole, const char *name)
{
	size_t n = text_length(whole);

	return text_starts_with(name, whole) && name[n] == '.' && text_is_digit(name[n + 1]) &&
	       text_is_digit(name[n + 2]) && text_is_digit(name[n + 3]) && name[n + 4] == '\0';
}

/*
 * Whether `b` may be the file `a`, of which the directory is not known: the volume and the name of
 * the file are the same.
 */
static bool may_be(const struct file_identity *a, const struct file_identity *b)
{
	const char *end = a->entry, *name = b->entry;
	size_t n_end, n_name;

	if (!a->any_directory)
		return false;
	while (*end != '\0' && *end == *name) {
		end++;
		name++;
		if (end[-1] == ':')
			break;
	}
	n_end = text_length(end);
	n_name = text_length(name);
	return end > a->entry && end[-1] == ':' && n_name >= n_end &&
	       text_equal(name + n_name - n_end, end);
}

bool access_same_file(const struct file_identity *a, const struct file_identity *b)
{
	if (a->node != NULL && b->node != NULL && text_equal(a->node, b->node))
		return true;
	return text_equal(a->entry, b->entry) || may_be(a, b) || may_be(b, a);
}

static bool same(const struct access_entry *a, const struct access_entry *b)
{
	return access_same_file(&a->file, &b->file) ||
	       (a->has_parts && is_part_of(a->file.entry, b->file.entry)) ||
	       (b->has_parts && is_part_of(b->file.entry, a->file.entry));
}

/* ---- conflicts ---- */

const char *access_role_text(enum access_role role)
{
	static const char *const text[N_ACCESS_ROLES] = {
		[ROLE_IMAGE] = "image",
		[ROLE_BACKING_FILE] = "backing file",
		[ROLE_DATA_FILE] = "data file",
		[ROLE_EXTENT] = "extent",
		[ROLE_PART] = "part",
		[ROLE_TARGET] = "target",
		[ROLE_JOURNAL] = "journal",
		[ROLE_MAP] = "map",
		[ROLE_MANIFEST] = "manifest",
		[ROLE_BMAP] = "block map",
		[ROLE_LOG] = "log",
		[ROLE_OUTPUT] = "output",
		[ROLE_BOOT] = "boot disk",
		[ROLE_CURRENT] = "current directory",
	};

	return text[role];
}

const char *access_use_text(enum access_use use)
{
	static const char *const text[] = {
		[ACCESS_READ] = "read",
		[ACCESS_WRITE] = "write",
		[ACCESS_CREATE] = "create",
		[ACCESS_REMOVE] = "remove",
	};

	return text[use];
}

static const char *done_to(enum access_use use)
{
	static const char *const text[] = {
		[ACCESS_READ] = "read",
		[ACCESS_WRITE] = "written to",
		[ACCESS_CREATE] = "replaced",
		[ACCESS_REMOVE] = "removed",
	};

	return text[use];
}

/* "%s%s%s" of a message: what the entry is to a person, "extent of t.vmdk". */
#define ROLE_WORDS(entry) \
	access_role_text((entry)->role), (entry)->owner != NULL ? " of " : "", \
		(entry)->owner != NULL ? (entry)->owner : ""

/* Two uses of one file; the use of `changed` would destroy what `other` uses. */
static enum status refuse_file(const struct access_entry *changed, const struct access_entry *other,
			       struct error *err)
{
	return fail(err, ST_REFUSED,
		    "%s: the %s%s%s%s would be %s, but it is the same file as %s (%s%s%s), which "
		    "is %s; name another file",
		    changed->name, ROLE_WORDS(changed),
		    changed->has_parts ? ", or a part of it," : "", done_to(changed->use),
		    other->name, ROLE_WORDS(other), done_to(other->use));
}

/* A disk that would be overwritten, and a file on it, or a disk or partition that overlaps it. */
static enum status refuse_target(const struct access_entry *disk, const struct access_entry *other,
				 struct error *err)
{
	if (other->role == ROLE_BOOT)
		return fail(err, ST_REFUSED, "%s: efi-img was started from it", disk->name);
	if (other->role == ROLE_CURRENT)
		return fail(err, ST_REFUSED,
			    "%s: the shell's current volume is on it; change to another one",
			    disk->name);
	if (other->role == ROLE_OUTPUT)
		return fail(err, ST_REFUSED, "%s: the output is redirected to %s, which is on it",
			    disk->name, other->name);
	if (other->is_device)
		return fail(err, ST_REFUSED, "%s: it is, or overlaps, what is read, %s", disk->name,
			    other->name);
	return fail(err, ST_REFUSED, "%s: the file %s is on it (%s%s%s)", disk->name, other->name,
		    ROLE_WORDS(other));
}

/* A file that would be written to a disk that is read. */
static enum status refuse_change_of_source(const struct access_entry *disk,
					   const struct access_entry *file, struct error *err)
{
	return fail(err, ST_REFUSED,
		    "%s: it would be on %s, which is the source and must not change; choose "
		    "another disk for it",
		    file->name, disk->name);
}

static bool overlap(const struct access_entry *a, const struct access_entry *b)
{
	return a->is_placed && b->is_placed && a->place.disk != NULL && b->place.disk != NULL &&
	       selector_overlap(&a->place, &b->place);
}

/* Reading the file that the output goes to harms neither. */
static bool only_output(const struct access_entry *a, const struct access_entry *b)
{
	return (a->role == ROLE_OUTPUT && b->use == ACCESS_READ) ||
	       (b->role == ROLE_OUTPUT && a->use == ACCESS_READ) ||
	       (a->role == ROLE_OUTPUT && b->role == ROLE_OUTPUT);
}

/* The boot disk and the disk of the current directory, which the command itself does not touch. */
static bool is_running(const struct access_entry *entry)
{
	return entry->role == ROLE_BOOT || entry->role == ROLE_CURRENT;
}

/* A split image does not conflict with its own parts. */
static bool own_part(const struct access_entry *whole, const struct access_entry *part)
{
	return whole->has_parts && part->role == ROLE_PART &&
	       is_part_of(whole->file.entry, part->file.entry);
}

/* Decides whether two entries can be used together; no other function does. `b` is the later. */
static enum status check_pair(const struct access_entry *a, const struct access_entry *b,
			      struct error *err)
{
	const struct access_entry *written = b->use != ACCESS_READ ? b : a,
				  *other = written == b ? a : b;

	if (written->use == ACCESS_READ)
		return ST_OK;
	if (!a->is_device && !b->is_device)
		return only_output(a, b) || own_part(a, b) || own_part(b, a) || !same(a, b)
			       ? ST_OK
			       : refuse_file(written, other, err);
	if (!overlap(a, b))
		return ST_OK;
	if (!a->is_device || !b->is_device) { /* a file, and a disk that it is on */
		const struct access_entry *disk = a->is_device ? a : b, *file = disk == a ? b : a;

		if (disk->use != ACCESS_READ)
			return refuse_target(disk, file, err);
		return is_running(disk) ? ST_OK : refuse_change_of_source(disk, file, err);
	}
	return refuse_target(written, other, err);
}

static enum status check_all(const struct access *access, const struct access_entry *entry,
			     struct error *err)
{
	enum status st = ST_OK;

	for (int running = 1; running >= 0;
	     running--) /* the most important reason to refuse comes first */
		for (size_t i = 0; st == ST_OK && i < access->n; i++)
			if (is_running(&access->entry[i]) == (running == 1))
				st = check_pair(&access->entry[i], entry, err);
	return st;
}

/* ---- the set ---- */

static void free_entry(struct access_entry *entry)
{
	mem_free(entry->name);
	mem_free(entry->owner);
	mem_free(entry->file.entry);
	mem_free(entry->file.node);
}

/*
 * The permit: only what was added to be changed. A file that may be created may also be opened for
 * writing and removed.
 */
static bool allows_file(const struct permit *permit, const struct file_identity *file)
{
	const struct access *access = (const struct access *)permit;

	for (size_t i = 0; i < access->n; i++) {
		const struct access_entry *entry = &access->entry[i];

		if (!entry->is_device && entry->use != ACCESS_READ && entry->role != ROLE_OUTPUT &&
		    (access_same_file(&entry->file, file) ||
		     (entry->has_parts && is_part_of(entry->file.entry, file->entry))))
			return true;
	}
	return false;
}

static bool allows_device(const struct permit *permit, uintptr_t id)
{
	const struct access *access = (const struct access *)permit;

	for (size_t i = 0; i < access->n; i++)
		if (access->entry[i].is_device && access->entry[i].use != ACCESS_READ &&
		    access->entry[i].device_id == id)
			return true;
	return false;
}

void access_begin(struct access *access)
{
	*access = (struct access){ .permit = { allows_file, allows_device } };
}

void access_end(struct access *access)
{
	for (size_t i = 0; i < access->n; i++)
		free_entry(&access->entry[i]);
	mem_free(access->entry);
	access_begin(access);
}

bool access_has_device(const struct access *access)
{
	for (size_t i = 0; i < access->n; i++)
		if (access->entry[i].is_device)
			return true;
	return false;
}

void access_forget_reads(struct access *access)
{
	size_t n = 0;

	for (size_t i = 0; i < access->n; i++) {
		if (access->entry[i].use == ACCESS_READ && !access->entry[i].is_device)
			free_entry(&access->entry[i]);
		else
			access->entry[n++] = access->entry[i];
	}
	access->n = n;
}

static void find_place(const struct inventory *inventory, struct access_entry *entry)
{
	if (entry->is_placed)
		return;
	entry->is_placed = true;
	if (!(entry->role == ROLE_OUTPUT
		      ? selector_of_device(inventory, entry->device_id, &entry->place)
		      : selector_place(inventory, entry->name, &entry->place)))
		entry->place = (struct selection){ 0 };
}

static enum status make_room(struct access *access)
{
	size_t capacity = access->capacity > 0 ? 2 * access->capacity : 16;
	struct access_entry *more;

	if (access->n < access->capacity)
		return ST_OK;
	more = mem_alloc(capacity * sizeof *more);
	if (more == NULL)
		return ST_NO_MEMORY;
	if (access->n > 0)
		memcpy(more, access->entry, access->n * sizeof *more);
	mem_free(access->entry);
	access->entry = more;
	access->capacity = capacity;
	return ST_OK;
}

enum status access_add(struct access *access, const struct inventory *inventory,
		       struct access_entry *entry, struct error *err)
{
	enum status st = make_room(access);

	if (st != ST_OK)
		(void)fail_no_memory(err);
	if (st == ST_OK && inventory != NULL) {
		find_place(inventory, entry);
		for (size_t i = 0; i < access->n; i++)
			find_place(inventory, &access->entry[i]);
	}
	if (st == ST_OK)
		st = check_all(access, entry, err);
	if (st == ST_OK)
		access->entry[access->n++] = *entry;
	else
		free_entry(entry);
	return st;
}

/* NULL: there is no memory for it, or there is no text. */
static char *copy_of(const char *text)
{
	return text != NULL ? text_copy(text) : NULL;
}

static enum status inherit(struct access *access, const struct access_entry *entry,
			   struct error *err)
{
	struct access_entry copy = { .role = entry->role,
				     .use = entry->use,
				     .name = text_copy(entry->name),
				     .owner = copy_of(entry->owner),
				     .has_parts = entry->has_parts,
				     .file.entry = text_copy(entry->file.entry),
				     .file.node = copy_of(entry->file.node) };

	if (copy.name != NULL && copy.file.entry != NULL &&
	    (copy.owner != NULL) == (entry->owner != NULL) &&
	    (copy.file.node != NULL) == (entry->file.node != NULL))
		return access_add(access, NULL, &copy, err);
	free_entry(&copy);
	return fail_no_memory(err);
}

enum status access_inherit(struct access *access, const struct access *from, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < from->n; i++) {
		const struct access_entry *entry = &from->entry[i];

		/* Where the output goes, each command finds out itself. */
		if (entry->use != ACCESS_READ && !entry->is_device && entry->role != ROLE_OUTPUT)
			st = inherit(access, entry, err);
	}
	return st;
}

/* ---- printing ---- */

void access_print_text(const struct access *access, const char *head, struct out *out)
{
	const char *before = head;

	for (size_t i = 0; i < access->n; i++) {
		const struct access_entry *entry = &access->entry[i];

		if (is_running(entry))
			continue;
		out_printf(out, "%-*s%-6s %s (%s%s%s%s)\n", (int)text_length(head), before,
			   access_use_text(entry->use), entry->name, ROLE_WORDS(entry),
			   entry->has_parts ? ", in parts" : "");
		before = "";
	}
}

void access_print_json(const struct access *access, const char *key, struct tree *tree)
{
	tree_array(tree, key);
	for (size_t i = 0; i < access->n; i++) {
		const struct access_entry *entry = &access->entry[i];

		if (is_running(entry))
			continue;
		tree_object(tree, NULL);
		tree_text(tree, "name", entry->name);
		tree_text(tree, "role", access_role_text(entry->role));
		tree_text(tree, "use", access_use_text(entry->use));
		tree_bool(tree, "device", entry->is_device);
		tree_bool(tree, "parts", entry->has_parts);
		tree_end(tree);
	}
	tree_end(tree);
}
