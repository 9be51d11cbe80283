/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/text.h"
#include "disk/selector.h"
#include "machine.h"
#include "storage/storage.h"
#include "tables.h"

static struct storage storage;

enum { MIB = 1 << 20 };

/*
 * A machine with four disks: one with a GPT; two with the same serial number, one of which has a
 * GPT; and one without serial number and GPT.
 */
struct machine {
	struct sim_device device[5];
	struct memory_blk *gpt, *twin, *other, *bare;
};

static struct memory_blk *disk(size_t n_parts)
{
	static const struct sim_part parts[] = { { sim_esp, 40, 99, "one" },
						 { sim_linux, 100, 299, "two" } };
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = MIB, .block_bytes = 512 });

	if (n_parts > 0)
		sim_gpt(m, parts, n_parts);
	return m;
}

static void set_up(struct machine *m)
{
	*m = (struct machine){ .gpt = disk(2), .twin = disk(1), .other = disk(0), .bare = disk(0) };
	sim_put(m->twin, 512 + 56, 0x1234, 8); /* a GUID of its own */
	sim_put(m->twin, 2 * 512 + 16, 0x5678, 8);
	sim_gpt_seal(m->twin, 1);
	memcpy(m->gpt->bytes + 100 * 512, "partition two", 13);
	sim_mbr_record(m->bare, 0, 0, 0x83, 10, 90);
#define DISK(memory, ...) \
	.parent = DEVICE_NO_PARENT, .bus = "NVMe", .size_bytes = MIB, .block_bytes = 512, \
	.medium = true, .blk = &(memory)->blk, __VA_ARGS__
	m->device[0] = (struct sim_device){ "blk0:",
					    { DISK(m->gpt, .path = (char *)"Pci(0x1)",
						   .serial = (char *)"S4X9:1",
						   .model = (char *)"Fast") } };
	m->device[1] = (struct sim_device){ "fs0: blk1:",
					    { .parent = 0,
					      .path = (char *)"Pci(0x1)/HD(1)",
					      .start_bytes = 40 * 512,
					      .size_bytes = 60 * 512 } };
	m->device[2] = (struct sim_device){
		"blk2:", { DISK(m->twin, .path = (char *)"Pci(0x2)", .serial = (char *)"TWIN") }
	};
	m->device[3] = (struct sim_device){
		"blk3:", { DISK(m->other, .path = (char *)"Pci(0x3)", .serial = (char *)"TWIN") }
	};
	m->device[4] = (struct sim_device){ "blk4:",
					    { DISK(m->bare, .path = (char *)"Usb(0x1)") } };
	sim_machine(m->device, N_OF(m->device));
}

static void tear_down(struct machine *m)
{
	storage_end(&storage);
	sim_machine(NULL, 0);
	blk_close(&m->gpt->blk);
	blk_close(&m->twin->blk);
	blk_close(&m->other->blk);
	blk_close(&m->bare->blk);
	assert_int_equal(sim_allocations(), 0);
}

static const struct {
	const char *name;
	enum status status;
	size_t disk, part; /* 0: the whole disk, else its partition */
	const char *words; /* NULL: found */
} searches[] = {
	{ "serial=S4X9:1", ST_OK, 0, 0, NULL },
	{ "serial=s4x9:1", ST_OK, 0, 0, NULL },
	{ "serial=S4X9:1:2", ST_OK, 0, 2, NULL },
	{ "serial=S4X9:1:3", ST_NOT_FOUND, 0, 0, "no partition 3" },
	{ "serial=S4X9:1:3", ST_NOT_FOUND, 0, 0, "serial=S4X9:1:2  (100 KiB)" },
	{ "serial=S4X9:1:", ST_NOT_FOUND, 0, 0, "no such disk" },
	{ "serial=S4X9", ST_NOT_FOUND, 0, 0, "serial=S4X9:1  (blk0: Fast, serial S4X9:1, 1 MiB)" },
	{ "serial=S4X9", ST_NOT_FOUND, 0, 0,
	  "path=Pci(0x3)  (blk3: serial TWIN, 1 MiB, at PCI 3.0)" },
	{ "serial=TWIN", ST_INVALID, 0, 0, "2 disks or partitions match" },
	{ "serial=TWIN", ST_INVALID, 0, 0, "guid=00001234-0000-0000-d1d1-d1d1d1d1d1d1  (blk2:" },
	{ "serial=TWIN", ST_INVALID, 0, 0, "path=Pci(0x3)  (blk3:" },
	{ "serial=TWIN:1", ST_INVALID, 0, 0, "2 disks or partitions match" },
	{ "serial=", ST_INVALID, 0, 0, "lacks a value" },
	{ "serial=:1", ST_NOT_FOUND, 0, 0, "no such disk" },
	{ "guid=D1D1D1D1-d1d1-d1d1-d1d1-d1d1d1d1d1d1", ST_OK, 0, 0, NULL },
	{ "guid=d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1:1", ST_OK, 0, 1, NULL },
	{ "guid=00001234-0000-0000-d1d1-d1d1d1d1d1d1", ST_OK, 1, 0, NULL },
	{ "guid=02020202-0202-0202-0202-020202020202", ST_OK, 0, 2, NULL },
	{ "guid=02020202-0202-0202-0202-020202020202:1", ST_NOT_FOUND, 0, 0, "no such disk" },
	{ "guid=02020202", ST_NOT_FOUND, 0, 0, "no such disk" },
	{ "path=Pci(0x1)/HD(1)", ST_OK, 0, 1, NULL },
	{ "path=pci(0X1):2", ST_OK, 0, 2, NULL },
	{ "path=Usb(0x1)", ST_OK, 3, 0, NULL },
	{ "path=Usb(0x1):1", ST_OK, 3, 1, NULL },
	{ "path=Usb(0x1):18446744073709551617", ST_NOT_FOUND, 0, 0, "no such disk" },
	{ "blk3:", ST_OK, 2, 0, NULL },
	{ "FS0:", ST_OK, 0, 1, NULL },
	{ "blk9:", ST_NOT_FOUND, 0, 0, "no such disk" },
	{ "", ST_INVALID, 0, 0, "lacks a value" },
};

static void test_find(void **state)
{
	struct inventory inventory;
	struct machine machine;
	struct error err;

	(void)state;
	set_up(&machine);
	assert_ok(inventory_read(&inventory, &err));
	for (size_t i = 0; i < N_OF(searches); i++) {
		struct selection found;
		enum status st = selector_find(&inventory, searches[i].name, &found, &err);

		assert_row(st == searches[i].status, i);
		if (st != ST_OK && strstr(err.text, searches[i].words) == NULL)
			fail_msg("row %zu: %s", i, err.text);
		if (st == ST_OK) {
			assert_row(found.disk == &inventory.disk[searches[i].disk], i);
			assert_row(found.part == (searches[i].part > 0
							  ? &found.disk->part[searches[i].part - 1]
							  : NULL),
				   i);
		}
	}
	inventory_free(&inventory);
	tear_down(&machine);
}

/* The name printed for each disk and partition leads back to it. */
static void test_best_name(void **state)
{
	static const char *const names[4][3] = {
		{ "serial=S4X9:1", "serial=S4X9:1:1", "serial=S4X9:1:2" },
		{ "guid=00001234-0000-0000-d1d1-d1d1d1d1d1d1",
		  "guid=00001234-0000-0000-d1d1-d1d1d1d1d1d1:1" },
		{ "path=Pci(0x3)" },
		{ "path=Usb(0x1)", "path=Usb(0x1):1" },
	};
	struct inventory inventory;
	struct machine machine;
	struct error err;

	(void)state;
	set_up(&machine);
	assert_ok(inventory_read(&inventory, &err));
	for (size_t i = 0; i < inventory.n; i++)
		for (size_t k = 0; k <= inventory.disk[i].n; k++) {
			struct selection selection = { &inventory.disk[i],
						       k > 0 ? &inventory.disk[i].part[k - 1]
							     : NULL },
					 found;
			char text[SELECTOR_BYTES];
			struct out_buffer out;

			out_buffer_init(&out, text, sizeof text);
			selector_print(&inventory, &selection, &out.out);
			assert_string_equal(text, names[i][k]);
			assert_ok(selector_find(&inventory, text, &found, &err));
			assert_ptr_equal(found.disk, selection.disk);
			assert_ptr_equal(found.part, selection.part);
		}
	inventory_free(&inventory);
	tear_down(&machine);
}

/* The place of a selector or of a file; and whether two places overlap. */
static void test_place(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{ "serial=S4X9:1", "serial=S4X9:1", true },
		{ "serial=S4X9:1", "part/file", true },
		{ "guid=02020202-0202-0202-0202-020202020202", "serial=S4X9:1", true },
		{ "part/file", "serial=S4X9:1:1", true },
		{ "serial=S4X9:1:1", "serial=S4X9:1:2", false },
		{ "serial=S4X9:1:2", "serial=S4X9:1:1", false },
		{ "serial=S4X9:1:1", "path=across", true },
		{ "path=across", "serial=S4X9:1:2", true },
		{ "serial=S4X9:1", "disk/file", false },
		{ "part/file", "disk/file", false },
		{ "disk/file", "path=Usb(0x1):1", true },
	};
	static const char *const nowhere[] = { "inner/file", "file", "serial=none",
					       "serial=S4X9:1:3" };
	struct sim_device device[8];
	struct selection a, b;
	struct inventory inventory;
	struct machine machine;
	struct error err;

	(void)state;
	set_up(&machine);
	memcpy(device, machine.device, sizeof machine.device);
	device[5] = (struct sim_device){ "fs1:", { .parent = 1, .path = (char *)"inner" } };
	device[6] = (struct sim_device){ "fs2:",
					 { .parent = 0,
					   .path = (char *)"across",
					   .start_bytes = 50 * 512,
					   .size_bytes = 100 * 512 } };
	device[7] = (struct sim_device){
		"fs3:",
		{ .parent = 0, .path = (char *)"beyond", .start_bytes = 2 * MIB, .size_bytes = MIB }
	};
	sim_machine(device, N_OF(device));
	sim_machine_files(1, NULL, "part/");
	sim_machine_files(4, NULL, "disk/");
	sim_machine_files(5, NULL, "inner/");
	assert_ok(inventory_read(&inventory, &err));
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_row(selector_place(&inventory, rows[i].a, &a) &&
				   selector_place(&inventory, rows[i].b, &b),
			   i);
		assert_row(selector_overlap(&a, &b) == rows[i].overlap, i);
	}
	for (size_t i = 0; i < N_OF(nowhere); i++)
		assert_row(!selector_place(&inventory, nowhere[i], &a), i);
	/* what the firmware says of a disk can be wrong */
	assert_true(selector_place(&inventory, "path=beyond", &a));
	assert_string_equal(a.part->volume.type, "");
	inventory_free(&inventory);
	tear_down(&machine);
}

/*
 * Disks that cannot be told apart, whose partitions can if the firmware has names for them; and
 * messages about machines with few or no disks.
 */
static void test_little_known(void **state)
{
	struct inventory inventory;
	struct selection found, part;
	struct machine machine;
	struct error err;
	char text[SELECTOR_BYTES];
	struct out_buffer out;

	(void)state;
	set_up(&machine);
	machine.device[0].device.serial = machine.device[0].device.path = (char *)"";
	machine.device[4].device = (struct device){ DISK(machine.gpt, .path = (char *)"") };
	machine.device[3].device.medium = false;
	machine.device[3].device.blk = NULL;
	assert_ok(inventory_read(&inventory, &err));
	assert_ok(selector_find(&inventory, "fs0:", &part, &err));
	out_buffer_init(&out, text, sizeof text);
	selector_print(&inventory, &part, &out.out);
	assert_string_equal(text, "path=Pci(0x1)/HD(1)");
	assert_int_equal(selector_find(&inventory, "serial=none", &found, &err), ST_NOT_FOUND);
	assert_non_null(strstr(err.text, "path=Pci(0x3)  (blk3: serial TWIN, no medium)"));
	inventory_free(&inventory);
	sim_machine(NULL, 0);
	assert_ok(inventory_read(&inventory, &err));
	assert_int_equal(selector_find(&inventory, "serial=none", &found, &err), ST_NOT_FOUND);
	assert_non_null(strstr(err.text, "no such disk; the machine has no disks"));
	inventory_free(&inventory);
	tear_down(&machine);
}

/* A disk or a partition is opened for reading only, and ends at its own end. */
static void test_open(void **state)
{
	struct machine machine;
	struct error err;
	struct blk *blk;
	char bytes[16];

	(void)state;
	set_up(&machine);
	assert_ok(storage_open(&storage, ROLE_IMAGE, "serial=S4X9:1:2", OPEN_READ, &blk, &err));
	assert_int_equal(blk->size, 200 * 512);
	assert_ok(blk_read(blk, 3, bytes, 10));
	assert_memory_equal(bytes, "tition two", 10);
	assert_int_equal(blk_read(blk, 200 * 512 - 1, bytes, 2), ST_INVALID);
	assert_null(blk->ops->write);
	assert_int_equal(blk_write(blk, 0, bytes, 1), ST_READ_ONLY);
	blk_close(blk);
	assert_ok(storage_open(&storage, ROLE_IMAGE, "path=Usb(0x1)", OPEN_READ, &blk, &err));
	assert_int_equal(blk->size, MIB);
	assert_null(blk->ops->write);
	blk_close(blk);
	assert_int_equal(storage_open(&storage, ROLE_IMAGE, "serial=S4X9:1", OPEN_WRITE, &blk,
				      &err),
			 ST_UNSUPPORTED);
	assert_int_equal(storage_open(&storage, ROLE_IMAGE, "serial=none", OPEN_READ, &blk, &err),
			 ST_NOT_FOUND);
	assert_true(storage_same(&storage, "serial=S4X9:1:1", "path=Pci(0x1)/HD(1)"));
	assert_true(storage_same(&storage, "serial=S4X9:1", "blk0:"));
	assert_false(storage_same(&storage, "serial=S4X9:1", "serial=S4X9:1:1"));
	assert_false(storage_same(&storage, "serial=none", "serial=none"));
	storage_end(&storage); /* the machine is looked at once for a command: the next one */
	machine.device[4].device.blk = NULL;
	assert_int_equal(storage_open(&storage, ROLE_IMAGE, "path=Usb(0x1)", OPEN_READ, &blk, &err),
			 ST_IO);
	storage_end(&storage);
	machine.device[4].device.medium = false;
	assert_int_equal(storage_open(&storage, ROLE_IMAGE, "path=Usb(0x1)", OPEN_READ, &blk, &err),
			 ST_NO_MEDIUM);
	tear_down(&machine);
}

static void test_no_memory(void **state)
{
	struct machine machine;
	unsigned n = 1;

	(void)state;
	set_up(&machine);
	for (bool failed = true; failed; n++) {
		struct blk *blk;
		struct error err;
		enum status st;

		sim_fail_allocation(n);
		st = storage_open(&storage, ROLE_IMAGE, "serial=S4X9:1:2", OPEN_READ, &blk, &err);
		failed = sim_allocation_failed();
		/* looking for a GPT on another disk may fail */
		assert_true(st == ST_OK || (failed && st == ST_NO_MEMORY));
		if (st == ST_OK)
			blk_close(blk);
		storage_end(&storage);
	}
	sim_fail_allocation(0);
	tear_down(&machine);
}

/* Candidates that do not fit into the message are counted, and no line is cut. */
static void test_many(void **state)
{
	enum { N = 16 };
	static struct sim_device devices[N];
	static char serials[N][8];
	struct memory_blk *blk = disk(0);
	struct error err;
	struct blk *ignored;
	unsigned lines = 0, more;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		snprintf(serials[i], sizeof serials[i], "SER%zu", i);
		devices[i] = (struct sim_device){
			"blk:",
			{ DISK(blk, .path = serials[i], .serial = serials[i],
			       .model = (char *)"A model with a long name") }
		};
	}
	sim_machine(devices, N);
	assert_int_equal(storage_open(&storage, ROLE_IMAGE, "serial=NO", OPEN_READ, &ignored, &err),
			 ST_NOT_FOUND);
	for (const char *at = strstr(err.text, "\n  serial="); at != NULL;
	     at = strstr(at + 1, "\n  serial=")) {
		assert_int_equal(strcspn(at + 1, ")"), strcspn(at + 1, "\n") - 1);
		lines++;
	}
	assert_int_equal(sscanf(strstr(err.text, "\n  and "), "\n  and %u more; see list", &more),
			 1);
	assert_int_equal(lines + more, N);
	storage_end(&storage);
	sim_machine(NULL, 0);
	blk_close(&blk->blk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),  cmocka_unit_test(test_best_name),
		cmocka_unit_test(test_place), cmocka_unit_test(test_little_known),
		cmocka_unit_test(test_open),  cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
