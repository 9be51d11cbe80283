#pragma once

#include <stddef.h>
#include <stdint.h>

#include "blk/blk.h"

/*
 * A bounded cache of the tables of an image (L2 tables, refcount blocks), one cluster each. The longest unused goes first.
 */
enum {
	QCOW2_CACHE_BYTES = 16 << 20, /* at most, for each of its caches; with 64 KiB clusters that maps 128 GiB */
	QCOW2_CACHE_SLOTS_MIN = 8,    /* also of tables of 2 MiB */
	QCOW2_CACHE_SLOTS_MAX = 1024,
};

struct qcow2_cache {
	struct blk *file;
	size_t table_bytes;
	size_t n_slots;
	uint64_t clock;
	struct {
		uint8_t *bytes;   /* allocated when the slot is first used */
		uint64_t offset;  /* in the file; 0: empty */
		uint64_t last_use;
	} *slot;
};

enum status qcow2_cache_init(struct qcow2_cache *, struct blk *file, size_t table_bytes);
void qcow2_cache_free(struct qcow2_cache *); /* half-initialised ones as well */

/*
 * The table at `offset` > 0 of the file, read if need be; what lies behind the end of the file is zeros. *ret is valid until the
 * cache is asked for QCOW2_CACHE_SLOTS_MIN - 1 other tables.
 */
enum status qcow2_cache_get(struct qcow2_cache *, uint64_t offset, uint8_t **ret);
