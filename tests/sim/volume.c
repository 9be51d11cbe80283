/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/blk.h"
#include "pages.h"
#include "platform/files.h"
#include "platform/permit.h"
#include "processors.h"

struct sim_file {
	char name[SIM_NAME_BYTES];
	uint8_t *bytes;
	uint64_t size;
};

struct sim_blk {
	struct blk blk;
	struct blk_device device; /* of a disk */
	struct sim_file *file;
	struct sim_blk *next;
};

static struct sim_blk *disks; /* all that are open */

static struct sim_volume_kind volume;
static struct sim_file files[SIM_FILES_MAX];
static struct sim_change *journal;
static size_t n_journal, journal_capacity;
static unsigned calls_to_failure;
static enum status failure;
static bool failed, leaves, gone; /* gone: by an earlier call than this one */
static unsigned writes_to_loss;
static bool lost;
static struct {
	char name[32];
	uint64_t offset, end;
} bad[SIM_BAD_MAX];
static unsigned n_bad, n_bad_reads;

/* Exactly what a file needs, so that whoever goes beyond it is caught. */
static size_t room_for(uint64_t size)
{
	return (size_t)size + 1;
}

void sim_volume(const struct sim_volume_kind *kind)
{
	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		pages_free(files[i].bytes, room_for(files[i].size));
	for (size_t i = 0; i < n_journal; i++) {
		free(journal[i].file);
		pages_free(journal[i].bytes, journal[i].n + 1);
	}
	free(journal);
	memset(files, 0, sizeof files);
	journal = NULL;
	n_journal = journal_capacity = 0;
	n_bad = n_bad_reads = 0;
	volume = *kind;
	if (volume.cluster_bytes == 0)
		volume.cluster_bytes = 512;
	if (volume.file_limit_bytes == 0)
		volume.file_limit_bytes = UINT64_MAX;
	sim_volume_fail(0, ST_OK);
}

void sim_volume_fail(unsigned n, enum status status)
{
	calls_to_failure = n;
	failure = status;
	failed = leaves = gone = false;
}

void sim_volume_leave(unsigned n, enum status status)
{
	sim_volume_fail(n, status);
	leaves = true;
}

void sim_volume_bad(const char *name, uint64_t offset, uint64_t n)
{
	if (n_bad == SIM_BAD_MAX)
		abort();
	strcpy(bad[n_bad].name, name);
	bad[n_bad].offset = offset;
	bad[n_bad++].end = offset + n;
}

unsigned sim_volume_bad_reads(void)
{
	return n_bad_reads;
}

static bool is_bad(const struct sim_file *file, uint64_t offset, size_t len)
{
	for (unsigned i = 0; i < n_bad; i++)
		if (strcmp(bad[i].name, file->name) == 0 && offset < bad[i].end &&
		    bad[i].offset < offset + len)
			return true;
	return false;
}

bool sim_volume_failed(void)
{
	return failed;
}

void sim_volume_lose(unsigned n)
{
	writes_to_loss = n;
	lost = false;
}

bool sim_volume_lost(void)
{
	return lost;
}

static enum status count_call(void)
{
	gone = leaves && failed;
	if (calls_to_failure == 0 || --calls_to_failure > 0)
		return ST_OK;
	calls_to_failure = leaves ? 1 : 0;
	failed = true;
	return failure;
}

/* Other processors may read. */
static enum status call(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	enum status st;

	pthread_mutex_lock(&lock);
	st = count_call();
	pthread_mutex_unlock(&lock);
	return st;
}

static void record(enum sim_change_kind kind, const struct sim_file *file, uint64_t offset,
		   const void *bytes, size_t n)
{
	struct sim_change *change;

	if (n_journal == journal_capacity) {
		journal_capacity = 2 * journal_capacity + 16;
		journal = realloc(journal, journal_capacity * sizeof *journal);
	}
	change = &journal[n_journal++];
	*change = (struct sim_change){
		.kind = kind, .file = strdup(file->name), .offset = offset, .n = n
	};
	if (bytes != NULL) {
		change->bytes = pages_new(n + 1);
		memcpy(change->bytes, bytes, n);
	}
}

const struct sim_change *sim_journal(size_t *ret_n)
{
	*ret_n = n_journal;
	return journal;
}

static struct sim_file *find(const char *name)
{
	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

size_t sim_files(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		n += files[i].name[0] != '\0';
	return n;
}

const char *sim_file_name(size_t index)
{
	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		if (files[i].name[0] != '\0' && index-- == 0)
			return files[i].name;
	return NULL;
}

const uint8_t *sim_file(const char *name, uint64_t *ret_bytes)
{
	struct sim_file *file = find(name);

	if (file != NULL)
		*ret_bytes = file->size;
	return file != NULL ? file->bytes : NULL;
}

static uint64_t used_bytes(void)
{
	uint64_t used = 0;

	for (size_t i = 0; i < SIM_FILES_MAX; i++)
		used += round_up(files[i].size, volume.cluster_bytes);
	return used;
}

/* What a file grows by is anything: who makes it grow fills it. */
static enum status set_size(struct sim_file *file, uint64_t size)
{
	if (size > volume.file_limit_bytes)
		return ST_TOO_LARGE;
	if (used_bytes() - round_up(file->size, volume.cluster_bytes) +
		    round_up(size, volume.cluster_bytes) >
	    volume.free_bytes)
		return ST_NO_SPACE;
	file->bytes = pages_resize(file->bytes, room_for(file->size), room_for(size));
	file->size = size;
	return ST_OK;
}

void sim_file_put(const char *name, const void *bytes, uint64_t n)
{
	struct sim_file *file = find(name);

	if (file == NULL)
		file = find("");
	strcpy(file->name, name);
	if (set_size(file, n) != ST_OK)
		abort();
	memcpy(file->bytes, bytes, n);
}

/* ---- the blk ---- */

static struct sim_file *file_of(struct blk *blk)
{
	return ((struct sim_blk *)blk)->file;
}

static enum status sim_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	enum status st = call();

	sim_processor_works();
	if (st == ST_OK && is_bad(file_of(blk), offset, len)) {
		n_bad_reads++;
		memset(buf, 0xbb, len / 2); /* some of it may have come through */
		return ST_IO;
	}
	if (st == ST_OK && offset + len > file_of(blk)->size)
		return ST_IO; /* it has been cut off */
	if (st == ST_OK)
		memcpy(buf, file_of(blk)->bytes + offset, len);
	return st;
}

/* Counts a write for all disks that are this file. */
static void count_write(const struct sim_file *file)
{
	for (struct sim_blk *disk = disks; disk != NULL; disk = disk->next)
		disk->device.n_writes += disk->file == file;
}

/* About half of a write: sectors are written whole or not at all. */
static size_t half(uint64_t offset, size_t len)
{
	uint64_t end = round_down(offset + len / 2, 512);

	return end > offset ? (size_t)(end - offset) : 0;
}

static enum status sim_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct sim_file *file = file_of(blk);
	enum status st = call(), grown = ST_OK;
	size_t n = st == ST_OK ? len : half(offset, len);

	if (offset > file->size && volume.truncates)
		return ST_IO;
	if (offset > file->size)
		abort(); /* blk.c resizes first */
	if (gone)
		return st;
	if (offset + len <= file->size && writes_to_loss > 0 && --writes_to_loss == 0) {
		lost = true;
		return st;
	}
	if (offset + n > file->size)
		grown = set_size(file, offset + n);
	if (grown != ST_OK)
		return grown;
	memcpy(file->bytes + offset, buf, n);
	record(SIM_WRITE, file, offset, buf, n);
	count_write(file);
	blk->size = max_u64(blk->size, file->size);
	if (volume.truncates && set_size(file, offset + n) != ST_OK)
		abort();
	return st;
}

/* For a disk: the same as a write, but for who brings the bytes. */
static enum status sim_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	uint8_t *zeros;
	enum status st;

	if (len < volume.zero_bytes)
		return ST_UNSUPPORTED;
	zeros = memset(pages_new((size_t)len), 0, (size_t)len);
	st = sim_write(blk, offset, zeros, (size_t)len);
	pages_free(zeros, (size_t)len);
	return st;
}

static enum status sim_flush(struct blk *blk)
{
	enum status st = call();

	if (st == ST_OK)
		record(SIM_FLUSH, file_of(blk), 0, NULL, 0);
	return st;
}

static enum status sim_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct sim_file *file = file_of(blk);
	uint64_t before = file->size;
	enum status st = call(), changed;

	(void)prealloc;
	if (gone)
		return st;
	if (st != ST_OK)
		size = size > before ? before + (size - before) / 2 : before;
	changed = set_size(file, size);
	if (changed != ST_OK)
		return changed;
	if (size > before)
		memset(file->bytes + before, 0, size - before);
	record(SIM_RESIZE, file, size, NULL, 0);
	blk->size = size;
	return st;
}

static bool is_hole(const struct sim_file *file, uint64_t at)
{
	static const uint8_t zeros[512];

	return memcmp(file->bytes + at, zeros, (size_t)min_u64(512, file->size - at)) == 0;
}

static enum status sim_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	const struct sim_file *file = file_of(blk);
	uint64_t end = round_down(offset, 512);
	bool hole = is_hole(file, end);

	while (end < offset + len && is_hole(file, end) == hole)
		end += 512;
	*ret = (struct extent){ .length = end - offset,
				.allocated = true,
				.data = !hole,
				.zero = hole,
				.has_offset = true,
				.offset = offset };
	return call();
}

static enum status sim_allocated(struct blk *blk, uint64_t *ret)
{
	const struct sim_file *file = file_of(blk);

	*ret = 0;
	for (uint64_t at = 0; at < file->size; at += 512)
		*ret += is_hole(file, at) ? 0 : 512;
	return call();
}

static void sim_close(struct blk *blk)
{
	mem_free(blk);
}

static enum status open_blk(struct sim_file *file, bool writable, struct blk **ret,
			    struct error *err)
{
	static const struct blk_ops read_ops = { .read = sim_read, .close = sim_close };
	static const struct blk_ops write_ops = {
		.read = sim_read,
		.write = sim_write,
		.flush = sim_flush,
		.resize = sim_resize,
		.close = sim_close,
	};
	static const struct blk_ops holes_read_ops = { .read = sim_read,
						       .extent = sim_extent,
						       .allocated = sim_allocated,
						       .close = sim_close };
	static const struct blk_ops holes_write_ops = {
		.read = sim_read,
		.write = sim_write,
		.extent = sim_extent,
		.flush = sim_flush,
		.resize = sim_resize,
		.allocated = sim_allocated,
		.close = sim_close,
	};
	struct sim_blk *blk = mem_alloc(sizeof *blk);

	if (blk == NULL)
		return fail_no_memory(err);
	blk->blk = (struct blk){
		.ops = volume.has_holes ? (writable ? &holes_write_ops : &holes_read_ops)
		       : writable       ? &write_ops
					: &read_ops,
		.size = file->size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = 64 << 10,
		.parallel_reads = sim_processors_can_read(),
	};
	blk->file = file;
	*ret = &blk->blk;
	return ST_OK;
}

static void sim_disk_close(struct blk *blk)
{
	struct sim_blk **at = &disks;

	while (*at != (struct sim_blk *)blk)
		at = &(*at)->next;
	*at = (*at)->next;
	sim_close(blk);
}

enum status sim_disk_open(const char *name, uintptr_t id, bool writable, uint32_t block_bytes,
			  struct blk **ret)
{
	static const struct blk_ops read_ops = { .read = sim_read, .close = sim_disk_close };
	static const struct blk_ops write_ops = {
		.read = sim_read, .write = sim_write, .flush = sim_flush, .close = sim_disk_close
	};
	static const struct blk_ops zeroing_ops = { .read = sim_read,
						    .write = sim_write,
						    .zero = sim_zero,
						    .flush = sim_flush,
						    .close = sim_disk_close };
	struct sim_blk *disk;
	struct error ignored;
	enum status st = open_blk(find(name), writable, ret, &ignored);

	if (st != ST_OK)
		return st;
	(*ret)->ops = !writable ? &read_ops : volume.zero_bytes > 0 ? &zeroing_ops : &write_ops;
	(*ret)->zero_bytes = volume.zero_bytes;
	(*ret)->block_bytes = block_bytes;
	(*ret)->buffer_align = 8;
	disk = (struct sim_blk *)*ret;
	disk->blk.device = &disk->device;
	disk->device.id = id;
	disk->next = disks;
	disks = disk;
	return ST_OK;
}

/* ---- names ---- */

/* Begins a call with the name of a file. */
static enum status call_for(const char *name)
{
	enum status st = call();

	return st != ST_OK || (name[0] != '\0' && strlen(name) < sizeof files->name) ? st
										     : ST_INVALID;
}

enum status platform_full_name(const char *name, char **ret, struct error *err)
{
	*ret = text_copy(name);
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

static const struct permit *permitted;

const struct permit *platform_permit(const struct permit *permit)
{
	const struct permit *before = permitted;

	permitted = permit;
	return before;
}

/* Tests of what is below the commands have no access set. */
static void check_permitted(const char *name)
{
	struct file_identity file = { .entry = (char *)(uintptr_t)name };

	if (permitted != NULL && !permitted->allows_file(permitted, &file))
		platform_panic(name, __FILE__, __LINE__);
}

bool sim_device_permitted(uintptr_t id)
{
	return permitted == NULL || permitted->allows_device(permitted, id);
}

enum status platform_open(const char *name, enum open_mode mode, struct blk **ret,
			  struct error *err)
{
	struct sim_file *file = find(name);
	enum status st = call_for(name);

	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	if (file == NULL)
		return fail(err, ST_NOT_FOUND, "%s: no such file", name);
	if (mode == OPEN_WRITE)
		check_permitted(name);
	return open_blk(file, mode == OPEN_WRITE, ret, err);
}

enum status platform_look(const char *name, struct place *ret, struct error *err)
{
	struct sim_file *file = find(name);
	enum status st = call_for(name);

	if (st == ST_OK && volume.read_only)
		st = ST_READ_ONLY;
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	*ret = (struct place){
		.exists = file != NULL,
		.existing_bytes = file != NULL ? round_up(file->size, volume.cluster_bytes) : 0,
		.free_bytes = volume.free_bytes - used_bytes(),
		.file_limit_bytes = volume.file_limit_bytes,
		.cluster_bytes = volume.cluster_bytes,
		.volume_name = "fs0:",
	};
	return ST_OK;
}

enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *err)
{
	struct sim_file *file = find(name);
	enum status st = call_for(name);

	if (st == ST_OK && strlen(name) >= SIM_NAME_BYTES)
		st = ST_INVALID;
	if (st == ST_OK && file != NULL && !replace)
		st = ST_EXISTS;
	if (st == ST_OK && file == NULL)
		file = find("");
	if (st == ST_OK && file == NULL)
		st = ST_NO_SPACE; /* the directory is full */
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	check_permitted(name);
	strcpy(file->name, name);
	st = set_size(file, 0);
	if (st == ST_OK)
		st = open_blk(file, true, ret, err);
	if (st != ST_OK) {
		memset(file->name, 0, sizeof file->name);
		return st;
	}
	record(SIM_CREATE, file, 0, NULL, 0);
	return ST_OK;
}

enum status platform_check_rewrite(const char *name, struct error *err)
{
	enum status st = call_for(name);

	if (st == ST_OK)
		check_permitted(name);
	if (st == ST_OK && volume.truncates && !volume.hides)
		st = ST_UNSUPPORTED;
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", name, status_text(st));
}

enum status platform_remove(const char *name, struct error *err)
{
	struct sim_file *file = find(name);
	enum status st = call_for(name);

	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	if (file == NULL)
		return fail(err, ST_NOT_FOUND, "%s: no such file", name);
	check_permitted(name);
	pages_free(file->bytes, room_for(file->size));
	memset(file, 0, sizeof *file);
	return ST_OK;
}

enum status platform_logs(char **ret, struct error *err)
{
	enum status st = call();

	if (st == ST_OK && volume.read_only)
		st = ST_READ_ONLY;
	if (st != ST_OK)
		return fail(err, st, "logs: %s", status_text(st));
	*ret = mem_alloc(sizeof "logs\\");
	if (*ret == NULL)
		return fail_no_memory(err);
	memcpy(*ret, "logs\\", sizeof "logs\\");
	return ST_OK;
}

enum status platform_identify(const char *name, struct file_identity *ret, struct error *err)
{
	enum status st = call_for(name);

	*ret = (struct file_identity){ 0 };
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	ret->entry = text_copy(name);
	return ret->entry != NULL ? ST_OK : fail_no_memory(err);
}

bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id)
{
	(void)index;
	(void)ret;
	(void)ret_device_id;
	return false;
}

/* Whether the list has it; otherwise a place for it. Two files in one directory make one entry. */
static bool has_entry(const struct file_list *list, const char *name, size_t n)
{
	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->entry[i].name, name, n) == 0 && list->entry[i].name[n] == '\0')
			return true;
	return false;
}

enum status platform_list(const char *name, struct file_list *ret, struct error *err)
{
	size_t n = strcmp(name, ".") == 0 ? 0 : strlen(name);
	enum status st = call_for(name);

	*ret = (struct file_list){ .entry = mem_alloc(SIM_FILES_MAX * sizeof(struct file_entry)) };
	if (st != ST_OK)
		return fail(err, st, "%s: %s", name, status_text(st));
	if (ret->entry == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; i < SIM_FILES_MAX; i++) {
		const char *rest = files[i].name + n, *slash;
		struct file_entry *entry = &ret->entry[ret->n];

		if (files[i].name[0] == '\0' || strncmp(files[i].name, name, n) != 0)
			continue;
		rest += n > 0 && name[n - 1] != '\\' && *rest == '\\';
		slash = strchr(rest, '\\');
		if (*rest == '\0' ||
		    has_entry(ret, rest, slash != NULL ? (size_t)(slash - rest) : strlen(rest)))
			continue;
		entry->name = text_copy_n(rest,
					  slash != NULL ? (size_t)(slash - rest) : strlen(rest));
		if (entry->name == NULL)
			return fail_no_memory(err);
		entry->directory = slash != NULL;
		entry->size_bytes = slash != NULL ? 0 : files[i].size;
		entry->changed.year = 2026;
		entry->changed.month = 11;
		entry->changed.day = 23;
		ret->n++;
	}
	return ST_OK;
}
