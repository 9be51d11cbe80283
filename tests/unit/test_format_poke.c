/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As test_poke.c, for the formats other than qcow2: images of which one field says something
 * absurd. Each command ends with an exit code of its own and words that name the file, in a bounded
 * time and memory. Checksums are put right, so that the field itself is looked at.
 *
 * A layout tells where an image of a format has its fields, as the format's specification does; one
 * of a format that the program does not have, or cannot create, is left out.
 */
#include "base/crc32c.h"
#include "format/format.h"
#include "operation.h"
#include "powercut.h"
#include "run.h"

enum { REGIONS = 12, READING = 5, MEMORY_MAX = 80 << 20 };

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

/* Fields of one width, side by side. */
struct region {
	uint64_t offset;
	unsigned n, width;
};

/* The image's bytes, which a layout may look at to find what has no fixed place. */
static uint64_t get(const struct bytes *b, uint64_t offset, unsigned width, bool big)
{
	uint64_t value = 0;

	assert_true(offset + width <= b->size);
	for (unsigned i = 0; i < width; i++)
		value = value << 8 | b->at[big ? offset + i : offset + width - 1 - i];
	return value;
}

static void put(const struct bytes *b, uint64_t offset, unsigned width, bool big, uint64_t value)
{
	assert_true(offset + width <= b->size);
	for (unsigned i = 0; i < width; i++)
		b->at[big ? offset + width - 1 - i : offset + i] = (uint8_t)(value >> 8 * i);
}

/* ---- VHD ---- */

static uint32_t vpc_sum(const struct bytes *b, uint64_t offset, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += b->at[offset + i];
	return ~sum;
}

static void vpc_seal_at(const struct bytes *b, uint64_t offset, uint64_t field, size_t n)
{
	put(b, offset + field, 4, true, 0);
	put(b, offset + field, 4, true, vpc_sum(b, offset, n));
}

static void vpc_seal(const struct bytes *b)
{
	vpc_seal_at(b, 0, 64, 512);
	vpc_seal_at(b, 512, 36, 1024);
	memcpy(b->at + b->size - 512, b->at, 512);
}

static void vpc_fixed_seal(const struct bytes *b)
{
	vpc_seal_at(b, b->size - 512, 64, 512);
}

static void vpc_find(const struct bytes *b, struct region *ret)
{
	(void)b;
	memcpy(ret,
	       (const struct region[]){ { 8, 2, 4 },
					{ 16, 1, 8 },
					{ 24, 4, 4 },
					{ 40, 2, 8 },
					{ 56, 2, 2 },
					{ 60, 1, 4 },
					{ 84, 1, 1 },
					{ 512, 3, 8 },
					{ 536, 3, 4 },
					{ 1536, 3, 4 } },
	       10 * sizeof *ret);
}

static void vpc_fixed_find(const struct bytes *b, struct region *ret)
{
	vpc_find(b, ret);
	for (size_t i = 0; i < 7; i++)
		ret[i].offset += b->size - 512;
	memset(ret + 7, 0, 3 * sizeof *ret);
}

/* ---- VHDX ---- */

enum { KIB64 = 64 << 10 };

static void vhdx_seal_at(const struct bytes *b, uint64_t offset, size_t n)
{
	put(b, offset + 4, 4, false, 0);
	put(b, offset + 4, 4, false, crc32c(0, b->at + offset, n));
}

/* Both headers, and both region tables, are as the first. */
static void vhdx_seal(const struct bytes *b)
{
	vhdx_seal_at(b, KIB64, 4096);
	memcpy(b->at + 2 * KIB64, b->at + KIB64, 4096);
	vhdx_seal_at(b, 3 * KIB64, KIB64);
	memcpy(b->at + 4 * KIB64, b->at + 3 * KIB64, KIB64);
}

static void vhdx_find(const struct bytes *b, struct region *ret)
{
	const uint64_t regions = 3 * KIB64 + 16;
	uint64_t first = get(b, regions + 16, 8, false), second = get(b, regions + 48, 8, false);
	bool is_metadata = memcmp(b->at + first, "metadata", 8) == 0;
	uint64_t metadata = is_metadata ? first : second, bat = is_metadata ? second : first;

	memcpy(ret,
	       (const struct region[]){ { KIB64 + 8, 1, 8 },
					{ KIB64 + 48, 2, 8 },
					{ KIB64 + 64, 2, 2 },
					{ KIB64 + 68, 1, 4 },
					{ KIB64 + 72, 1, 8 },
					{ regions - 8, 1, 4 },
					{ regions, 8, 8 },
					{ regions + 24, 2, 4 },
					{ metadata + 8, 2, 2 },
					{ metadata + 32, 40, 4 },
					{ metadata + KIB64, 10, 4 },
					{ bat, 3, 8 } },
	       12 * sizeof *ret);
}

/* ---- the others ---- */

static void vmdk_find(const struct bytes *b, struct region *ret)
{
	uint64_t redundant = get(b, 48, 8, false) * 512, gd = get(b, 56, 8, false) * 512;

	memcpy(ret,
	       (const struct region[]){ { 4, 2, 4 },
					{ 12, 4, 8 },
					{ 44, 1, 4 },
					{ 48, 3, 8 },
					{ 72, 5, 1 },
					{ 77, 1, 2 },
					{ redundant, 2, 4 },
					{ gd, 2, 4 },
					{ get(b, gd, 4, false) * 512, 3, 4 } },
	       9 * sizeof *ret);
}

/* The header; the footer and what it names; the marker of the first grain. */
static void vmdk_stream_find(const struct bytes *b, struct region *ret)
{
	uint64_t footer = b->size - 1024, gd = get(b, footer + 56, 8, false) * 512,
		 overhead = get(b, 64, 8, false) * 512;

	memcpy(ret,
	       (const struct region[]){ { 4, 2, 4 },
					{ 12, 4, 8 },
					{ 44, 1, 4 },
					{ 48, 3, 8 },
					{ 77, 1, 2 },
					{ footer, 3, 4 },
					{ footer + 12, 2, 8 },
					{ footer + 48, 3, 8 },
					{ gd, 1, 4 },
					{ get(b, gd, 4, false) * 512, 3, 4 },
					{ overhead, 1, 8 },
					{ overhead + 8, 1, 4 } },
	       12 * sizeof *ret);
}

static void vmdk_text_find(const struct bytes *b, struct region *ret)
{
	/* digits and words of the lines */
	ret[0] = (struct region){ 0, (unsigned)(b->size < 400 ? b->size : 400), 1 };
}

static void vdi_find(const struct bytes *b, struct region *ret)
{
	uint64_t map = get(b, 340, 4, false);

	memcpy(ret,
	       (const struct region[]){ { 64, 5, 4 },
					{ 340, 7, 4 },
					{ 368, 1, 8 },
					{ 376, 4, 4 },
					{ 424, 4, 8 },
					{ map, 3, 4 } },
	       6 * sizeof *ret);
}

static void qed_find(const struct bytes *b, struct region *ret)
{
	uint64_t l1 = get(b, 40, 8, false);

	memcpy(ret,
	       (const struct region[]){ { 4, 3, 4 },
					{ 16, 5, 8 },
					{ 56, 2, 4 },
					{ l1, 2, 8 },
					{ get(b, l1, 8, false), 3, 8 } },
	       5 * sizeof *ret);
}

static void parallels_find(const struct bytes *b, struct region *ret)
{
	(void)b;
	memcpy(ret,
	       (const struct region[]){
		       { 16, 5, 4 }, { 36, 1, 8 }, { 44, 3, 4 }, { 56, 1, 8 }, { 64, 3, 4 } },
	       5 * sizeof *ret);
}

static void qcow_find(const struct bytes *b, struct region *ret)
{
	uint64_t l1 = get(b, 40, 8, true);

	memcpy(ret,
	       (const struct region[]){ { 4, 1, 4 },
					{ 8, 1, 8 },
					{ 16, 2, 4 },
					{ 24, 1, 8 },
					{ 32, 4, 1 },
					{ 36, 1, 4 },
					{ 40, 1, 8 },
					{ l1, 1, 8 },
					{ get(b, l1, 8, true), 3, 8 } },
	       9 * sizeof *ret);
}

static const struct layout {
	const char *name, *format, *options;
	bool big; /* endian */
	void (*find)(const struct bytes *, struct region *ret);
	void (*seal)(const struct bytes *); /* NULL: there are no checksums */
} layouts[] = {
	{ "vpc", "vpc", "force_size=on", true, vpc_find, vpc_seal },
	{ "vpc/fixed", "vpc", "subformat=fixed,force_size=on", true, vpc_fixed_find,
	  vpc_fixed_seal },
	{ "vhdx", "vhdx", "block_size=1M,log_size=1M", false, vhdx_find, vhdx_seal },
	{ "vmdk", "vmdk", "subformat=monolithicSparse", false, vmdk_find, NULL },
	{ "vmdk/stream", "vmdk", "subformat=streamOptimized", false, vmdk_stream_find, NULL },
	{ "vmdk/text", "vmdk", "subformat=twoGbMaxExtentSparse", false, vmdk_text_find, NULL },
	{ "vdi", "vdi", "static=off", false, vdi_find, NULL },
	{ "qed", "qed", "cluster_size=4k,table_size=2", false, qed_find, NULL },
	{ "parallels", "parallels", "cluster_size=4k", false, parallels_find, NULL },
	{ "qcow", "qcow", "size=40960", true, qcow_find, NULL },
};

/* What is run on it: of what changes the image, one for each value in turn. "@" is the format. */
static const char *const lines[][WORDS] = {
	{ "info", "--output=json", "a" },
	{ "check", "a" },
	{ "map", "--output=json", "a" },
	{ "measure", "-O", "qcow2", "a" },
	{ "compare", "a", "random" },
	{ "resize", "a", "+100k" },
	{ "convert", "-n", "-f", "raw", "-O", "@", "random", "a" },
	{ "convert", "-O", "qcow2", "a", "b" },
	{ "bench", "-w", "-q", "-c", "1", "-o", "20k", "a" },
	{ "commit", "a" },
	{ "rebase", "-u", "-b", "", "a" },
};

static bool is_answer(const char *command, int code)
{
	bool words = strncmp(err.text, "efi-img: ", 9) == 0;

	if (strcmp(command, "check") == 0)
		return code == 0 || code == 2 || code == 3 || code == 63 ||
		       (code == EXIT_ERROR && (words || strstr(err.text, ": ") != NULL));
	if (strcmp(command, "compare") == 0)
		return code == 0 || code == 1 || (code <= 4 && words);
	return code == EXIT_OK || (code == EXIT_ERROR && words);
}

static void try_line(const struct layout *layout, const char *const words[])
{
	const char *line[WORDS] = { NULL };
	int code;

	for (size_t i = 0; i < WORDS && words[i] != NULL; i++)
		line[i] = strcmp(words[i], "@") == 0 ? layout->format : words[i];
	sim_peak_restart();
	code = run(line);
	if (!is_answer(words[0], code) || sim_allocations() != 0 || sim_peak_bytes() > MEMORY_MAX)
		wrong("%s %s: code %d, %zu allocations left, %zu bytes at most: %s", words[0],
		      words[1], code, sim_allocations(), sim_peak_bytes(), err.text);
}

/* A repair, where there is one, leaves nothing that it could repair. */
static void try_repair(const struct layout *layout)
{
	static const char *const words[WORDS] = { "check", "-r", "all", "a" };
	struct sim_files repaired;
	uint64_t size;

	try_line(layout, words);
	repaired = sim_files_keep();
	try_line(layout, words);
	for (size_t i = 0; i < repaired.n; i++)
		if (memcmp(sim_file(repaired.file[i].name, &size), repaired.file[i].bytes,
			   repaired.file[i].size) != 0 ||
		    size != repaired.file[i].size)
			wrong("repairing it once more changes it");
	sim_files_drop(&repaired);
}

static void try(const struct layout *layout, const struct sim_files *files,
		const struct bytes *poked)
{
	static size_t turn = READING;

	turn = turn + 1 < N_OF(lines) ? turn + 1 : READING;
	for (size_t i = 0; i <= N_OF(lines); i++) {
		if (i >= READING && i != turn && i != N_OF(lines))
			continue;
		sim_files_restore(&roomy, files);
		sim_file_put("a", poked->at, poked->size);
		if (i < N_OF(lines))
			try_line(layout, lines[i]);
		else
			try_repair(layout);
	}
}

static struct sim_files prepare(const struct layout *layout)
{
	uint8_t bytes[40 << 10];

	sim_volume(&roomy);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i / 5000 % 2 == 0 ? i * i / 300 : 0);
	sim_file_put("random", bytes, sizeof bytes);
	MUST("convert", "-f", "raw", "-O", layout->format, "-o", layout->options, "random", "a");
	return sim_files_keep();
}

static unsigned poke_field(const struct layout *layout, const struct sim_files *files,
			   const struct bytes *sound, uint64_t offset, unsigned width)
{
	const uint64_t old = get(sound, offset, width, layout->big);
	const uint64_t values[] = { 0,
				    UINT64_MAX,
				    UINT64_MAX - 1,
				    1,
				    old + 1,
				    old ^ (UINT64_C(1) << (8 * width - 1)),
				    UINT64_C(1) << 30,
				    UINT64_C(1) << 45,
				    sound->size / 512,
				    (sound->size + 511) / 512 * 512 };
	struct bytes poked = { test_malloc(sound->size), sound->size };
	unsigned tried = 0;

	for (size_t i = 0; i < N_OF(values); i++) {
		memcpy(poked.at, sound->at, sound->size);
		put(&poked, offset, width, layout->big, values[i]);
		if (layout->seal != NULL)
			layout->seal(&poked);
		if (!trying("poked/%s/%zu-%u/0x%zx", layout->name, (size_t)offset, width,
			    (size_t)values[i]))
			continue;
		try(layout, files, &poked);
		tried++;
	}
	test_free(poked.at);
	return tried;
}

static unsigned poke_each(const struct layout *layout)
{
	struct sim_files files = prepare(layout);
	struct region region[REGIONS + 1] = { 0 };
	struct bytes sound = { .at = NULL };
	const uint8_t *image = sim_file("a", &sound.size);
	unsigned tried = 0;

	sound.at = test_malloc(sound.size);
	memcpy(sound.at, image, sound.size);
	layout->find(&sound, region);
	for (size_t i = 0; region[i].n > 0; i++)
		for (unsigned k = 0; k < region[i].n; k++)
			tried += poke_field(layout, &files, &sound,
					    region[i].offset + k * region[i].width,
					    region[i].width);
	sim_files_drop(&files);
	test_free(sound.at);
	return tried;
}

static void every_field(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(layouts); i++) {
		const struct image_format *format = image_format_find(layouts[i].format);

		if (format != NULL && format->create.plan != NULL)
			tried += poke_each(&layouts[i]);
	}
	print_message("| poked fields of other formats | %u | commands each | %d |\n", tried,
		      READING + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
