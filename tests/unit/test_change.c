/*
 * Commands that change an image where something goes wrong: every allocation, every call to the volume, every moment at which the person
 * stops it, and the power at every change of a file.
 */
#include "unit.h"

#include "base/bytes.h"
#include "command/command.h"
#include "volume.h"

enum { WORDS = 12, SETUP = 6, FILES = 4, DISK_BYTES = 150 << 10 };

static struct capture out, err;

/* What is tried: the images are made by `setup`; `front` is the one whose disk must be as before or as after, whatever happens. */
static const struct scenario {
	const char *setup[SETUP][WORDS];
	const char *words[WORDS];
	const char *front;
} scenarios[] = {
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" } }, { "resize", "a", "+3M" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" } }, { "resize", "--shrink", "a", "20k" }, "a" },
	{ { { "convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k,refcount_bits=1", "random", "a" } }, { "resize", "--shrink", "a", "50k" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=16k,extended_l2=on", "random", "a" } },
	  { "resize", "--preallocation=metadata", "a", "+100k" }, "a" },
	{ { { "create", "-q", "-f", "qcow2", "-b", "random", "-F", "raw", "-o", "cluster_size=1k", "a", "33k" } }, { "resize", "a", "100k" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512,data_file=d,data_file_raw=on", "random", "a" } }, { "resize", "a", "+20k" }, "a" },
};

static int run(const char *const words[])
{
	struct console console = { .out = &out.out, .err = &err.out };
	char *argv[WORDS];
	int argc = 0;

	for (; argc < WORDS && words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return command_run(&console, argc, argv);
}

#define RUN(...) run((const char *const[WORDS]){ __VA_ARGS__ })

/* ---- the files of a volume ---------------------------------------------------------------------------------------- */

/* Files in memory: those of a volume, kept, or what may be on its medium at some moment. */
struct files {
	struct {
		char name[32];
		uint8_t *bytes;
		uint64_t size;
	} file[FILES];
};

static const char *const file_names[FILES] = { "a", "b", "d", "random" };

static struct files keep(void)
{
	struct files files = { 0 };

	for (size_t i = 0; i < FILES; i++) {
		const uint8_t *bytes = sim_file(file_names[i], &files.file[i].size);

		if (bytes == NULL)
			continue;
		strcpy(files.file[i].name, file_names[i]);
		files.file[i].bytes = test_malloc(files.file[i].size + 1);
		memcpy(files.file[i].bytes, bytes, files.file[i].size);
	}
	return files;
}

static void drop(struct files *files)
{
	for (size_t i = 0; i < FILES; i++)
		if (files->file[i].bytes != NULL)
			test_free(files->file[i].bytes);
}

/* Makes a volume of them, with nothing in its journal. */
static void restore(const struct files *files)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 32 << 20 };

	sim_volume(&roomy);
	for (size_t i = 0; i < FILES; i++)
		if (files->file[i].bytes != NULL)
			sim_file_put(files->file[i].name, files->file[i].bytes, files->file[i].size);
}

static struct files prepare(const struct scenario *s)
{
	struct files files = { .file[3] = { .name = "random", .bytes = test_malloc(DISK_BYTES), .size = DISK_BYTES } };
	uint32_t dice = 1;

	for (size_t i = 0; i < DISK_BYTES; i++) {
		dice = dice * 1664525 + 1013904223;
		files.file[3].bytes[i] = i / 3000 % 3 == 0 ? 0 : i / 3000 % 3 == 1 ? (uint8_t)(dice >> 24) : 'a';
	}
	restore(&files);
	drop(&files);
	for (size_t i = 0; i < SETUP && s->setup[i][0] != NULL; i++)
		if (run(s->setup[i]) != EXIT_OK)
			fail_msg("setting up: %s", err.text);
	files = keep();
	restore(&files);
	return files;
}

/* ---- a verdict on a qcow2 image ----------------------------------------------------------------------------------- */

#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)

/* A qcow2 image in memory, and how often each of its clusters is referred to. */
struct verdict {
	const uint8_t *bytes;
	uint64_t size, cluster_bytes, n_clusters;
	unsigned order;
	uint64_t reftable;
	uint32_t *count;
};

static uint64_t get(const struct verdict *v, uint64_t offset, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | (offset + i < v->size ? v->bytes[offset + i] : 0);
	return value;
}

static uint64_t refcount(const struct verdict *v, uint64_t cluster)
{
	uint64_t per_block = v->cluster_bytes * 8 >> v->order;
	uint64_t block = get(v, v->reftable + cluster / per_block * 8, 8), index = cluster % per_block;

	if (block == 0)
		return 0;
	if (v->order >= 3)
		return get(v, block + (index << (v->order - 3)), (size_t)1 << (v->order - 3));
	return get(v, block + (index >> (3 - v->order)), 1) >> ((index << v->order) & 7) & ((1u << (1u << v->order)) - 1);
}

static void refer(struct verdict *v, uint64_t offset, uint64_t bytes)
{
	for (uint64_t i = offset / v->cluster_bytes; bytes > 0 && i <= (offset + bytes - 1) / v->cluster_bytes; i++) {
		if (i >= v->n_clusters)
			fail_msg("a reference to cluster %zu, which is far behind the end", (size_t)i);
		v->count[i]++;
	}
}

static void refer_l2(struct verdict *v, uint64_t table, unsigned cluster_bits, bool extended, bool data_file)
{
	for (uint64_t at = 0; at < v->cluster_bytes; at += extended ? 16 : 8) {
		uint64_t entry = get(v, table + at, 8);

		if ((entry >> 62 & 1) != 0) {
			unsigned bits = 62 - (cluster_bits - 8);
			uint64_t offset = entry & ((UINT64_C(1) << bits) - 1);

			refer(v, offset, (((entry & ((UINT64_C(1) << 62) - 1)) >> bits) + 1) * 512 - offset % 512);
		} else if ((entry & OFFSET_MASK) != 0 && !data_file) {
			refer(v, entry & OFFSET_MASK, v->cluster_bytes);
			if ((entry >> 63) != 0 && refcount(v, (entry & OFFSET_MASK) / v->cluster_bytes) != 1)
				fail_msg("an L2 entry says that its cluster is the disk's own, and it is not");
		}
	}
}

/* Every reference has its refcount, in an image without snapshots. */
static void assert_sound(const uint8_t *bytes, uint64_t size)
{
	struct verdict v = { .bytes = bytes, .size = size };
	unsigned cluster_bits = (unsigned)get(&v, 20, 4);
	bool v3 = get(&v, 4, 4) == 3;
	uint64_t incompatible = v3 ? get(&v, 72, 8) : 0, n_l1 = get(&v, 36, 4), l1 = get(&v, 40, 8);

	v.cluster_bytes = UINT64_C(1) << cluster_bits;
	v.n_clusters = size / v.cluster_bytes + 64;
	v.order = v3 ? (unsigned)get(&v, 96, 4) : 4;
	v.reftable = get(&v, 48, 8);
	v.count = test_calloc(v.n_clusters, sizeof *v.count);
	refer(&v, 0, v.cluster_bytes);
	refer(&v, l1, n_l1 * 8);
	refer(&v, v.reftable, get(&v, 56, 4) * v.cluster_bytes);
	for (uint64_t i = 0; i < get(&v, 56, 4) * v.cluster_bytes / 8; i++)
		if (get(&v, v.reftable + i * 8, 8) != 0)
			refer(&v, get(&v, v.reftable + i * 8, 8), v.cluster_bytes);
	for (uint64_t i = 0; i < n_l1; i++) {
		uint64_t entry = get(&v, l1 + i * 8, 8);

		if ((entry & OFFSET_MASK) == 0)
			continue;
		refer(&v, entry & OFFSET_MASK, v.cluster_bytes);
		refer_l2(&v, entry & OFFSET_MASK, cluster_bits, (incompatible & 16) != 0, (incompatible & 4) != 0);
	}
	for (uint64_t i = 0; i < v.n_clusters; i++)
		if (v.count[i] > refcount(&v, i))
			fail_msg("cluster %zu: %u references, refcount %zu", (size_t)i, v.count[i], (size_t)refcount(&v, i));
	test_free(v.count);
}

/* Every qcow2 image on the volume. */
static void assert_all_sound(void)
{
	for (size_t i = 0; i < FILES; i++) {
		uint64_t size = 0;
		const uint8_t *bytes = sim_file(file_names[i], &size);

		if (bytes != NULL && size >= 4 && memcmp(bytes, "QFI\xfb", 4) == 0)
			assert_sound(bytes, size);
	}
}

/* ---- the disk ----------------------------------------------------------------------------------------------------- */

struct disk {
	uint8_t *bytes;
	uint64_t size;
};

/* What can be read from the image in front. */
static struct disk read_disk(const char *name)
{
	struct disk disk = { 0 };
	const uint8_t *bytes;

	if (RUN("convert", "--force", "-O", "raw", name, "flat") != EXIT_OK)
		fail_msg("reading %s: %s", name, err.text);
	bytes = sim_file("flat", &disk.size);
	disk.bytes = test_malloc(disk.size + 1);
	memcpy(disk.bytes, bytes, disk.size);
	return disk;
}

static bool same_disk(const struct disk *a, const struct disk *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void assert_old_or_new(const struct scenario *s, const struct disk *before, const struct disk *after)
{
	struct disk disk;

	assert_all_sound();
	disk = read_disk(s->front);
	if (!same_disk(&disk, before) && !same_disk(&disk, after))
		fail_msg("%s %s: the disk is neither as before nor as after", s->words[0], s->words[1]);
	test_free(disk.bytes);
}

/* Runs it without failures. */
static struct disk disk_after(const struct scenario *s, const struct files *files)
{
	struct disk disk;

	restore(files);
	if (run(s->words) != EXIT_OK)
		fail_msg("%s: %s", s->words[0], err.text);
	disk = read_disk(s->front);
	restore(files);
	return disk;
}

/* ---- failures ----------------------------------------------------------------------------------------------------- */

enum victim { ALLOCATION, CALL_IO, CALL_NO_SPACE, CANCEL, N_VICTIMS };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL_IO || victim == CALL_NO_SPACE ? n : 0, victim == CALL_IO ? ST_IO : ST_NO_SPACE);
	sim_cancel(victim == CANCEL ? n : 0);
}

static unsigned fail_each(const struct scenario *s)
{
	struct files files = prepare(s);
	struct disk before = read_disk(s->front), after = disk_after(s, &files);
	unsigned tried = 0;

	for (enum victim victim = ALLOCATION; victim < N_VICTIMS; victim++)
		for (unsigned n = 1;; n++) {
			int code;

			restore(&files);
			arm(victim, n);
			code = run(s->words);
			arm(N_VICTIMS, 0);
			if (sim_allocations() != 0)
				fail_msg("%s, failure %u of kind %d: %zu allocations left", s->words[0], n, victim, sim_allocations());
			if (code != EXIT_OK && strncmp(err.text, "efi-img: ", 9) != 0)
				fail_msg("%s, failure %u of kind %d: it said: %s", s->words[0], n, victim, err.text);
			assert_old_or_new(s, &before, &after);
			if (code == EXIT_OK)
				break;
			tried++;
		}
	test_free(before.bytes);
	test_free(after.bytes);
	drop(&files);
	return tried;
}

static void every_failure(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++)
		tried += fail_each(&scenarios[i]);
	print_message("%u failures tried\n", tried);
	assert_true(tried > 250);
}

/* ---- the power goes ----------------------------------------------------------------------------------------------- */

enum loss { NOTHING_LOST, ALL_LOST, ONE_LOST, ONE_KEPT, ONE_TORN, N_LOSSES };

static void apply(struct files *files, const struct sim_change *change, bool torn)
{
	uint64_t end = change->offset + change->n;
	size_t i = 0;

	while (i < FILES && strcmp(file_names[i], change->file) != 0)
		i++;
	assert_true(i < FILES);
	if (change->kind == SIM_FLUSH)
		return;
	if (torn) { /* half-way, between two sectors: these are written whole or not at all */
		end = (change->offset + change->n / 2) / 512 * 512;
		end = end > change->offset ? end : change->offset;
	}
	if (end > files->file[i].size) {
		files->file[i].bytes = test_realloc(files->file[i].bytes, end + 1);
		memset(files->file[i].bytes + files->file[i].size, change->kind == SIM_RESIZE ? 0 : 0xaa, end - files->file[i].size);
		files->file[i].size = end;
	}
	if (change->kind == SIM_RESIZE)
		files->file[i].size = change->offset;
	if (change->kind == SIM_WRITE)
		memcpy(files->file[i].bytes + change->offset, change->bytes, end - change->offset);
}

/* Whether change `i` was on the medium for certain when the power went after `cut` changes. */
static bool is_flushed(const struct sim_change *journal, size_t i, size_t cut)
{
	for (size_t j = i + 1; j < cut; j++)
		if (journal[j].kind == SIM_FLUSH && strcmp(journal[j].file, journal[i].file) == 0)
			return true;
	return false;
}

static struct files copy_files(const struct files *files)
{
	struct files copy = *files;

	for (size_t i = 0; i < FILES; i++)
		if (copy.file[i].bytes != NULL) {
			copy.file[i].bytes = test_malloc(copy.file[i].size + 1);
			memcpy(copy.file[i].bytes, files->file[i].bytes, copy.file[i].size);
		}
	return copy;
}

static struct files files_after(const struct files *before, const struct sim_change *journal, size_t cut, enum loss loss, size_t which)
{
	struct files files = copy_files(before);

	for (size_t i = 0; i < cut; i++) {
		bool flushed = is_flushed(journal, i, cut);
		bool lost = !flushed && (loss == ALL_LOST || (loss == ONE_LOST && i == which) || (loss == ONE_KEPT && i != which));

		if (!lost)
			apply(&files, &journal[i], !flushed && loss == ONE_TORN && i == which);
	}
	return files;
}

/* A journal that outlives the volume it is of. */
static struct sim_change *keep_journal(size_t *ret_n)
{
	const struct sim_change *journal = sim_journal(ret_n);
	struct sim_change *copy = test_malloc((*ret_n + 1) * sizeof *copy);

	memcpy(copy, journal, *ret_n * sizeof *copy);
	for (size_t i = 0; i < *ret_n; i++)
		if (copy[i].bytes != NULL) {
			copy[i].bytes = test_malloc(copy[i].n + 1);
			memcpy(copy[i].bytes, journal[i].bytes, copy[i].n);
		}
	return copy;
}

static unsigned cut_each(const struct scenario *s)
{
	struct files files = prepare(s);
	struct disk before = read_disk(s->front), after = disk_after(s, &files);
	struct sim_change *journal;
	unsigned tried = 0;
	size_t n;

	assert_int_equal(run(s->words), EXIT_OK);
	journal = keep_journal(&n);
	for (size_t cut = 0; cut <= n; cut++)
		for (enum loss loss = NOTHING_LOST; loss < N_LOSSES; loss++)
			for (size_t which = 0; which < (loss < ONE_LOST ? 1 : cut); which++) {
				struct files medium;

				if (loss >= ONE_LOST && (journal[which].kind == SIM_FLUSH || is_flushed(journal, which, cut)))
					continue;
				medium = files_after(&files, journal, cut, loss, which);
				restore(&medium);
				assert_old_or_new(s, &before, &after);
				drop(&medium);
				tried++;
			}
	for (size_t i = 0; i < n; i++)
		if (journal[i].bytes != NULL)
			test_free(journal[i].bytes);
	test_free(journal);
	test_free(before.bytes);
	test_free(after.bytes);
	drop(&files);
	return tried;
}

static void every_cut(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++)
		tried += cut_each(&scenarios[i]);
	print_message("%u states after a power cut\n", tried);
	assert_true(tried > 250);
}

static int set_up(void **state)
{
	(void)state;
	capture_init(&out);
	capture_init(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
