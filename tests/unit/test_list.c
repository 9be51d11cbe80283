/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "cli/command.h"
#include "cli/dispatch.h"
#include "machine.h"
#include "tables.h"

struct run {
	struct capture out, err;
	int code;
};

static void run(struct run *r, int argc, char **argv)
{
	struct console console = { .out = &r->out.out, .err = &r->err.out };

	capture_init(&r->out);
	capture_init(&r->err);
	r->code = cli_run(&console, argc, argv);
}

static void run_free(struct run *r)
{
	capture_free(&r->out);
	capture_free(&r->err);
}

/* A GPT disk whose partition is mounted, a damaged MBR disk, and a drive without a medium. */
static const char json[] =
	"[\n"
	"    {\n"
	"        \"name\": \"blk0:\",\n"
	"        \"names\": [\n"
	"            \"blk0:\"\n"
	"        ],\n"
	"        \"device-path\": \"Pci(0x1,0x0)\",\n"
	"        \"selector\": \"serial=S1\",\n"
	"        \"bus\": \"NVMe\",\n"
	"        \"model\": \"A \\\"model\\\"\",\n"
	"        \"serial\": \"S1\",\n"
	"        \"size\": 102400,\n"
	"        \"block-size\": 512,\n"
	"        \"removable\": false,\n"
	"        \"read-only\": false,\n"
	"        \"medium\": true,\n"
	"        \"started-from\": true,\n"
	"        \"partition-table\": \"gpt\",\n"
	"        \"disk-guid\": \"d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1\",\n"
	"        \"filesystem\": null,\n"
	"        \"partitions\": [\n"
	"            {\n"
	"                \"number\": 1,\n"
	"                \"name\": \"fs0:\",\n"
	"                \"names\": [\n"
	"                    \"fs0:\",\n"
	"                    \"blk1:\"\n"
	"                ],\n"
	"                \"device-path\": \"Pci(0x1,0x0)/HD(1)\",\n"
	"                \"selector\": \"serial=S1:1\",\n"
	"                \"start\": 20480,\n"
	"                \"size\": 10240,\n"
	"                \"type\": \"c12a7328-f81f-11d2-ba4b-00a0c93ec93b\",\n"
	"                \"type-name\": \"EFI system\",\n"
	"                \"label\": \"boot\",\n"
	"                \"guid\": \"01010101-0101-0101-0101-010101010101\",\n"
	"                \"bootable\": false,\n"
	"                \"filesystem\": {\n"
	"                    \"type\": \"\",\n"
	"                    \"label\": \"ESP\",\n"
	"                    \"size\": 10000,\n"
	"                    \"free\": 9000,\n"
	"                    \"read-only\": false,\n"
	"                    \"uuid\": \"\",\n"
	"                    \"used\": null,\n"
	"                    \"note\": \"\"\n"
	"                },\n"
	"                \"started-from\": true\n"
	"            }\n"
	"        ]\n"
	"    },\n"
	"    {\n"
	"        \"name\": \"\",\n"
	"        \"names\": [\n"
	"        ],\n"
	"        \"device-path\": \"\",\n"
	"        \"selector\": \"\",\n"
	"        \"bus\": \"\",\n"
	"        \"model\": \"\",\n"
	"        \"serial\": \"\",\n"
	"        \"size\": 102400,\n"
	"        \"block-size\": 512,\n"
	"        \"removable\": true,\n"
	"        \"read-only\": true,\n"
	"        \"medium\": true,\n"
	"        \"started-from\": false,\n"
	"        \"partition-table\": \"mbr\",\n"
	"        \"disk-signature\": 57005,\n"
	"        \"note\": \"partition 2 does not lie on the disk and is left out\",\n"
	"        \"filesystem\": null,\n"
	"        \"partitions\": [\n"
	"            {\n"
	"                \"number\": 1,\n"
	"                \"name\": \"\",\n"
	"                \"names\": [\n"
	"                ],\n"
	"                \"device-path\": \"\",\n"
	"                \"selector\": \"\",\n"
	"                \"start\": 5120,\n"
	"                \"size\": 46080,\n"
	"                \"type\": \"0x83\",\n"
	"                \"type-name\": \"Linux\",\n"
	"                \"label\": \"\",\n"
	"                \"guid\": \"\",\n"
	"                \"bootable\": false,\n"
	"                \"filesystem\": {\n"
	"                    \"type\": \"XFS\",\n"
	"                    \"label\": \"data\",\n"
	"                    \"size\": null,\n"
	"                    \"free\": null,\n"
	"                    \"read-only\": null,\n"
	"                    \"uuid\": \"\",\n"
	"                    \"used\": null,\n"
	"                    \"note\": \"its superblock is damaged: run xfs_repair\"\n"
	"                },\n"
	"                \"started-from\": false\n"
	"            },\n"
	"            {\n"
	"                \"number\": null,\n"
	"                \"name\": \"blk3:\",\n"
	"                \"names\": [\n"
	"                    \"blk3:\"\n"
	"                ],\n"
	"                \"device-path\": \"\",\n"
	"                \"selector\": \"\",\n"
	"                \"start\": 51200,\n"
	"                \"size\": 512,\n"
	"                \"type\": \"\",\n"
	"                \"type-name\": \"\",\n"
	"                \"label\": \"\",\n"
	"                \"guid\": \"\",\n"
	"                \"bootable\": null,\n"
	"                \"filesystem\": null,\n"
	"                \"started-from\": false\n"
	"            }\n"
	"        ]\n"
	"    },\n"
	"    {\n"
	"        \"name\": \"blk4:\",\n"
	"        \"names\": [\n"
	"            \"blk4:\"\n"
	"        ],\n"
	"        \"device-path\": \"\",\n"
	"        \"selector\": \"\",\n"
	"        \"bus\": \"SATA\",\n"
	"        \"model\": \"\",\n"
	"        \"serial\": \"\",\n"
	"        \"size\": null,\n"
	"        \"block-size\": null,\n"
	"        \"removable\": true,\n"
	"        \"read-only\": false,\n"
	"        \"medium\": false,\n"
	"        \"started-from\": false,\n"
	"        \"partition-table\": null,\n"
	"        \"filesystem\": null,\n"
	"        \"partitions\": [\n"
	"        ]\n"
	"    }\n"
	"]\n";

/* A GPT on one disk, an MBR and a file system on the other. */
static void put_partitions(struct memory_blk *gpt, struct memory_blk *mbr)
{
	static const struct sim_part esp = { sim_esp, 40, 59, "boot" };

	sim_gpt(gpt, &esp, 1);
	sim_put(mbr, 440, 0xdead, 4);
	sim_mbr_record(mbr, 0, 0, 0x83, 10, 90);
	sim_mbr_record(mbr, 0, 1, 0x83, 100, 101);
	memcpy(mbr->bytes + 5120, "XFSB", 4);
	memcpy(mbr->bytes + 5120 + 108, "data", 4);
}

static void test_json(void **state)
{
	struct memory_blk *gpt = memory_blk_new(
		&(struct memory_blk_kind){ .size = 102400, .block_bytes = 512 });
	struct memory_blk *mbr = memory_blk_new(
		&(struct memory_blk_kind){ .size = 102400, .block_bytes = 512 });
	const struct sim_device devices[] = {
		{ "blk0:",
		  { .path = (char *)"Pci(0x1,0x0)",
		    .parent = DEVICE_NO_PARENT,
		    .bus = "NVMe",
		    .model = (char *)"A \"model\"",
		    .serial = (char *)"S1",
		    .size_bytes = 102400,
		    .block_bytes = 512,
		    .medium = true,
		    .blk = &gpt->blk } },
		{ "fs0: blk1:",
		  { .path = (char *)"Pci(0x1,0x0)/HD(1)",
		    .parent = 0,
		    .start_bytes = 20480,
		    .size_bytes = 10240,
		    .medium = true,
		    .started_from = true,
		    .volume = { true, false, (char *)"ESP", 10000, 9000 } } },
		{ "",
		  { .parent = DEVICE_NO_PARENT,
		    .size_bytes = 102400,
		    .block_bytes = 512,
		    .removable = true,
		    .read_only = true,
		    .medium = true,
		    .blk = &mbr->blk } },
		{ "blk3:",
		  { .parent = 2, .start_bytes = 51200, .size_bytes = 512, .medium = true } },
		{ "blk4:",
		  { .parent = DEVICE_NO_PARENT,
		    .bus = "SATA",
		    .block_bytes = 2048,
		    .removable = true } },
	};
	char *argv[] = { "list", "--output=json" };
	struct run r;

	(void)state;
	put_partitions(gpt, mbr);
	sim_machine(devices, N_OF(devices));
	run(&r, N_OF(argv), argv);
	assert_string_equal(r.err.text, "");
	assert_string_equal(r.out.text, json);
	assert_int_equal(r.code, EXIT_OK);
	run_free(&r);
	sim_machine(NULL, 0);
	blk_close(&gpt->blk);
	blk_close(&mbr->blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_human(void **state)
{
	static const char *const rows[][2] = { { "list", NULL }, { "list", "--output=human" } };

	(void)state;
	sim_machine(NULL, 0);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct run r;

		run(&r, rows[i][1] != NULL ? 2 : 1, (char **)(uintptr_t)rows[i]);
		assert_int_equal(r.code, EXIT_OK);
		assert_non_null(strstr(r.out.text, "shows no disk"));
		assert_string_equal(r.err.text, "");
		run_free(&r);
	}
}

/* A controller without a driver is in the text; beside JSON, in a warning. */
static void test_controller_without_a_driver(void **state)
{
	static const struct idle_controller idle[] = { { .vendor = 0x1000, .subclass = 4 } };
	static const char words[] = "The firmware has no driver for the RAID controller PCI "
				    "1000:0000, so disks on it are not listed";
	char *argv[] = { "list", "--output=json" };
	struct run r;

	(void)state;
	sim_machine(NULL, 0);
	sim_machine_idle(idle, 1);
	run(&r, 2, argv);
	assert_null(strstr(r.out.text, "driver"));
	assert_non_null(strstr(r.err.text, "efi-img: warning: the list may lack disks. "));
	assert_non_null(strstr(r.err.text, words));
	assert_int_equal(r.code, EXIT_OK);
	run_free(&r);
	run(&r, 1, argv);
	assert_string_equal(r.err.text, "");
	assert_non_null(strstr(r.out.text, "The firmware has no driver"));
	run_free(&r);
	sim_machine(NULL, 0);
}

/*
 * Disks that cannot be told apart by their serial show it as a fact, and where they are plugged in;
 * labels that say more than the type are shown.
 */
static void test_serials_and_labels(void **state)
{
	static const struct sim_part parts[] = {
		{ sim_esp, 40, 49, "My partition" },
		{ sim_esp, 50, 54, "A very unusual system partition" },
		{ sim_linux, 55, 59, "b" },
	};
	struct memory_blk *disk[2];
	struct sim_device devices[2];
	char *argv[] = { "list" };
	struct run r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		disk[i] = memory_blk_new(
			&(struct memory_blk_kind){ .size = 102400, .block_bytes = 512 });
		devices[i] = (struct sim_device){ i == 0 ? "blk0:" : "blk1:",
						  { .path = i == 0 ? (char *)"Pci(0x1)"
								   : (char *)"Pci(0x2)",
						    .parent = DEVICE_NO_PARENT,
						    .bus = "USB",
						    .serial = (char *)"0001",
						    .size_bytes = 102400,
						    .block_bytes = 512,
						    .medium = true,
						    .blk = &disk[i]->blk } };
	}
	sim_gpt(disk[0], parts, N_OF(parts));
	sim_machine(devices, 2);
	run(&r, 1, argv);
	for (const char *const *want =
		     (const char *const[]){ "serial 0001 (not unique), PCI 1.0, GPT",
					    "serial 0001 (not unique), PCI 2.0,",
					    "no partition table", "\"My partition\"",
					    "\"A very unusual system partition\"", "\"b\"", NULL };
	     *want != NULL; want++)
		if (strstr(r.out.text, *want) == NULL)
			fail_msg("\"%s\" is not in %s", *want, r.out.text);
	assert_null(strstr(r.out.text, "serial=0001"));
	run_free(&r);
	sim_machine(NULL, 0);
	blk_close(&disk[0]->blk);
	blk_close(&disk[1]->blk);
	assert_int_equal(sim_allocations(), 0);
}

/* Two disks of which one is a copy of the other: each names the other, in text and in JSON. */
static void twins(bool is_gpt)
{
	static const struct sim_part parts[] = { { sim_linux, 40, 49, "b" } };
	const char *const rows[] = {
		is_gpt ? "same disk GUID as serial=B: connect only one of them"
		       : "same MBR signature as serial=B: connect only one of them",
		is_gpt ? "same disk GUID as serial=A" : "same MBR signature as serial=A",
	};
	struct memory_blk *disk[3];
	struct sim_device devices[3];
	char *argv[] = { "list", "--output=json" };

	for (size_t i = 0; i < 3; i++) {
		disk[i] = memory_blk_new(
			&(struct memory_blk_kind){ .size = 102400, .block_bytes = 512 });
		devices[i] = (struct sim_device){ "",
						  { .parent = DEVICE_NO_PARENT,
						    .serial = (char *[]){ "A", "B", "C" }[i],
						    .size_bytes = 102400,
						    .block_bytes = 512,
						    .medium = true,
						    .blk = &disk[i]->blk } };
		if (is_gpt)
			sim_gpt(disk[i], parts, N_OF(parts));
		else
			memcpy(disk[i]->bytes + 440, "\1\2\3\4\0\0\0\0\1\1\x83\1\1\1\50\0\0\0\10",
			       19);
		memcpy(disk[i]->bytes + 510, "\x55\xaa", 2);
	}
	memset(disk[2]->bytes, 0, 2048); /* no table */
	sim_machine(devices, 3);
	for (int n = 1; n <= 2; n++) {
		struct run r;

		run(&r, n, argv);
		for (size_t i = 0; i < N_OF(rows); i++)
			assert_non_null(strstr(r.out.text, rows[i]));
		assert_null(strstr(r.out.text, "as serial=C"));
		assert_true((n == 2) == (strstr(r.out.text, "\"twin-note\": ") != NULL));
		run_free(&r);
	}
	memset(disk[1]->bytes, 0, 2048);
	sim_machine(devices, 2);
	{
		struct run r;

		run(&r, 1, argv);
		assert_null(strstr(r.out.text, "connect only one"));
		run_free(&r);
	}
	sim_machine(NULL, 0);
	for (size_t i = 0; i < 3; i++)
		blk_close(&disk[i]->blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_twins(void **state)
{
	(void)state;
	twins(true);
	twins(false);
}

static void test_misused(void **state)
{
	static const struct {
		const char *argument, *words;
	} rows[] = {
		{ "--output=xml", "\"xml\"" },
		{ "--output", "needs a value" },
		{ "blk0:", "\"blk0:\"" },
		{ "-x", "-x" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *argv[] = { "list", rows[i].argument };
		struct run r;

		run(&r, 2, (char **)(uintptr_t)argv);
		assert_int_equal(r.code, EXIT_ERROR);
		assert_string_equal(r.out.text, "");
		if (strstr(r.err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, r.err.text);
		run_free(&r);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_no_memory(void **state)
{
	char *argv[] = { "list" };
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		struct run r;
		bool failed;

		sim_fail_allocation(n);
		run(&r, 1, argv);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		assert_int_equal(r.code, failed ? EXIT_ERROR : EXIT_OK);
		if (failed)
			assert_string_equal(r.out.text, "");
		run_free(&r);
		assert_int_equal(sim_allocations(), 0);
		if (!failed)
			break;
	}
	assert_true(n > 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_human),
		cmocka_unit_test(test_controller_without_a_driver),
		cmocka_unit_test(test_serials_and_labels),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_misused),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
