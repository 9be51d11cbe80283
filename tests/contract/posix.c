/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What blk/blk.h says, held against the blks of drivers/posix/: files, block devices that are
 * opened as files, and files that stand for disks. They are made in a directory of their own below
 * TMPDIR, or /tmp. Block devices are loop devices, which only root can make: elsewhere they are
 * left out, with a line that says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "contract.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "unit.h"

enum { DISK = 1, DISK_4096 = 2 }; /* their indices in EFI_IMG_DISKS */

static char directory[256], file_name[300], loop_name[32];
static int loop = -1;

void contract_failed(const char *what)
{
	fail_msg("%s", what);
	abort(); /* not reached */
}

void contract_prepare(void)
{
}

void contract_finish(const struct subject *s)
{
	(void)s;
	if (loop >= 0) {
		close(loop);
		loop = -1;
	}
	assert_int_equal(unlink(file_name), 0);
}

/* Writes contents() into the file; its blocks of zeros are holes. */
static void put_contents(void)
{
	static const uint8_t zeros[BLOCK];
	int fd = open(file_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	for (off_t at = 0; at < SIZE; at += BLOCK)
		if (memcmp(contents() + at, zeros, BLOCK) != 0)
			assert_int_equal(pwrite(fd, contents() + at, BLOCK, at), BLOCK);
	assert_int_equal(close(fd), 0);
}

static struct blk *open_name(const char *name, bool writable)
{
	struct blk *blk;
	struct error why;

	if (platform_open(name, writable ? OPEN_WRITE : OPEN_READ, &blk, &why) != ST_OK)
		fail_msg("%s", why.text);
	return blk;
}

static struct blk *open_file(const struct kind *kind)
{
	put_contents();
	return open_name(file_name, kind->writable);
}

static struct blk *open_created(const struct kind *kind)
{
	struct blk *blk;
	struct error why;

	(void)kind;
	assert_ok(platform_create(file_name, false, &blk, &why));
	assert_ok(blk_write(blk, 0, contents(), SIZE));
	return blk;
}

static struct blk *open_disk(const struct kind *kind)
{
	struct device device = { .id = kind->device_id, .path = file_name };
	struct blk *blk;
	struct error why;

	put_contents();
	if (kind->writable)
		assert_ok(platform_open_target(&device, &blk, &why));
	else
		assert_ok(platform_open_device(&device, &blk, &why));
	return blk;
}

/*
 * Makes the file a loop device, which goes when its last descriptor is closed. False: this is not
 * possible here.
 */
static bool make_loop(void)
{
	static const struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR), file = open(file_name, O_RDWR), number;
	bool busy = true;

	/* another program may take the number first */
	for (unsigned i = 0; loop < 0 && busy && i < 100; i++) {
		number = control >= 0 ? ioctl(control, LOOP_CTL_GET_FREE) : -1;
		snprintf(loop_name, sizeof loop_name, "/dev/loop%d", number);
		loop = number >= 0 ? open(loop_name, O_RDWR) : -1;
		if (loop < 0)
			break;
		if (ioctl(loop, LOOP_SET_FD, file) == 0 &&
		    ioctl(loop, LOOP_SET_STATUS64, &info) == 0)
			break;
		busy = errno == EBUSY;
		close(loop);
		loop = -1;
	}
	close(control);
	close(file);
	return loop >= 0;
}

static struct blk *open_block_device(const struct kind *kind)
{
	(void)kind;
	put_contents();
	assert_true(make_loop());
	return open_name(loop_name, false);
}

static const struct kind kinds[] = {
	{ "file", open_file, .writable = true, .grows = true, .has_holes = true },
	{ "new file", open_created, .writable = true, .grows = true },
	{ "file, read-only", open_file, .has_holes = true },
	{ "disk", open_disk, .writable = true, .is_device = true, .device_id = DISK },
	{ "disk, read-only", open_disk, .is_device = true, .device_id = DISK },
	{ "disk of 4096", open_disk, .writable = true, .is_device = true, .device_id = DISK_4096 },
	{ "disk of 4096, read-only", open_disk, .is_device = true, .device_id = DISK_4096 },
	{ "block device", open_block_device, .writable = false },
};

static void test_contract(void **state)
{
	const struct contract_test *test = *state;
	bool has_loop;

	put_contents();
	has_loop = make_loop();
	contract_finish(NULL);
	for (size_t i = 0; i < N_OF(kinds); i++)
		if (kinds[i].open != open_block_device || has_loop)
			contract_run(&kinds[i], test->run);
		else
			print_message("%s: left out, since a loop device cannot be made\n",
				      kinds[i].name);
}

/* Writes to a disk are counted by each blk that reads it. */
static void test_device_writes(void **state)
{
	const struct kind for_writing = { .writable = true, .device_id = DISK },
			  for_reading = { .device_id = DISK };
	struct blk *target, *disk;

	(void)state;
	disk = open_disk(&for_reading);
	target = open_disk(&for_writing);
	assert_ok(blk_write(target, 0, contents(), 512));
	assert_ok(blk_write(target, 512, contents(), 512));
	assert_int_equal(disk->device->n_writes, 2);
	blk_close(target);
	blk_close(disk);
	contract_finish(NULL);
}

int main(void)
{
	static const struct contract_test parallel = { "parallel", read_in_parallel };
	const char *place = getenv("TMPDIR");
	struct CMUnitTest tests[N_CONTRACT_TESTS + 2] = {
		cmocka_unit_test(test_device_writes),
		{ parallel.name, test_contract, .initial_state = (void *)&parallel },
	};
	char disks[1024];
	int failed;

	for (size_t i = 0; i < N_CONTRACT_TESTS; i++)
		tests[2 + i] = (struct CMUnitTest){ .name = contract_tests[i].name,
						    .test_func = test_contract,
						    .initial_state = (void *)&contract_tests[i] };
	snprintf(directory, sizeof directory, "%s/contract.XXXXXX", place != NULL ? place : "/tmp");
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(file_name, sizeof file_name, "%s/file", directory);
	snprintf(disks, sizeof disks, "%s:%s:%s@4096", file_name, file_name, file_name);
	setenv("EFI_IMG_DISKS", disks, 1);
	(void)platform_permit(&contract_permit);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(file_name);
	rmdir(directory);
	return failed;
}
