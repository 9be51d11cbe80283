/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving clusters of the disk a place before they are written to (preallocation=metadata and more).
 * The file has zeros in that place before an entry refers to it: what the file system shows there
 * otherwise may be what somebody has deleted.
 */
#include "base/bytes.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/l2.h"
#include "platform/person.h"

/*
 * `n` clusters from `guest` on, of one L2 table. The file has its zeros there before an entry
 * refers to them.
 */
static enum status reserve_run(struct qcow2_image *q, uint64_t guest, uint64_t n,
			       enum prealloc prealloc)
{
	uint64_t cluster_bytes = q->image.cluster_bytes, host = guest;
	enum status st = ST_OK;

	if (!q->has_data_file) {
		st = qcow2_alloc(q, n, &host);
		if (st == ST_OK && host + n * cluster_bytes > q->file->size)
			st = blk_resize(q->file, host + n * cluster_bytes, prealloc);
	}
	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		struct qcow2_slot slot;

		st = qcow2_find_slot(q, guest + i * cluster_bytes, &slot);
		if (st == ST_OK)
			st = qcow2_release_entry(q, bytes_from_be(slot.entry, 8));
		if (st == ST_OK)
			qcow2_set_entry(q, &slot, (host + i * cluster_bytes) | QCOW2_COPIED,
					QCOW2_ALL_SUBCLUSTERS);
	}
	return st;
}

enum status qcow2_preallocate(struct qcow2_image *q, uint64_t guest, uint64_t end,
			      enum prealloc prealloc)
{
	enum status st = ST_OK;

	while (st == ST_OK && guest < end) {
		uint64_t n = qcow2_run_length(q, guest,
					      div_up(end - guest, q->image.cluster_bytes));

		st = platform_cancelled() ? ST_CANCELLED : qcow2_make_room(q);
		if (st == ST_OK)
			st = reserve_run(q, guest, n, prealloc);
		guest += n * q->image.cluster_bytes;
	}
	return st;
}
