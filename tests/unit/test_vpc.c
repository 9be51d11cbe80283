/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * VHD images, made by hand, with blocks of 4 KiB: the disk is what the BAT and the bitmaps say, in
 * a differencing one with its parent; each field that makes no sense is refused with words that
 * name it; which footer counts, and what becomes of the other; what is only left over is neither
 * read nor written over.
 */
#include "base/bytes.h"
#include "powercut.h"
#include "run.h"

enum {
	SECTOR = 512,
	BLOCK = 4096,
	SPACE = SECTOR + BLOCK,
	N = 200, /* entries of the BAT: two sectors */
	DISK = N * BLOCK - 3 * SECTOR,
	HEADER = 512,
	BAT = 1536,
	NAME = BAT + 2 * SECTOR, /* where a locator may be */
	BLOCKS = NAME + SECTOR,
	N_STORED = 3,
	END = BLOCKS + N_STORED * SPACE,
	FILE_BYTES = END + SECTOR,
};

/* Places of fields, in the footer and in the header. */
enum { AT_VERSION = 12, AT_HEADER = 16, AT_CREATOR = 28, AT_SIZE = 48, AT_CHS = 56 };
enum { AT_TYPE = 60, AT_SUM = 64, AT_UUID = 68, AT_SAVED = 84 };
enum { AT_BAT = 16, AT_VERSION_2 = 24, AT_N = 28, AT_BLOCK = 32, AT_SUM_2 = 36 };
enum { AT_PARENT = 40, AT_NAME = 64, AT_LOCATOR = 576 };

static uint8_t file[FILE_BYTES], disk[DISK], parent_disk[DISK];

static void seal(uint8_t *bytes, size_t n, size_t at)
{
	uint32_t sum = 0;

	memset(bytes + at, 0, 4);
	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	bytes_to_be(bytes + at, 4, ~sum);
}

/* After a change of fields: both footers are the one at the front. */
static void put(const char *name)
{
	seal(file, SECTOR, AT_SUM);
	seal(file + HEADER, 2 * SECTOR, AT_SUM_2);
	memcpy(file + END, file, SECTOR);
	sim_file_put(name, file, sizeof file);
}

/* Block `at` of the file is that of the disk, of which only the sectors in `bits` count. */
static void put_block(size_t at, size_t index, uint8_t bits, uint8_t *its_disk)
{
	uint8_t *block = file + BLOCKS + at * SPACE;

	bytes_to_be(file + BAT + 4 * index, 4, (BLOCKS + at * SPACE) / SECTOR);
	block[0] = bits;
	for (size_t i = 0; i < BLOCK; i++) {
		size_t place = index * BLOCK + i;

		block[SECTOR + i] = (uint8_t)(i % 251 + 1 + at);
		if ((bits << i / SECTOR & 0x80) != 0 && place < DISK)
			its_disk[place] = block[SECTOR + i];
	}
}

static void make(char uuid)
{
	memset(file, 0, sizeof file);
	memcpy(file, "conectix\0\0\0\2\0\1\0\0\0\0\0\0\0\0\2\0\0\0\0\0win ", 32);
	bytes_to_be(file + AT_SIZE, 8, DISK);
	bytes_to_be(file + AT_CHS, 4, 0x01000411); /* another size */
	bytes_to_be(file + AT_TYPE, 4, 3);
	memset(file + AT_UUID, uuid, 16);
	memcpy(file + HEADER, "cxsparse\xff\xff\xff\xff\xff\xff\xff\xff", 16);
	bytes_to_be(file + HEADER + AT_BAT, 8, BAT);
	bytes_to_be(file + HEADER + AT_VERSION_2, 4, 0x10000);
	bytes_to_be(file + HEADER + AT_N, 4, N);
	bytes_to_be(file + HEADER + AT_BLOCK, 4, BLOCK);
	memset(file + BAT, 0xff, NAME - BAT);
}

/* A dynamic disk; the order of the file is not that of the disk. */
static void make_dynamic(void)
{
	make('d');
	memset(disk, 0, sizeof disk);
	put_block(0, 7, 0xff, disk);
	put_block(1, 3, 0x5a, disk);
	put_block(2, N - 1, 0xf8, disk);
	put("x");
}

static void put_name(size_t at, const char *text, bool little)
{
	for (size_t i = 0; text[i] != '\0'; i++)
		(little ? bytes_to_le : bytes_to_be)(file + at + 2 * i, 2, (uint8_t)text[i]);
}

/* A parent, and a child of it. */
static void make_chain(void)
{
	make('p');
	memset(parent_disk, 0, sizeof parent_disk);
	put_block(0, 3, 0xff, parent_disk);
	put_block(1, 5, 0xf0, parent_disk);
	put_block(2, 9, 0xff, parent_disk);
	put("parent.vhd");
	make('c');
	memcpy(disk, parent_disk, sizeof disk);
	put_block(0, 7, 0x81, disk);
	put_block(1, 3, 0x5a, disk);
	put_block(2, 5, 0x0f, disk);
	bytes_to_be(file + AT_TYPE, 4, 4);
	memset(file + HEADER + AT_PARENT, 'p', 16);
	put_name(HEADER + AT_NAME, "parent.vhd", false);
	memcpy(file + HEADER + AT_LOCATOR, "W2ru", 4);
	bytes_to_be(file + HEADER + AT_LOCATOR + 4, 4, SECTOR);
	bytes_to_be(file + HEADER + AT_LOCATOR + 8, 4, 24);
	bytes_to_be(file + HEADER + AT_LOCATOR + 16, 8, NAME);
	put_name(NAME, ".\\parent.vhd", true);
	put("x");
}

static void assert_disk(const char *name)
{
	uint64_t n;

	MUST("convert", "--force", "-O", "raw", name, "back");
	assert_non_null(sim_file("back", &n));
	assert_int_equal(n, DISK);
	assert_memory_equal(sim_file("back", &n), disk, DISK);
}

static void assert_refused(const char *words)
{
	if (RUN("convert", "--force", "-O", "raw", "x", "back") == EXIT_OK)
		fail_msg("it is read, and not: %s", words);
	if (strstr(err.text, "x: ") == NULL || strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
}

static void begin(void)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 64 << 20 };

	sim_volume(&roomy);
}

/* ---- reading ---- */

static void reads(void **state)
{
	(void)state;
	begin();
	make_dynamic();
	assert_disk("x");
	MUST("check", "x");
	make_chain();
	assert_disk("x");
	MUST("check", "x");
}

/* One field of a dynamic disk, or of a child; the checksums are right. */
static void names_the_field(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *words;
		bool child;
	} rows[] = {
		{ AT_VERSION, 4, 0x20000, "version 0x00020000 of the format", false },
		{ AT_TYPE, 4, 0, "type 0", false },
		{ AT_TYPE, 4, 5, "type 5", false },
		{ AT_TYPE, 4, 2, "the file of 17408 bytes is cut off", false },
		{ AT_SIZE, 8, UINT64_MAX, "bytes, as its footer says", false },
		{ AT_SIZE, 8, (UINT64_C(2040) << 30) + 512, "bytes, as its footer says", false },
		{ AT_SIZE, 8, DISK + 4 * BLOCK, "BAT of 200 entries is too short", false },
		{ AT_HEADER, 8, UINT64_MAX, "header at offset 18446744073709551615", false },
		{ AT_HEADER, 8, FILE_BYTES - 1023, "header at offset", false },
		{ AT_HEADER, 8, 0, "no header", false },
		{ HEADER, 1, 'C', "no header (\"cxsparse\") at offset 512", false },
		{ HEADER + AT_VERSION_2, 4, 0x20000, "version 0x00020000 of its header", false },
		{ HEADER + AT_BAT, 8, UINT64_MAX, "BAT of 200 entries at offset", false },
		{ HEADER + AT_BAT, 8, FILE_BYTES - 4 * N + 1, "BAT of 200 entries at", false },
		{ HEADER + AT_N, 4, N - 1, "BAT of 199 entries is too short", false },
		{ HEADER + AT_N, 4, 0, "BAT of 0 entries is too short", false },
		{ HEADER + AT_N, 4, UINT32_MAX, "BAT of 4294967295 entries", false },
		{ HEADER + AT_BLOCK, 4, 0, "blocks of 0 bytes", false },
		{ HEADER + AT_BLOCK, 4, 256, "blocks of 256 bytes", false },
		{ HEADER + AT_BLOCK, 4, 6144, "blocks of 6144 bytes", false },
		{ HEADER + AT_BLOCK, 4, UINT32_MAX, "blocks of 4294967295 bytes", false },
		{ BAT + 28, 4, 0, "reading", false }, /* over the footer */
		{ BAT + 28, 4, 3, "reading", false }, /* over the BAT */
		{ BAT + 28, 4, UINT32_MAX - 1, "reading", false },
		{ BAT + 28, 4, (END - BLOCK) / SECTOR, "reading", false },
		{ HEADER + AT_PARENT, 1, 'q', "the UUID differs", true },
		{ HEADER + AT_LOCATOR + 8, 4, UINT32_MAX, "locator W2ru of 4294967295", true },
		{ HEADER + AT_LOCATOR + 16, 8, UINT64_MAX, "locator W2ru of 24", true },
		{ HEADER + AT_LOCATOR + 16, 8, FILE_BYTES - 23, "locator W2ru of 24", true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		begin();
		(rows[i].child ? make_chain : make_dynamic)();
		bytes_to_be(file + rows[i].at, rows[i].n, rows[i].value);
		put("x");
		assert_refused(rows[i].words);
	}
}

/* A disk that would need more memory for its BAT than there may be. */
static void small_blocks_of_a_large_disk(void **state)
{
	(void)state;
	begin();
	make_dynamic();
	bytes_to_be(file + AT_SIZE, 8, UINT64_C(1) << 40);
	bytes_to_be(file + HEADER + AT_N, 4, 1 << 28);
	put("x");
	assert_refused("blocks of 4096 bytes are too small for a disk of 1099511627776 bytes");
}

static void parents(void **state)
{
	(void)state;
	begin();
	make_chain();
	put_raw("parent.vhd", 1, DISK, 0);
	assert_refused("backing file of x: parent.vhd: it has no footer");
	make_dynamic(); /* another image */
	sim_file_put("parent.vhd", file, sizeof file);
	make_chain();
	memset(file + NAME, 0, SECTOR);
	put_name(NAME, "..\\else\\where.vhd", true);
	bytes_to_be(file + HEADER + AT_LOCATOR + 8, 4, 34);
	put("x");
	assert_refused("backing file of x: ../else/where.vhd");
	memset(file + HEADER + AT_LOCATOR, 0, 4);
	put("x");
	assert_disk("x"); /* by the name alone */
	memset(file + HEADER + AT_NAME, 0, 512);
	put("x");
	assert_refused("does not name its parent");
	put_name(HEADER + AT_NAME, "x", false);
	put("x");
	assert_refused("loop");
}

/* ---- which footer counts ---- */

static void footers(void **state)
{
	uint64_t n;

	(void)state;
	begin();
	make_dynamic();
	file[AT_CREATOR] = 'W'; /* without the checksum */
	sim_file_put("x", file, sizeof file);
	assert_disk("x");
	assert_int_equal(RUN("check", "x"), 2);
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "footer at offset 0 is damaged"));
	MUST("check", "-r", "all", "x");
	assert_memory_equal(sim_file("x", &n), sim_file("x", &n) + END, SECTOR);

	memset(file + END, 0, SECTOR);
	sim_file_put("x", file, sizeof file);
	assert_refused("checksum of its footer at offset 0");
	bytes_to_be(file + AT_TYPE, 4, 2);
	seal(file, SECTOR, AT_SUM);
	sim_file_put("x", file, sizeof file);
	assert_refused("begins with the footer of a fixed disk");
	memset(file, 0, SECTOR);
	sim_file_put("x", file, sizeof file);
	assert_int_equal(RUN("info", "-f", "vpc", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "neither in its first sector nor in its last one"));
}

/* Without a footer at the end, a writer puts one there. */
static void missing_end(void **state)
{
	uint64_t n;

	(void)state;
	begin();
	make_dynamic();
	sim_file_put("x", file, END);
	assert_disk("x");
	assert_int_equal(RUN("check", "x"), 3);
	MUST("bench", "-w", "-c", "1", "-s", "512", "--pattern=1", "-o", "28672", "x");
	assert_non_null(sim_file("x", &n));
	assert_int_equal(n, FILE_BYTES);
	memset(disk + 7 * BLOCK, 1, SECTOR);
	assert_disk("x");
	MUST("check", "x");
}

/* The footer at the front counts, and the other one becomes it. */
static void differing_ends(void **state)
{
	uint64_t n;

	(void)state;
	begin();
	make_dynamic();
	bytes_to_be(file + END + AT_SIZE, 8, DISK + SECTOR);
	seal(file + END, SECTOR, AT_SUM);
	sim_file_put("x", file, sizeof file);
	assert_disk("x");
	assert_int_equal(RUN("check", "x"), 3);
	assert_non_null(strstr(err.text, "differs from the one at offset 0"));
	MUST("check", "-r", "leaks", "x");
	assert_disk("x");
	assert_memory_equal(sim_file("x", &n), sim_file("x", &n) + END, SECTOR);
}

/* ---- writing ---- */

static void saved_state_and_sums(void **state)
{
	(void)state;
	begin();
	make_dynamic();
	file[AT_SAVED] = 1;
	put("x");
	assert_disk("x");
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "suspended"));
	make_dynamic();
	file[HEADER + AT_SUM_2] ^= 1;
	sim_file_put("x", file, sizeof file);
	assert_disk("x");
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "checksum of its header"));
	assert_int_equal(RUN("check", "-r", "all", "x"), 2);
	make_dynamic();
	bytes_to_be(file + BAT, 4, BLOCKS / SECTOR + 1); /* in the block that entry 7 refers to */
	put("x");
	assert_int_equal(RUN("check", "x"), 2);
	assert_non_null(strstr(err.text, "BAT entries 7 and 0: the blocks share"));
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "share a part of the file"));
}

/* XenServer's table after the BAT stays where it is, and what is unused is not written over. */
static void nothing_is_reused(void **state)
{
	uint64_t n;

	(void)state;
	begin();
	make('x');
	memcpy(file + AT_CREATOR, "tap\0", 4);
	memcpy(file + NAME, "tdbatmap", 8);
	memset(disk, 0, sizeof disk);
	put("x");
	assert_disk("x");
	MUST("check", "x");
	MUST("bench", "-w", "-c", "1", "-s", "512", "--pattern=2", "-o", "0", "x");
	memset(disk, 2, SECTOR);
	assert_disk("x");
	assert_memory_equal(sim_file("x", &n) + NAME, "tdbatmap", 8);
	assert_int_equal(n, FILE_BYTES + SPACE);
	MUST("check", "x");
}

/* A block of which some sectors count is filled in its place. */
static void fills_in_place(void **state)
{
	uint64_t n;

	(void)state;
	begin();
	make_dynamic();
	MUST("bench", "-w", "-c", "1", "-s", "512", "--pattern=3", "-o", "12288", "x");
	memset(disk + 3 * BLOCK, 3, SECTOR);
	assert_disk("x");
	assert_int_equal(sim_file("x", &n)[BLOCKS + SPACE], 0xff);
	assert_int_equal(n, FILE_BYTES);
	MUST("check", "x");
}

/*
 * The footer at the end is written over only when a newer one, further on, is on the medium: other
 * programs open nothing without one. From the journal of a writer that adds blocks.
 */
static void footer_moves_first(void **state)
{
	const struct sim_change *change;
	uint64_t old = END, new = 0;
	bool new_is_flushed = false;
	size_t n, moves = 0;

	(void)state;
	begin();
	make_dynamic();
	MUST("bench", "-w", "-c", "40", "-s", "512", "-S", "8192", "--flush-interval", "7", "x");
	change = sim_journal(&n);
	for (size_t i = 0; i < n; i++) {
		const struct sim_change *c = &change[i];

		if (strcmp(c->file, "x") != 0)
			continue;
		if (c->kind == SIM_FLUSH) {
			new_is_flushed = new > 0;
		} else if (c->kind == SIM_WRITE && c->n == SECTOR && c->offset >= END &&
			   memcmp(c->bytes, "conectix", 8) == 0) {
			new = c->offset;
			new_is_flushed = false;
		} else if (c->kind == SIM_WRITE && c->offset <= old && c->offset + c->n > old) {
			assert_true(new > old &&new_is_flushed);
			old = new;
			moves++;
		} else if (c->kind == SIM_RESIZE && c->offset < old) {
			assert_true(new < old &&new_is_flushed);
			old = new;
		}
	}
	assert_true(moves > 3);
	MUST("check", "x");
}

/* What blocks had after the end of a smaller disk does not show when it grows. */
static void grows_by_zeros(void **state)
{
	(void)state;
	begin();
	make_dynamic();
	memset(disk + 3 * BLOCK + SECTOR, 0, sizeof disk - 3 * BLOCK - SECTOR);
	MUST("resize", "--shrink", "x", "12800"); /* the first sector of block 3 */
	MUST("resize", "x", "817664");
	assert_disk("x");
	MUST("check", "x");
}

/* ---- power cuts ---- */

enum { GROWN = DISK + 70 * BLOCK }; /* the BAT needs another sector, and is moved */

static const struct sim_volume_kind small = { .free_bytes = 4 << 20 };

/* An operation, and how large the disk may be thereafter; `fill` is what it writes. */
struct cut_row {
	const char *words[WORDS];
	uint64_t sizes[2];
	uint8_t fill;
};

static bool every(const struct powercut *cut, void *arg)
{
	(void)arg;
	return trying("%s", cut->name);
}

/* Each byte is as before, or what was written; after the old end of the disk, zeros. */
static void assert_old_or_new(const struct cut_row *row)
{
	const uint8_t *back;
	uint64_t n;

	if (RUN("convert", "--force", "-O", "raw", "x", "back") != EXIT_OK)
		wrong("it is not read: %s", err.text);
	back = sim_file("back", &n);
	if (n != row->sizes[0] && n != row->sizes[1])
		wrong("the disk has %zu bytes", (size_t)n);
	for (size_t i = 0; i < n; i++)
		if (back[i] != (i < DISK ? disk[i] : 0) && (row->fill == 0 || back[i] != row->fill))
			wrong("byte %zu is neither the old nor the new one", i);
}

static void check_cut(const struct powercut *cut, void *arg)
{
	const struct cut_row *row = arg;
	int code = RUN("check", "x");

	(void)cut;
	if (code != EXIT_OK && code != 3)
		wrong("it is damaged: %s", err.text);
	assert_old_or_new(row);
	if (RUN("check", "-r", "leaks", "x") != EXIT_OK)
		wrong("it cannot be repaired: %s", err.text);
	assert_old_or_new(row);
	if (RUN("bench", "-w", "-c", "1", "-s", "512", "--pattern=119", "-o", "90112", "x") !=
		    EXIT_OK ||
	    RUN("check", "x") != EXIT_OK)
		wrong("it cannot be written to: %s", err.text);
}

static void every_cut(void **state)
{
	static struct cut_row rows[] = {
		{ { "resize", "x", "1104384" }, { DISK, GROWN }, 0 },
		{ { "resize", "--shrink", "x", "12800" }, { DISK, 12800 }, 0 },
		{ { "bench", "-w", "-c", "9", "-s", "1024", "-S", "6144", "--flush-interval", "4",
		    "--pattern=119", "-o", "8192", "x" },
		  { DISK, DISK },
		  119 },
	};
	const struct powercut_plan plan = { .n_seeds = 2, .sample = 1 };

	(void)state;
	assert_int_equal(GROWN, 1104384);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct sim_files files;

		sim_volume(&small);
		make_dynamic();
		files = sim_files_keep();
		sim_files_restore(&small, &files);
		must(rows[i].words);
		assert_true(powercut_each(&small, &files, &plan, every, check_cut, &rows[i]) > 10);
		sim_files_drop(&files);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(names_the_field),
		cmocka_unit_test(small_blocks_of_a_large_disk),
		cmocka_unit_test(parents),
		cmocka_unit_test(footers),
		cmocka_unit_test(missing_end),
		cmocka_unit_test(differing_ends),
		cmocka_unit_test(saved_state_and_sums),
		cmocka_unit_test(nothing_is_reused),
		cmocka_unit_test(fills_in_place),
		cmocka_unit_test(footer_moves_first),
		cmocka_unit_test(grows_by_zeros),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
