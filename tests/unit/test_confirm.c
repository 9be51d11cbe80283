/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/text.h"
#include "base/words.h"
#include "disk/confirm.h"
#include "disk/port.h"
#include "disk/serial.h"

/*
 * Names of disks and the words that confirm what is written over, of made-up machines: each two or
 * three of the serial numbers below on their disks, in every order and also twice, and four or five
 * by chance; with a GPT, copies of the same GPT, an MBR, or nothing on them. Whatever the serial
 * numbers are, the best name of a disk or partition finds that one and nothing else, what --erase
 * wants of one is never what it wants of another, and so is the word that the menu wants.
 */

enum { DISKS_MAX = 5, PARTS = 3, RANDOM_MACHINES = 4000 };

static const char *const serials[] = {
	"",
	"S4X9NG0R12",
	"WD-WCC3F77",
	/* Equal at one end or the other. */
	"AAAA1234",
	"BBBB1234",
	"AAAA12345",
	/* Different in case only. */
	"abcd9876",
	"ABCD9876",
	/* In each bridge of their kind. */
	"123456789299",
	"0123456789ABCDEF",
	"000000000000",
	"00000001",
	"WWWWWW",
	/* As if they named a partition. */
	"X",
	"X:1",
	"X:1:2",
	"X:7",
	/* Names of something else. */
	"guid=01010101-0101-0101-0101-010101010101",
	"01010101-0101-0101-0101-010101010101",
	"PciRoot(0x0)/Pci(0x0,0x0)",
	"PciRoot(0x0)/Pci(0x1,0x0):1",
	"path=PciRoot(0x0)/Pci(0x0,0x0)",
	"blk1:",
	"BLK0:",
	"serial=X",
	/* Words for other disks. */
	"DISK1",
	"DISK2P1",
	"1DISK2",
	"DISK",
	/* What the shell takes for something else. */
	"A B  C",
	"A\"B\"C",
	"A=B",
	"A^B",
	"\xc3\xa4\xc3\xb6-1234",
	"%PATH%",
	"#1234",
	"a,b;c",
	"12:34:56",
};

enum table { TABLE_NONE, TABLE_MBR, TABLE_GPT, TABLE_COPY, N_TABLES };

struct made {
	struct inventory inventory;
	struct inventory_disk disk[DISKS_MAX];
	struct device device[DISKS_MAX * (1 + PARTS)];
	struct inventory_part part[DISKS_MAX][PARTS];
	struct part entry[DISKS_MAX][PARTS];
	char path[DISKS_MAX * (1 + PARTS)][64], name[DISKS_MAX * (1 + PARTS)][16],
		*names[DISKS_MAX * (1 + PARTS)];
};

static struct device *add_device(struct made *m, const char *path, const char *serial)
{
	size_t i = m->inventory.devices.n++;

	snprintf(m->path[i], sizeof m->path[i], "%s", path);
	snprintf(m->name[i], sizeof m->name[i], "blk%zu:", i);
	m->names[i] = m->name[i];
	m->device[i] = (struct device){
		.id = i,
		.names = &m->names[i],
		.n_names = 1,
		.path = m->path[i],
		.parent = DEVICE_NO_PARENT,
		.bus = "USB",
		.model = (char *)"Disk",
		.serial = (char *)(uintptr_t)serial,
		.size_bytes = 1 << 20,
		.block_bytes = 512,
		.medium = true,
	};
	return &m->device[i];
}

/* The third partition is one that the firmware shows, and no table has. */
static void add_disk(struct made *m, const char *serial, enum table table)
{
	size_t n = m->inventory.n++;
	struct inventory_disk *disk = &m->disk[n];
	char path[64];

	snprintf(path, sizeof path, "PciRoot(0x0)/Pci(0x%zX,0x0)", n);
	*disk = (struct inventory_disk){ .device = add_device(m, path, serial),
					 .part = m->part[n],
					 .n = table != TABLE_NONE ? PARTS : 0 };
	disk->table.kind = table == TABLE_MBR    ? PART_MBR
			   : table == TABLE_NONE ? PART_NONE
						 : PART_GPT;
	if (disk->table.kind == PART_GPT)
		memset(&disk->table.disk_guid, table == TABLE_COPY ? 0x01 : 0x10 + (int)n,
		       sizeof disk->table.disk_guid);
	for (size_t i = 0; i < disk->n; i++) {
		struct part *entry = &m->entry[n][i];

		*entry = (struct part){ .number = (uint32_t)i + 1, .type_name = "" };
		memset(&entry->guid,
		       table == TABLE_COPY ? 0x02 + (int)i : 0x80 + (int)(n * PARTS + i),
		       sizeof entry->guid);
		snprintf(path, sizeof path, "PciRoot(0x0)/Pci(0x%zX,0x0)/HD(%zu)", n, i + 1);
		disk->part[i] = (struct inventory_part){
			.entry = i + 1 < PARTS ? entry : NULL,
			.device = add_device(m, path, ""),
			.volume.type = "",
		};
	}
}

static void begin(struct made *m)
{
	m->inventory = (struct inventory){ .disk = m->disk, .devices.device = m->device };
}

/* ---- what must hold ---- */

struct named {
	struct selection selection;
	char selector[SELECTOR_BYTES], typed[SELECTOR_BYTES + 16];
	struct confirm_word word;
};

static const char *value_of(const struct named *named)
{
	for (const char *const *prefix = (const char *const[]){ "serial=", "guid=", "path=", NULL };
	     *prefix != NULL; prefix++)
		if (text_starts_with(named->selector, *prefix))
			return named->selector + strlen(*prefix);
	return named->selector;
}

/* Whether the serial numbers of other disks are all the names that a device has: then it is called
 * nothing. */
static bool is_taken(const struct inventory *inventory, const struct device *device)
{
	bool path = false, name = false;

	for (size_t i = 0; i < inventory->n; i++) {
		const char *serial = inventory->disk[i].device->serial;

		path = path || text_equal_nocase(serial, device->path);
		name = name || text_equal_nocase(serial, device->names[0]);
	}
	return path && name;
}

static void check_one(const struct inventory *inventory, struct named *named, const char *what)
{
	struct selection found;
	struct out_buffer out;
	struct words words;
	struct error err;

	named->word = confirm_word(inventory, &named->selection);
	out_buffer_init(&out, named->selector, sizeof named->selector);
	selector_print(inventory, &named->selection, &out.out);
	if (out.length == 0) {
		if (!is_taken(inventory, named->selection.part != NULL
						 ? named->selection.part->device
						 : named->selection.disk->device))
			fail_msg("%s: something has no name", what);
		return;
	}
	if (selector_find(inventory, named->selector, &found, &err) != ST_OK)
		fail_msg("%s: %s is not found: %s", what, named->selector, err.text);
	if (found.disk != named->selection.disk || found.part != named->selection.part)
		fail_msg("%s: %s is something else", what, named->selector);
	out_buffer_init(&out, named->typed, sizeof named->typed);
	selector_print_typed(inventory, &named->selection, &out.out);
	assert_ok(words_split(named->typed, &words, &err));
	if (words.n != 1 || strcmp(words.word[0], named->selector) != 0 ||
	    strpbrk(named->typed, "^%#<>|&;*?") != NULL)
		fail_msg("%s: %s is not what is typed: %s", what, named->selector, named->typed);
	words_free(&words);
	if (named->word.text[0] == '\0' ||
	    strspn(named->word.text,
		   "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") !=
		    strlen(named->word.text))
		fail_msg("%s: \"%s\" cannot be typed", what, named->word.text);
}

static void check_machine(const struct made *m)
{
	static struct named named[DISKS_MAX * (1 + PARTS)];
	char what[512];
	size_t n = 0, length = 0;

	for (size_t i = 0; i < m->inventory.n; i++)
		length += (size_t)snprintf(what + length, sizeof what - length, "[%s/%d]",
					   m->disk[i].device->serial, m->disk[i].table.kind);
	for (size_t i = 0; i < m->inventory.n; i++)
		for (size_t k = 0; k <= m->disk[i].n; k++) {
			named[n].selection = (struct selection){ &m->disk[i],
								 k > 0 ? &m->disk[i].part[k - 1]
								       : NULL };
			check_one(&m->inventory, &named[n++], what);
		}
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			const struct named *a = &named[i], *b = &named[k];

			if (text_equal_nocase(a->word.text, b->word.text))
				fail_msg("%s: \"%s\" confirms %s and %s", what, a->word.text,
					 a->selector, b->selector);
			if (a->selector[0] == '\0' || b->selector[0] == '\0')
				continue;
			if (text_equal_nocase(value_of(a), value_of(b)) ||
			    text_equal_nocase(value_of(a), b->selector) ||
			    text_equal_nocase(a->selector, value_of(b)))
				fail_msg("%s: --erase=%s is for %s and %s", what, value_of(a),
					 a->selector, b->selector);
		}
}

/* ---- the machines ---- */

static void test_machines_of_two(void **state)
{
	static struct made m;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(serials) * N_OF(serials) * N_TABLES * N_TABLES; i++, n++) {
		begin(&m);
		add_disk(&m, serials[i % N_OF(serials)],
			 (enum table)(i / (N_OF(serials) * N_OF(serials)) % N_TABLES));
		add_disk(&m, serials[i / N_OF(serials) % N_OF(serials)],
			 (enum table)(i / (N_OF(serials) * N_OF(serials) * N_TABLES)));
		check_machine(&m);
	}
	print_message("%zu machines\n", n);
}

/* Those with the same table on all disks: each 7th of them, with SAMPLE=1 in the environment all.
 */
static void test_machines_of_three(void **state)
{
	static struct made m;
	size_t n = N_OF(serials), step = getenv("SAMPLE") != NULL ? 1 : 7;

	(void)state;
	for (size_t i = 0; i < n * n * n; i += step) {
		static const enum table tables[] = { TABLE_MBR, TABLE_COPY, TABLE_NONE };

		begin(&m);
		for (size_t k = 0, rest = i; k < 3; k++, rest /= n)
			add_disk(&m, serials[rest % n], tables[i % N_OF(tables)]);
		check_machine(&m);
	}
	print_message("%zu machines\n", (n * n * n + step - 1) / step);
}

static void test_larger_machines(void **state)
{
	static struct made m;
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < RANDOM_MACHINES; i++) {
		begin(&m);
		for (size_t k = 0; k < 4 + i % 2; k++) {
			seed = seed * 1664525 + 1013904223;
			add_disk(&m, serials[(seed >> 16) % N_OF(serials)],
				 (enum table)(seed >> 12 & 3));
		}
		check_machine(&m);
	}
}

/* ---- some of them ---- */

static void test_words(void **state)
{
	static const struct {
		const char *serial, *other, *disk, *part;
	} rows[] = {
		{ "S4X9NG0R12", "WD-WCC3F77", "0R12", "0R12P2" },
		{ "AAAA1234", "BBBB1234", "DISK1", "DISK1P2" },
		{ "abcd9876", "ABCD9876", "DISK1", "DISK1P2" },
		{ "S4X9NG0R12", "S4X9NG0R12", "DISK1", "DISK1P2" },
		{ "123456789299", "S4X9NG0R12", "DISK1", "DISK1P2" },
		{ "000000000000", "", "DISK1", "DISK1P2" },
		{ "", "", "DISK1", "DISK1P2" },
		{ "X12", "", "DISK1", "DISK1P2" },     /* too short to be the end of anything */
		{ "SN-A-12", "", "DISK1", "DISK1P2" }, /* not where it is on every keyboard */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		static struct made m;
		struct confirm_word word;

		begin(&m);
		add_disk(&m, rows[i].serial, TABLE_MBR);
		add_disk(&m, rows[i].other, TABLE_MBR);
		word = confirm_word(&m.inventory, &(struct selection){ &m.disk[0], NULL });
		assert_string_equal(word.text, rows[i].disk);
		assert_int_equal(word.n_serial, rows[i].disk[0] != 'D' ? 4 : 0);
		word = confirm_word(&m.inventory,
				    &(struct selection){ &m.disk[0], &m.disk[0].part[1] });
		assert_string_equal(word.text, rows[i].part);
		word = confirm_word(&m.inventory,
				    &(struct selection){ &m.disk[1], &m.disk[1].part[2] });
		assert_string_equal(word.text + strlen(word.text) - 2, "X3");
	}
}

/* adversary 8: a serial number that looks like the partition of another disk is no name, and
 * neither is that partition's. */
static void test_serial_like_a_partition(void **state)
{
	static const struct {
		size_t disk, part;
		const char *name;
	} rows[] = {
		{ 0, 0, "serial=X" },     { 0, 1, "path=PciRoot(0x0)/Pci(0x0,0x0):1" },
		{ 0, 2, "serial=X:2" },   { 1, 0, "path=PciRoot(0x0)/Pci(0x1,0x0)" },
		{ 1, 1, "serial=X:1:1" },
	};
	static struct made m;
	struct selection found;
	struct out_buffer out;
	struct error err;
	char text[SELECTOR_BYTES];

	(void)state;
	begin(&m);
	add_disk(&m, "X", TABLE_MBR);
	add_disk(&m, "X:1", TABLE_MBR);
	assert_int_equal(selector_find(&m.inventory, "serial=X:1", &found, &err), ST_INVALID);
	assert_non_null(strstr(err.text, "path=PciRoot(0x0)/Pci(0x1,0x0)  (blk4:"));
	assert_non_null(strstr(err.text, "path=PciRoot(0x0)/Pci(0x0,0x0):1  (blk1:"));
	assert_int_equal(selector_find(&m.inventory, "serial=X:9", &found, &err), ST_NOT_FOUND);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct inventory_disk *disk = &m.disk[rows[i].disk];

		out_buffer_init(&out, text, sizeof text);
		selector_print(&m.inventory,
			       &(struct selection){ disk, rows[i].part > 0
								  ? &disk->part[rows[i].part - 1]
								  : NULL },
			       &out.out);
		assert_string_equal(text, rows[i].name);
	}
	/* Without that partition as well: otherwise the name of one disk would depend on what is on
	 * the other one. */
	m.disk[0].n = 0;
	assert_int_equal(selector_find(&m.inventory, "serial=X:1", &found, &err), ST_INVALID);
	assert_non_null(strstr(err.text, "serial=X  (blk0:"));
}

static void test_serials(void **state)
{
	static const struct {
		const char *serial;
		bool identifies;
	} rows[] = {
		{ "S4X9NG0R12", true },    { "", false },         { "D", true },
		{ "AAA", true },           { "AAAA", false },     { "0000", false },
		{ "000000000000", false }, { "00000001", false }, { "00000012", false },
		{ "00000123", true },      { "000012", true },    { "123456789299", false },
		{ "123456789", false },    { "1234567", true },   { "0123456789ABCDEF", false },
		{ "78901234", false },     { "78901235", true },  { "A B", true },
		{ "A\"B", false },         { "A\tB", false },     { "\xc3\xa4", false },
		{ "A%B", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_row(serial_identifies(rows[i].serial) == rows[i].identifies, i);
}

static void test_ports(void **state)
{
	static const struct {
		const char *path, *words;
	} rows[] = {
		{ "PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x1,0xFFFF,0x0)", "PCI 1F.2, SATA port 1" },
		{ "PciRoot(0x0)/Pci(0x1C,0x0)/Pci(0x0,0x0)/NVMe(0x2,00-25-38-5B-71-B0-2A-11)",
		  "PCI 1C.0/0.0, NVMe namespace 2" },
		{ "PciRoot(0x0)/Pci(0xA,0x0)", "PCI A.0" },
		{ "PciRoot(0x0)/Pci(0x14,0x0)/USB(0x2,0x0)/USB(0x1,0x0)",
		  "PCI 14.0, USB port 2-1" },
		{ "PciRoot(0x0)/Pci(0x3,0x0)/Scsi(0x1,0x7)", "PCI 3.0, SCSI target 1, LUN 7" },
		{ "PciRoot(0x0)/Pci(0x1,0x1)/Ata(Primary,Slave,0x0)",
		  "PCI 1.1, IDE primary slave" },
		{ "PciRoot(0x0)/Pci(0x4,0x0)/SD(0x1)", "PCI 4.0, card slot 1" },
		{ "PciRoot(0x0)/Pci(0x4,0x0)/eMMC(0x0)/Ctrl(0x0)", "PCI 4.0, eMMC slot 0" },
		{ "PciRoot(0x0)/Pci(0x4,0x0)/UFS(0x0,0x1)", "PCI 4.0, UFS device 0, LUN 1" },
		{ "PciRoot(0x0)/Pci(0x14,0x0)/USB(3,0)/Unit(1)", "PCI 14.0, USB port 3, LUN 1" },
		{ "VenHw(E61D73B9-A384-4ACC-AEAB-82E828F3628B,01/02(03))", "" },
		{ "", "" },
		{ "a.img", "" },
		{ "((((", "" },
		{ "Pci", "PCI 0.0" },
		{ "Ata(", "IDE " },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct out_buffer out;
		char text[128];

		out_buffer_init(&out, text, sizeof text);
		port_print(rows[i].path, &out.out);
		assert_string_equal(text, rows[i].words);
	}
}

/* Twins are told apart by their ports, or by their paths where the ports have the same words;
 * others need nothing. */
static void test_twins(void **state)
{
	static struct made m;
	struct out_buffer out;
	char text[128];

	(void)state;
	begin(&m);
	add_disk(&m, "TWIN", TABLE_NONE);
	add_disk(&m, "twin", TABLE_NONE);
	add_disk(&m, "OTHER", TABLE_NONE);
	for (size_t i = 0; i < 3; i++) {
		static const char *const ports[] = { "PCI 0.0", "PCI 1.0", "" };

		out_buffer_init(&out, text, sizeof text);
		assert_int_equal(port_print_of_twin(&m.inventory, &m.disk[i], &out.out), i < 2);
		assert_string_equal(text, ports[i]);
	}
	strcpy(m.path[1], "PciRoot(0x1)/Pci(0x0,0x0)");
	out_buffer_init(&out, text, sizeof text);
	assert_true(port_print_of_twin(&m.inventory, &m.disk[1], &out.out));
	assert_string_equal(text, "PciRoot(0x1)/Pci(0x0,0x0)");
	m.device[0].size_bytes++;
	out_buffer_init(&out, text, sizeof text);
	assert_false(port_print_of_twin(&m.inventory, &m.disk[1], &out.out));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines_of_two),
		cmocka_unit_test(test_machines_of_three),
		cmocka_unit_test(test_larger_machines),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_serial_like_a_partition),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
