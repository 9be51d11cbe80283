/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image of any bytes, changed. Up to 16 bytes of the input (image.h) say which changes, one
 * after the other: the lower five bits what, the upper ones where.
 *
 * What was sound before must be sound after, and what `check -r all` calls repaired, must be.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "format/chain.h"
#include "format/image.h"
#include "image.h"
#include "volume.h"

enum { PIECE = 3000 };
enum { CLUSTER_BITS_AT = 23, CLUSTER_BITS_MAX = 12, GROWS_CLUSTERS = 1024 };

static const char *const commands[] = {
	"snapshot -c a image",
	"snapshot -c b image",
	"snapshot -a 1 image",
	"snapshot -d 1 image",
	"snapshot -d a image",
	"resize image +300k",
	"resize --shrink image 20k",
	"resize image 2M",
	"rebase -u -b @ image",
	"commit image",
	"bitmap --add -g 512 image b",
	"bitmap --merge b --clear image b",
	"bitmap --remove image b",
	"amend -o compat=0.10,refcount_bits=16 image",
	"amend -o compat=1.1,refcount_bits=1 image",
	"amend -o refcount_bits=64 image",
	"check -r leaks image",
};
/* of all formats; the numbers of those above stay what they are in the corpus */
static const char *const more_commands[] = {
	"resize image +40M",
	"bench -w -q -c 2 -s 4k -S 64k image",
	"bench -w -q -c 3 -s 64k -o 1k image",
	"rebase -b @ image",
	"convert -O raw image copy",
	"commit -d image",
};
enum {
	N_COMMANDS = sizeof commands / sizeof *commands,
	N_MORE = sizeof more_commands / sizeof *more_commands,
};

enum blk_change { WRITE, ZERO, WRITE_TWICE, N_BLK_CHANGES };
enum { FIRST_MORE = N_COMMANDS + N_BLK_CHANGES };

/* Writes to the disk as a guest would, and reads it back. */
static void change_disk(enum blk_change change, unsigned where)
{
	uint8_t bytes[PIECE], back[PIECE];
	struct storage storage;
	struct chain chain;
	struct error err;
	struct blk *blk;
	uint64_t offset;
	enum status st;

	if (storage_begin(&storage, NULL, &err) != ST_OK ||
	    chain_open_writable(&storage, "image", NULL, 0, &chain, &err) != ST_OK) {
		storage_end(&storage);
		return;
	}
	blk = &chain.link[0].image->blk;
	offset = where * (blk->size / 8);
	memset(bytes, change == ZERO ? 0 : (int)where + 1, sizeof bytes);
	if (blk->size - offset >= PIECE) {
		st = change == ZERO ? blk_write_zeros(blk, offset, PIECE)
				    : blk_write(blk, offset, bytes, PIECE);
		if (st == ST_OK && change == WRITE_TWICE)
			st = blk_write(blk, offset / 2, bytes, PIECE);
		if (st == ST_OK)
			st = image_flush(chain.link[0].image, &err);
		if (st == ST_OK) {
			MUST(blk_read(blk, change == WRITE_TWICE ? offset / 2 : offset, back,
				      PIECE) == ST_OK);
			MUST(memcmp(bytes, back, PIECE) == 0);
		}
	}
	chain_close(&chain);
	storage_end(&storage);
}

/* What is called repaired is sound, and another repair finds nothing to do. */
static void repair(void)
{
	uint8_t *copy;
	uint64_t n, n_again;
	const uint8_t *bytes;

	if (fuzz_run("check -r all image") != 0)
		return;
	MUST(fuzz_run("check image") == 0);
	bytes = sim_file("image", &n);
	copy = malloc(n + 1);
	memcpy(copy, bytes, n);
	MUST(fuzz_run("check -r all image") == 0);
	bytes = sim_file("image", &n_again);
	MUST(n == n_again && memcmp(copy, bytes, n) == 0);
	free(copy);
}

static void change(uint8_t what)
{
	unsigned kind = what & 31;

	if (kind < N_COMMANDS)
		(void)fuzz_run(commands[kind]);
	else if (kind < FIRST_MORE)
		change_disk((enum blk_change)(kind - N_COMMANDS), what >> 5);
	else if (kind < FIRST_MORE + N_MORE)
		(void)fuzz_run(more_commands[kind - FIRST_MORE]);
	else
		repair();
}

/*
 * Whether it is sound now and, of qcow2, stays so when the file grows: refcounts of clusters behind
 * its end are seen by nobody. Of qcow2 images with large clusters that is not asked, for speed.
 */
static bool is_sound(const uint8_t *image, size_t n)
{
	static uint8_t grown[(GROWS_CLUSTERS << CLUSTER_BITS_MAX) + (64 << 10)];
	unsigned cluster_bits = n > CLUSTER_BITS_AT ? image[CLUSTER_BITS_AT] : UINT8_MAX;
	size_t grows = 0;

	if (n < 4 || memcmp(image, "QFI\xfb", 4) != 0)
		return fuzz_run("check image") == 0;
	if (cluster_bits <= CLUSTER_BITS_MAX)
		grows = (size_t)GROWS_CLUSTERS << cluster_bits;
	if (grows == 0 || n + grows > sizeof grown || fuzz_run("check image") != 0)
		return false;
	memset(grown, 0, n + grows);
	memcpy(grown, image, n);
	sim_file_put("grown", grown, n + grows);
	return fuzz_run("check grown") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fuzz_image image = fuzz_image_of(data, n, true);
	bool sound;

	fuzz_image_volume(&image);
	sound = is_sound(image.bytes, image.n);
	for (size_t i = 0; i < image.n_changes; i++) {
		change(image.changes[i]);
		if (sound)
			MUST(fuzz_run("check image") == 0);
	}
	fuzz_end();
	return 0;
}
