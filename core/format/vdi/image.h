/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"
#include "format/block_map.h"
#include "format/image.h"
#include "format/problems.h"
#include "format/table_cache.h"

/* What the files of the format VDI share; vdi.c tells the layout and the order of writes. */

enum {
	VDI_SIGNATURE = 0xbeda107f,
	VDI_VERSION = 0x00010001,
	VDI_SIGNATURE_AT = 64,
	VDI_HEADER_LEAST = 384, /* of the field header_bytes: all but the LCHS geometry */
	VDI_HEADER_BYTES = 400,
	VDI_SECTOR_BYTES = 512,
	VDI_BLOCK_BYTES = 1 << 20, /* of new images: the only one that QEMU reads */
	VDI_ALIGN = 1 << 20,       /* of map and data in new images, as in VirtualBox */
	VDI_BLOCKS_MAX = 0x1fffff80,
	VDI_ENTRY_BYTES = 4,
	VDI_PAGE_BYTES = 64 << 10, /* of the map, that are in memory as one */
};

enum vdi_type {
	VDI_DYNAMIC = 1,
	VDI_STATIC = 2,
	VDI_UNDO = 3,
	VDI_DIFFERENCING = 4,
};

/* Entries of the map that are no index of a block in the data area. */
#define VDI_FREE UINT32_C(0xffffffff) /* nothing was written there: zeros */
#define VDI_ZERO UINT32_C(0xfffffffe) /* zeros */

/* The first sector. */
struct vdi_header {
	char text[64];
	le32 signature;
	le32 version;
	le32 header_bytes; /* from here on */
	le32 type;
	le32 flags;
	char comment[256];
	le32 map_offset;
	le32 data_offset;
	le32 legacy_cylinders;
	le32 legacy_heads;
	le32 legacy_sectors;
	le32 sector_bytes;
	le32 unused;
	le64 disk_bytes;
	le32 block_bytes;
	le32 extra_bytes; /* before each block */
	le32 n_blocks;
	le32 n_allocated; /* what other programs take for the index of the next new block */
	struct guid image_id;
	struct guid modification_id; /* another one whenever the disk was changed */
	struct guid link_id;         /* of the image that this one is a snapshot of */
	struct guid parent_modification_id;
	uint8_t geometry[16];
	uint8_t reserved[40];
};

_Static_assert(sizeof(struct vdi_header) == VDI_SECTOR_BYTES, "VDI header");
_Static_assert(offsetof(struct vdi_header, signature) == VDI_SIGNATURE_AT, "VDI header");
_Static_assert(offsetof(struct vdi_header, map_offset) == 340, "VDI header");
_Static_assert(offsetof(struct vdi_header, disk_bytes) == 368, "VDI header");
_Static_assert(offsetof(struct vdi_header, image_id) == 392, "VDI header");
_Static_assert(offsetof(struct vdi_header, geometry) == 456, "VDI header");

/* What the whole map says, read once. */
struct vdi_summary {
	uint64_t n_allocated; /* entries with an index below n_blocks */
	uint64_t end;         /* the index after the highest of them */
	uint64_t n_bad; /* entries with an index from n_blocks on, or past the end of the file */
	uint64_t n_doubled; /* entries whose index another one before them has */
};

enum { VDI_LIST_MAX = 1024 };

struct vdi_image {
	struct image image; /* first */
	struct vdi_header header;
	uint64_t map_offset, data_offset; /* in the file */
	uint64_t n_blocks;
	bool is_static;
	struct block_map map;
	struct table_cache cache; /* of the map */
	/* For writing: */
	uint64_t end;               /* the index after the highest that is, or may get, in use */
	bool modified;              /* the header has a new modification_id */
	bool counts;                /* the header on the medium has n_allocated = end */
	uint32_t gap[VDI_LIST_MAX]; /* indexes below `end` that no entry has, the lowest last */
	size_t n_gaps;
	uint32_t listed[VDI_LIST_MAX]; /* blocks that a survey was to find */
	size_t n_listed;
};

struct blk *vdi_file(const struct vdi_image *);

/* Reads and checks the header; fills in what it says. */
enum status vdi_read_header(struct vdi_image *, struct error *);

/* Writes the first sector. */
enum status vdi_write_header(struct vdi_image *);

/* The entry of a block below n_blocks. */
enum status vdi_entry(struct vdi_image *, uint64_t block, uint32_t *ret);
/* Changes it; vdi_commit() writes it. */
enum status vdi_set_entry(struct vdi_image *, uint64_t block, uint32_t entry);

/* Where the block of an index begins in the file. */
uint64_t vdi_place(const struct vdi_image *, uint64_t index);

/*
 * Whether an entry that is neither FREE nor ZERO is one that block `block` of the disk can have:
 * its index is below n_blocks, and the file has all of the disk's bytes in it.
 */
bool vdi_in_file(const struct vdi_image *, uint64_t block, uint32_t entry);

extern const struct block_ops vdi_block_ops;

/* Makes the map ready for vdi_entry() and the like, and for v->map. ST_NO_MEMORY. */
enum status vdi_prepare(struct vdi_image *);

/*
 * Reads the whole map, once, and if `doubled` once more for each 2^26 blocks that the image has.
 * Then v->gap are gaps below ret->end, and v->listed blocks whose index another one before them
 * has. The map on the medium is read.
 */
enum status vdi_survey(struct vdi_image *, bool doubled, struct problems *,
		       struct vdi_summary *ret);

/* Makes v->listed the blocks whose index is `first` or higher, as many as it can hold. */
enum status vdi_list_from(struct vdi_image *, uint64_t first);

enum status vdi_check(struct image *, struct out *problems, struct check_result *ret,
		      struct error *);
enum status vdi_repair(struct image *, enum repair, struct out *problems, struct check_result *ret,
		       struct error *);

extern const struct create_option vdi_create_options[];
enum status vdi_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status vdi_measure(const struct create_request *, const struct image *source,
			struct image_measure *ret, struct error *);
enum status vdi_write_files(const struct create_request *, struct blk *const file[],
			    struct error *);

enum status vdi_plan_resize(const struct image *, uint64_t size, enum prealloc, uint64_t ret[],
			    struct error *);
enum status vdi_resize(struct blk *, uint64_t size, enum prealloc);
