/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux swap areas (the kernel's include/linux/swap.h). The signature is in the last 10 bytes of
 * the first page, whose size is the machine's; the header before it has label, UUID and the number
 * of the last page. Nothing after the header outlives the machine that wrote it, so that the map
 * has the first 64 KiB, the largest page, as used and all other pages as unused.
 *
 * A hibernated Linux has all of its memory there. It changes the signature, so that nobody takes it
 * for a free swap area, and restores it when it starts again.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "fs/kinds.h"

enum {
	PAGE_MIN = 4096,
	PAGE_MAX = 65536,
	SIGNATURE_BYTES = 10, /* at the end of the first page */
	HEADER_AT = 1024,
};

struct swap_header {
	le32 version;
	le32 last_page;
	le32 n_bad_pages;
	uint8_t uuid[16];
	uint8_t label[16];
};

static const char current[] = "SWAPSPACE2";

/* What else may be where the signature is. */
static const struct {
	const char *bytes;
	size_t n;
	bool hibernated;
} others[] = {
	{ "SWAP-SPACE", 10, false }, { "S1SUSPEND", 9, true },
	{ "S2SUSPEND", 9, true },    { "ULSUSPEND", 9, true },
	{ "LINHIB0001", 10, true },  { "\xed\xc3\x02\xe9\x98\x56\xe5\x0c", 8, true }, /* TuxOnIce */
};

enum { CURRENT = sizeof others / sizeof *others };

/* Returns the size of a page, and which signature there is: of `others`, or CURRENT; 0: none. */
static uint32_t find(const struct fs_view *view, size_t *ret)
{
	for (uint32_t page = PAGE_MIN; page <= PAGE_MAX; page *= 2) {
		const uint8_t *signature = view->head + page - SIGNATURE_BYTES;

		*ret = CURRENT;
		if (memcmp(signature, current, SIGNATURE_BYTES) == 0)
			return page;
		for (*ret = 0; *ret < CURRENT; ++*ret)
			if (memcmp(signature, others[*ret].bytes, others[*ret].n) == 0)
				return page;
	}
	return 0;
}

static bool swap_recognise(const struct fs_view *view)
{
	size_t which;

	return find(view, &which) != 0;
}

void fs_need_swap(struct error *why)
{
	error_set(why, "a Linux that was not shut down may need it: shut it down, then capture");
}

static enum status swap_look(const struct fs_view *view, struct fs *ret)
{
	const struct swap_header *header = (const struct swap_header *)(view->head + HEADER_AT);
	size_t which;
	uint32_t page = find(view, &which);

	ret->type = FS_SWAP;
	if (which != CURRENT && others[which].hibernated) {
		ret->binds = FS_BINDS_MACHINE;
		fs_note(ret, "Linux is hibernated: start it and shut it down, then capture");
	} else if (which != CURRENT || le32_get(header->version) != 1) {
		fs_note(ret, "it is a swap area of another version than 1");
	}
	if (which != CURRENT && !others[which].hibernated)
		return ST_OK;
	fs_uuid_text(ret, header->uuid);
	fs_label_utf8(ret, header->label, sizeof header->label);
	ret->size = ((uint64_t)le32_get(header->last_page) + 1) * page;
	if (ret->size > view->blk->size || ret->size <= PAGE_MAX ||
	    le32_get(header->n_bad_pages) > (page - HEADER_AT) / 4)
		fs_note(ret, "its header is damaged: make a new one with mkswap");
	return ST_OK;
}

static enum status swap_load(struct fs_map *map, uint64_t first, uint32_t n, uint8_t *bits,
			     struct error *why)
{
	(void)map, (void)n, (void)why;
	if (first == 0)
		fs_bits_set(bits, 0, 1);
	return ST_OK;
}

static enum status swap_open(const struct fs_view *view, struct fs_map *map, struct error *why)
{
	const struct swap_header *header = (const struct swap_header *)(view->head + HEADER_AT);
	size_t which;
	uint64_t page = find(view, &which);

	(void)why;
	map->shift = fs_log2(PAGE_MAX);
	map->n_units = ((uint64_t)le32_get(header->last_page) + 1) * page >> map->shift;
	map->load = swap_load;
	return ST_OK;
}

const struct fs_kind fs_kind_swap = {
	.recognise = swap_recognise,
	.look = swap_look,
	.open = swap_open,
};
