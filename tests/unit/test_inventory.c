/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "cli/list.h"
#include "machine.h"
#include "tables.h"

enum { MIB = 1 << 20, N_DEVICES = 7 };

/* A machine with one device of each kind, and the memory of their blks. */
struct machine {
	struct sim_device device[N_DEVICES];
	struct memory_blk *nvme, *stick, *dead;
};

static void make_nvme(struct machine *m)
{
	static const struct sim_part parts[] = {
		{ sim_esp, 256, 1279, "EFI system partition" },
		{ sim_basic_data, 1280, 1535, "Data \x1b[1m" },
		{ sim_linux, 1536, 1791, "root" },
		{ (const uint8_t
			   *)"\x90\xfc\xaf\x37\x7d\xef\x96\x4e\x91\xc3\x2d\x7a\xe0\x55\xb1\x74",
		  1792, 1800, "" },
	};

	m->nvme = memory_blk_new(&(struct memory_blk_kind){
		.size = 8 * MIB, .block_bytes = 4096, .buffer_align = 4 });
	sim_gpt(m->nvme, parts, N_OF(parts));
	memcpy(m->nvme->bytes + 1280 * 4096 + 3, "NTFS    ", 8);
	m->nvme->bytes[1536 * 4096 + 1064] = 1;
	memcpy(m->nvme->bytes + 1536 * 4096 + 1080, "\x53\xef", 2);
	memcpy(m->nvme->bytes + 1536 * 4096 + 1144, "rootfs", 6);
}

static void make_stick(struct machine *m)
{
	static const uint8_t boot_sector[] = {
		0xeb, 0x3c, 0x90, 'm',  'k',  'f',  's',  '.',  'f',  'a',  't',  0x00,
		0x02, 0x04, 0x01, 0x00, 0x02, 0x00, 0x02, 0x00, 0x20, 0xf8, 0x06, 0x00,
	};

	m->stick = memory_blk_new(&(struct memory_blk_kind){ .size = 4 * MIB, .block_bytes = 512 });
	memcpy(m->stick->bytes, boot_sector, sizeof boot_sector);
	sim_put(m->stick, 510, 0xaa55, 2);
	m->stick->bytes[512] = 0xf8; /* the media byte of its FATs */
	m->stick->bytes[7 * 512] = 0xf8;
}

/* A disk whose second block and all after it cannot be read. */
static void make_dead(struct machine *m)
{
	m->dead = memory_blk_new(
		&(struct memory_blk_kind){ .size = MIB, .block_bytes = 512, .buffer_align = 1 });
	sim_mbr_record(m->dead, 0, 0, 0xee, 1, 2047);
}

/* A disk with three partitions. */
static void add_nvme(struct machine *m)
{
	m->device[0] = (struct sim_device){
		"blk0:",
		{
			.path = "PciRoot(0x0)/Pci(0x4,0x0)/NVMe(0x1,00-00-00-00-00-00-00-00)",
			.parent = DEVICE_NO_PARENT,
			.bus = "NVMe",
			.model = "KIOXIA KXG60ZNV512G",
			.serial = "Y0F1230A",
			.size_bytes = 8 * MIB,
			.block_bytes = 4096,
			.medium = true,
			.blk = &m->nvme->blk,
		}
	};
	m->device[1] = (struct sim_device){ "fs0: blk1: HD0a1:",
					    {
						    .path = "HD(1)",
						    .parent = 0,
						    .bus = "NVMe",
						    .start_bytes = 256 * 4096,
						    .size_bytes = 1024 * 4096,
						    .block_bytes = 4096,
						    .medium = true,
						    .started_from = true,
						    .volume = { .present = true,
								.label = (char *)"SYSTEM",
								.size_bytes = 4 * MIB,
								.free_bytes = 3 * MIB },
					    } };
	m->device[2] = (struct sim_device){ "blk2:",
					    {
						    .path = "HD(2)",
						    .parent = 0,
						    .bus = "NVMe",
						    .start_bytes = 1280 * 4096,
						    .size_bytes = 256 * 4096,
						    .block_bytes = 4096,
						    .medium = true,
					    } };
	m->device[3] = (struct sim_device){ "blk3:",
					    {
						    /* of another size than the table says */
						    .path = "HD(3)",
						    .parent = 0,
						    .bus = "NVMe",
						    .start_bytes = 1536 * 4096,
						    .size_bytes = 255 * 4096,
						    .block_bytes = 4096,
						    .medium = true,
					    } };
}

/* A stick, a drive without a medium, and a disk that can hardly be read. */
static void add_others(struct machine *m)
{
	m->device[4] = (struct sim_device){ "fs1: blk4:",
					    {
						    .path = "PciRoot(0x0)/USB(0x1,0x0)",
						    .parent = DEVICE_NO_PARENT,
						    .bus = "USB",
						    .model = "Ultra\x1b[2J",
						    .serial = "4C530001",
						    .size_bytes = 4 * MIB,
						    .block_bytes = 512,
						    .removable = true,
						    .medium = true,
						    .blk = &m->stick->blk,
						    .volume = { .present = true,
								.read_only = true,
								.size_bytes = 4 * MIB,
								.free_bytes = 0 },
					    } };
	m->device[5] = (struct sim_device){ "blk5:",
					    {
						    .path = "PciRoot(0x0)/Sata(0x1)",
						    .parent = DEVICE_NO_PARENT,
						    .bus = "SATA",
						    .model = "HL-DT-ST DVDRAM GT80N",
						    .block_bytes = 2048,
						    .removable = true,
						    .read_only = true,
					    } };
	m->device[6] = (struct sim_device){ "",
					    {
						    .path = "PciRoot(0x0)/Scsi(0x0,0x0)",
						    .parent = DEVICE_NO_PARENT,
						    .size_bytes = MIB,
						    .block_bytes = 512,
						    .medium = true,
						    .blk = &m->dead->blk,
					    } };
}

static void set_up(struct machine *m)
{
	*m = (struct machine){ 0 };
	make_nvme(m);
	make_stick(m);
	make_dead(m);
	add_nvme(m);
	add_others(m);
	sim_machine(m->device, N_DEVICES);
}

static void tear_down(struct machine *m)
{
	blk_close(&m->nvme->blk);
	blk_close(&m->stick->blk);
	blk_close(&m->dead->blk);
	sim_machine(NULL, 0);
	assert_int_equal(sim_allocations(), 0);
}

static void break_dead(struct machine *m)
{
	m->dead->calls_to_failure = 2;
	m->dead->status = ST_IO;
}

static const char text[] =
	"blk0:               8 MiB  NVMe   KIOXIA KXG60ZNV512G\n"
	"                           serial=Y0F1230A, GPT, 4096-byte blocks,\n"
	"                           started from here\n"
	"  1 fs0: blk1:      4 MiB  EFI system            volume \"SYSTEM\", 3 MiB free,\n"
	"                                                 started from here\n"
	"  2 blk2:           1 MiB  Microsoft basic data  NTFS\n"
	"                           \"Data ?[1m\"\n"
	"  ! NTFS: its tables are damaged: run chkdsk /f in Windows\n"
	"  3 -               1 MiB  Linux file system     ext2 \"rootfs\"\n"
	"                           \"root\"\n"
	"  ! ext2: its superblock is damaged: run e2fsck -f\n"
	"    blk3:       0.996 MiB  not in the table      ext2 \"rootfs\"\n"
	"  ! ext2: its superblock is damaged: run e2fsck -f\n"
	"  4 -              36 KiB  type 37affc90...\n"
	"\n"
	"fs1: blk4:          4 MiB  USB    Ultra?[2J\n"
	"                           serial=4C530001, no partition table,\n"
	"                           512-byte blocks, removable\n"
	"                           FAT12, 0 B free, read-only\n"
	"\n"
	"blk5:           no medium  SATA   HL-DT-ST DVDRAM GT80N\n"
	"                           path=PciRoot(0x0)/Sata(0x1), removable, read-only\n"
	"\n"
	"-                   1 MiB  disk\n"
	"                           path=PciRoot(0x0)/Scsi(0x0,0x0), GPT,\n"
	"                           512-byte blocks\n"
	"  ! the GPT is damaged: the header at LBA 1 cannot be read: the device reports\n"
	"    an error; its backup, too: the header at LBA 2047 cannot be read: the\n"
	"    device reports an error\n"
	"\n"
	"The shell has no names yet for some devices (-): run \"map -r\", then list again.\n";

static void test_text(void **state)
{
	struct inventory inventory;
	struct capture capture;
	struct machine machine;
	struct error err;

	(void)state;
	set_up(&machine);
	break_dead(&machine);
	capture_init(&capture);
	assert_ok(inventory_read(&inventory, &err));
	inventory_print_text(&inventory, &capture.out);
	assert_string_equal(capture.text, text);
	inventory_free(&inventory);
	capture_free(&capture);
	tear_down(&machine);
}

/* No line has more than 79 columns, except for names of the firmware. */
static void test_width(void **state)
{
	char longest[300], *line, *rest;
	struct inventory inventory;
	struct capture capture;
	struct machine machine;
	struct error err;

	(void)state;
	memset(longest, 'W', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	set_up(&machine);
	machine.device[0].device.model = longest;
	machine.device[0].device.serial = longest;
	machine.device[0].device.read_only = true;
	machine.device[0].device.removable = true;
	machine.device[1].device.volume.label = longest;
	machine.device[1].device.volume.read_only = true;
	machine.device[4].device.volume.label = longest;
	for (uint64_t i = 0; i < 36; i++)
		sim_put(machine.nvme, 2 * 4096 + 56 + 2 * i, 0x20ac, 2);
	sim_gpt_seal(machine.nvme, 1);
	capture_init(&capture);
	assert_ok(inventory_read(&inventory, &err));
	inventory_print_text(&inventory, &capture.out);
	inventory_free(&inventory);
	for (line = strtok_r(capture.text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		size_t columns = 0;

		for (const char *p = line; *p != '\0'; p++)
			columns += (*p & 0xc0) != 0x80;
		/* what is to be typed is not cut */
		if (columns > 79 && strstr(line, "serial=WWW") == NULL)
			fail_msg("%zu columns: %s", columns, line);
		assert_true(columns == 0 || line[strlen(line) - 1] != ' ');
	}
	capture_free(&capture);
	tear_down(&machine);
}

static void test_joined(void **state)
{
	struct inventory inventory;
	struct machine machine;
	struct error err;

	(void)state;
	set_up(&machine);
	assert_ok(inventory_read(&inventory, &err));
	assert_int_equal(inventory.n, 4);
	assert_int_equal(inventory.disk[0].n, 5);
	assert_true(inventory.disk[0].started_from);
	assert_ptr_equal(inventory.disk[0].part[0].device, &inventory.devices.device[1]);
	assert_ptr_equal(inventory.disk[0].part[1].device, &inventory.devices.device[2]);
	assert_null(inventory.disk[0].part[2].device);
	assert_null(inventory.disk[0].part[3].entry);
	assert_ptr_equal(inventory.disk[0].part[3].device, &inventory.devices.device[3]);
	assert_int_equal(inventory.disk[0].part[4].entry->number, 4);
	assert_string_equal(inventory.disk[1].volume.type, "FAT12");
	assert_int_equal(inventory.disk[2].n, 0);
	inventory_free(&inventory);
	tear_down(&machine);
}

static void test_no_disk(void **state)
{
	struct inventory inventory;
	struct capture capture;
	struct error err;

	(void)state;
	sim_machine(NULL, 0);
	capture_init(&capture);
	assert_ok(inventory_read(&inventory, &err));
	inventory_print_text(&inventory, &capture.out);
	assert_string_equal(capture.text, "The firmware shows no disk. Check that one is "
					  "connected, and that its\n"
					  "controller is switched on in the firmware's settings "
					  "and not in a RAID mode.\n");
	capture_clear(&capture);
	inventory_print_json(&inventory, &capture.out);
	assert_string_equal(capture.text, "[\n]\n");
	inventory_free(&inventory);
	capture_free(&capture);
	assert_int_equal(sim_allocations(), 0);
}

/* A disk whose first block cannot be read is still listed. */
static void test_unreadable(void **state)
{
	struct inventory inventory;
	struct machine machine;
	struct error err;

	(void)state;
	set_up(&machine);
	machine.dead->calls_to_failure = 1;
	machine.dead->status = ST_MEDIUM_CHANGED;
	assert_ok(inventory_read(&inventory, &err));
	assert_int_equal(inventory.n, 4);
	assert_string_equal(inventory.disk[3].table.note,
			    "the first block cannot be read: the medium was changed or removed");
	inventory_free(&inventory);
	tear_down(&machine);
}

static void test_no_memory(void **state)
{
	struct machine machine;
	unsigned n = 1;

	(void)state;
	set_up(&machine);
	for (;; n++) {
		struct inventory inventory;
		struct error err;
		enum status st;

		sim_fail_allocation(n);
		st = inventory_read(&inventory, &err);
		if (st == ST_OK)
			inventory_free(&inventory);
		else
			assert_int_equal(st, ST_NO_MEMORY);
		assert_int_equal(sim_allocations(), 0);
		if (!sim_allocation_failed()) {
			assert_ok(st);
			break;
		}
	}
	sim_fail_allocation(0);
	assert_true(n > 60);
	tear_down(&machine);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),       cmocka_unit_test(test_width),
		cmocka_unit_test(test_joined),     cmocka_unit_test(test_no_disk),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
