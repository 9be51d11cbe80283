/* SPDX-License-Identifier: BSD-2-Clause */
#include "operation.h"

#define NEW(options, from) \
	{ \
		"convert", "-O", "qcow2", "-o", options, from, "a" \
	}
#define NEW_PACKED(options) \
	{ \
		"convert", "-c", "-O", "qcow2", "-o", options, "random", "a" \
	}
#define WRITE(from, to) \
	{ \
		"convert", "-n", "-f", "raw", "-O", "qcow2", from, to \
	}
#define WRITE_MAPPED(from, to) \
	{ \
		"convert", "-n", "--map=m", "-f", "raw", "-O", "qcow2", from, to \
	}
#define PACK(from, to) \
	{ \
		"convert", "-c", "-n", "-f", "raw", "-O", "qcow2", from, to \
	}
#define OVER(base, format, ...) \
	{ \
		"create", "-q", "-f", "qcow2", "-b", base, "-F", format, __VA_ARGS__ \
	}
#define TAKE(name, image) \
	{ \
		"snapshot", "-c", name, image \
	}
#define ADD(...) \
	{ \
		"bitmap", "--add", __VA_ARGS__ \
	}

/* "on" has noted some, and "off" as much. */
#define NOTED(options) \
	NEW(options, "random"), ADD("-g", "512", "a", "on"), \
		ADD("-g", "2k", "--disable", "a", "off"), WRITE("few", "a"), \
		{ "bitmap", "--merge", "on", "a", "off" }, ADD("a", "new")

/* Three disks behind each other, with snapshots s0 and s1 between them. */
#define TAKEN(options, fill) \
	{ \
		NEW(options, "random"), fill("few", "a"), TAKE("s0", "a"), fill("other", "a"), \
			TAKE("s1", "a"), fill("random", "a") \
	}
/* The disk has changed half of what it shares with s0. */
#define SHARED(options, fill) \
	{ \
		NEW(options, "random"), TAKE("s0", "a"), fill("few", "a") \
	}
#define SNAPSHOTS(name, options, fill) \
	{ name "/create", TAKEN(options, fill), .words = { "snapshot", "-c", "new", "a" } }, \
		{ name "/apply0", TAKEN(options, fill), .words = { "snapshot", "-a", "s0", "a" }, \
		  .replaces = true }, \
		{ name "/apply1", TAKEN(options, fill), .words = { "snapshot", "-a", "s1", "a" }, \
		  .replaces = true }, \
		{ name "/delete0", TAKEN(options, fill), \
		  .words = { "snapshot", "-d", "s0", "a" } }, \
		{ name "/delete1", TAKEN(options, fill), \
		  .words = { "snapshot", "-d", "s1", "a" } }, \
		{ name "/create-again", SHARED(options, fill), \
		  .words = { "snapshot", "-c", "new", "a" } }, \
		{ name "/apply-shared", SHARED(options, fill), \
		  .words = { "snapshot", "-a", "s0", "a" }, .replaces = true }, \
	{ \
		name "/delete-shared", SHARED(options, fill), .words = { \
			"snapshot", \
			"-d", \
			"s0", \
			"a" \
		} \
	}

/* Its refcount table is full but for a few entries. */
#define FULL_TABLE \
	{ \
		"create", "-q", "-f", "qcow2", "-o", \
			"cluster_size=512,refcount_bits=64,preallocation=full", "a", "1970k" \
	}

/* There are clusters that nothing uses any more, with what was in them. */
#define USED(options) \
	NEW(options, "random"), TAKE("s", "a"), WRITE("other", "a"), \
	{ \
		"snapshot", "-d", "s", "a" \
	}

#define DAMAGED(options) \
	{ \
		{ "create", "-q", "-f", "qcow2", "-o", options, "a", "48k" }, WRITE("dense", "a") \
	}
#define DAMAGED_TAKEN(options) \
	{ \
		{ "create", "-q", "-f", "qcow2", "-o", options, "a", "48k" }, WRITE("dense", "a"), \
			TAKE("s0", "a"), WRITE("dense2", "a") \
	}
#define REPAIR .words = { "check", "-r", "all", "a" }

const struct operation operations[] = {
	{ "create/raw", .words = { "create", "new", "100k" } },
	{ "create/plain", .words = { "create", "-f", "qcow2", "new", "1M" } },
	{ "create/metadata",
	  .words = { "create", "-f", "qcow2", "-o", "cluster_size=512,preallocation=metadata",
		     "new", "100k" } },
	{ "create/full",
	  .words = { "create", "-f", "qcow2", "-o",
		     "cluster_size=16k,extended_l2=on,preallocation=full,refcount_bits=1", "new",
		     "100k" } },
	{ "create/data-file",
	  .words = { "create", "-f", "qcow2", "-o", "cluster_size=512,data_file=d,data_file_raw=on",
		     "new", "100k" } },
	{ "create/backing",
	  { NEW("cluster_size=4k", "random") },
	  .words = OVER("a", "qcow2", "new") },

	{ "convert/raw",
	  { NEW("cluster_size=4k", "random") },
	  .words = { "convert", "-O", "raw", "a", "new" } },
	{ "convert/qcow2",
	  .words = { "convert", "-O", "qcow2", "-o", "cluster_size=512", "other", "new" } },
	{ "convert/compressed", .words = { "convert", "-O", "qcow2", "-c", "other", "new" } },
	{ "convert/zstd", .words = { "convert", "-O", "qcow2", "-c", "-o",
				     "compression_type=zstd,cluster_size=4k", "other", "new" } },
	{ "convert/two",
	  { NEW("cluster_size=4k", "random") },
	  .words = { "convert", "-O", "qcow2", "-o",
		     "cluster_size=16k,extended_l2=on,refcount_bits=64", "a", "other", "new" } },
	{ "convert/backing",
	  { NEW("cluster_size=4k", "random") },
	  .words = { "convert", "-O", "qcow2", "-B", "a", "-F", "qcow2", "-o", "cluster_size=1k",
		     "few", "new" } },
	{ "convert/bitmaps",
	  { NEW("cluster_size=64k", "random"), ADD("a", "on"),
	    ADD("-g", "4k", "--disable", "a", "off"), WRITE("few", "a") },
	  .words = { "convert", "--bitmaps", "-O", "qcow2", "-o", "cluster_size=512", "a",
		     "new" } },
	{ "convert/dd",
	  { NEW("cluster_size=4k", "random") },
	  .words = { "dd", "-O", "qcow2", "bs=3k", "if=a", "of=new", "count=20" } },

	{ "write/plain",
	  { NEW("cluster_size=512", "random") },
	  .words = WRITE("other", "a"),
	  .mixed = "a" },
	{ "write/behind-snapshot",
	  { NEW("cluster_size=4k", "random"), TAKE("s", "a") },
	  .words = WRITE("other", "a"),
	  .mixed = "a" },
	{ "write/reuse",
	  { USED("cluster_size=1k,refcount_bits=8") },
	  .words = WRITE("few", "a"),
	  .mixed = "a" },
	{ "write/compressed",
	  { NEW("cluster_size=4k,refcount_bits=64", "random") },
	  .words = PACK("other", "a"),
	  .mixed = "a" },
	{ "write/backing",
	  { OVER("random", "raw", "-o", "cluster_size=16k,extended_l2=on", "a") },
	  .words = WRITE("other", "a"),
	  .mixed = "a" },
	/* parts of clusters that a snapshot has as well, that are compressed, of which there are
	   some subclusters */
	{ "write/part-shared",
	  { NEW("cluster_size=4k", "random"), TAKE("s", "a"), WRITE("few", "a") },
	  .words = WRITE_MAPPED("other", "a"),
	  .mixed = "a" },
	{ "write/part-compressed",
	  { NEW_PACKED("cluster_size=4k,refcount_bits=8"), TAKE("s", "a") },
	  .words = WRITE_MAPPED("other", "a"),
	  .mixed = "a" },
	{ "write/part-subclusters",
	  { OVER("random", "raw", "-o", "cluster_size=16k,extended_l2=on", "a"),
	    WRITE("few", "a"),
	    TAKE("s", "a"),
	    { "bench", "-w", "-q", "-c", "2", "-s", "512", "-o", "66k", "a" } },
	  .words = WRITE_MAPPED("other", "a"),
	  .mixed = "a" },

	{ "write/raw", .words = { "convert", "-n", "-O", "raw", "few", "other" },
	  .mixed = "other" },

	{ "guest/small-clusters",
	  { NEW("cluster_size=512", "random") },
	  .guest = 12,
	  .mixed = "a" },
	{ "guest/subclusters",
	  { NEW("cluster_size=16k,extended_l2=on", "random"), TAKE("s", "a") },
	  .guest = 10,
	  .mixed = "a" },
	{ "guest/compressed",
	  { NEW_PACKED("cluster_size=4k,refcount_bits=2") },
	  .guest = 10,
	  .mixed = "a" },
	{ "guest/backing",
	  { OVER("random", "raw", "-o", "cluster_size=4k,lazy_refcounts=on", "a") },
	  .guest = 10,
	  .mixed = "a" },
	{ "guest/version-2",
	  { NEW("cluster_size=1k,compat=0.10", "random"), TAKE("s", "a"), WRITE("few", "a"),
	    TAKE("t", "a") },
	  .guest = 10,
	  .mixed = "a" },
	{ "guest/data-file",
	  { NEW("cluster_size=512,data_file=d", "random") },
	  .guest = 10,
	  .mixed = "a" },
	{ "guest/bitmaps", { NOTED("cluster_size=4k") }, .guest = 8, .mixed = "a" },
	{ "guest/reftable",
	  { FULL_TABLE, TAKE("s", "a") },
	  .guest = 30,
	  .mixed = "a",
	  .large = true },
	{ "guest/large",
	  { NEW("cluster_size=512,refcount_bits=64", "random"),
	    TAKE("s", "a"),
	    { "resize", "--shrink", "a", "60k" },
	    { "resize", "a", "2M" } },
	  .guest = 80,
	  .mixed = "a",
	  .large = true },

	{ "resize/grow", { NEW("cluster_size=512", "random") }, .words = { "resize", "a", "+3M" } },
	{ "resize/shrink",
	  { NEW("cluster_size=512", "random") },
	  .words = { "resize", "--shrink", "a", "20k" } },
	{ "resize/shrink-blocks",
	  { NEW("cluster_size=512,refcount_bits=64", "random") },
	  .words = { "resize", "--shrink", "a", "5k" } },
	{ "resize/shrink-compressed",
	  { NEW_PACKED("cluster_size=4k,refcount_bits=1") },
	  .words = { "resize", "--shrink", "a", "50k" } },
	{ "resize/shrink-snapshot",
	  { NEW("cluster_size=512", "random"), TAKE("s", "a") },
	  .words = { "resize", "--shrink", "a", "41k" } },
	{ "resize/preallocated",
	  { NEW("cluster_size=16k,extended_l2=on", "random") },
	  .words = { "resize", "--preallocation=metadata", "a", "+100k" } },
	{ "resize/backing",
	  { OVER("random", "raw", "-o", "cluster_size=1k", "a", "33k") },
	  .words = { "resize", "a", "100k" } },
	{ "resize/data-file",
	  { NEW("cluster_size=512,data_file=d,data_file_raw=on", "random") },
	  .words = { "resize", "a", "+20k" } },
	{ "resize/reftable",
	  { FULL_TABLE },
	  .words = { "resize", "--preallocation=metadata", "a", "+20k" } },
	{ "resize/raw", .words = { "resize", "-f", "raw", "random", "+20k" } },
	{ "resize/bitmaps-grow", { NOTED("cluster_size=512") }, .words = { "resize", "a", "5M" } },
	{ "resize/bitmaps-shrink",
	  { NOTED("cluster_size=512"), { "resize", "a", "5M" } },
	  .words = { "resize", "--shrink", "a", "20k" } },

	{ "commit/qcow2",
	  { NEW("cluster_size=64k", "other"),
	    { "convert", "-O", "qcow2", "-B", "a", "-F", "qcow2", "-o", "cluster_size=512",
	      "random", "b" } },
	  .words = { "commit", "b" },
	  .mixed = "a" },
	{ "commit/raw",
	  { { "convert", "-c", "-O", "qcow2", "-B", "other", "-F", "raw", "-o", "cluster_size=4k",
	      "random", "b" } },
	  .words = { "commit", "b" },
	  .mixed = "other" },
	{ "commit/deep",
	  { NEW("cluster_size=1k", "other"),
	    OVER("a", "qcow2", "b"),
	    { "convert", "-O", "qcow2", "-B", "b", "-F", "qcow2", "-o", "cluster_size=16k",
	      "random", "c" } },
	  .words = { "commit", "-b", "a", "c" },
	  .mixed = "a b" },
	{ "commit/bitmaps",
	  { NOTED("cluster_size=1k"), OVER("a", "qcow2", "b", "100k"), WRITE("other", "b") },
	  .words = { "commit", "b" },
	  .mixed = "a" },

	{ "rebase/longer",
	  { NEW("cluster_size=64k", "other"), OVER("random", "raw", "-o", "cluster_size=4k", "b") },
	  .words = { "rebase", "-b", "a", "-F", "qcow2", "b" } },
	{ "rebase/compressed",
	  { OVER("random", "raw", "-o", "cluster_size=4k", "b") },
	  .words = { "rebase", "-c", "-b", "other", "-F", "raw", "b" } },
	{ "rebase/version-2",
	  { OVER("random", "raw", "-o", "cluster_size=4k,compat=0.10", "b") },
	  .words = { "rebase", "-b", "other", "-F", "raw", "b" } },
	{ "rebase/none",
	  { OVER("random", "raw", "-o", "cluster_size=16k,extended_l2=on", "b", "120k") },
	  .words = { "rebase", "-b", "", "b" } },
	{ "rebase/first",
	  { { "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "b", "70k" } },
	  .words = { "rebase", "-b", "other", "-F", "raw", "b" } },
	{ "rebase/bitmaps",
	  { NEW("cluster_size=4k", "random"),
	    OVER("a", "qcow2", "b"),
	    { "resize", "a", "100k" },
	    ADD("-g", "512", "a", "on") },
	  .words = { "rebase", "-b", "other", "-F", "raw", "a" } },
	{ "rebase/unsafe",
	  { NOTED("cluster_size=4k") },
	  .words = { "rebase", "-u", "-b", "a-longer-name", "-F", "raw", "a" },
	  .replaces = true },

	/* zeros in front of other data, in tables that are the disk's alone, a snapshot's, and of
	   several */
	{ "amend/zeros-snapshots",
	  { OVER("other", "raw", "-o", "cluster_size=16k,refcount_bits=8", "b", "90k"),
	    WRITE("random", "b"), TAKE("s", "b"), PACK("zeros", "b"), TAKE("t", "b") },
	  .words = { "amend", "-o", "compat=0.10,refcount_bits=16", "b" } },
	{ "amend/zeros",
	  { OVER("random", "raw", "-o", "cluster_size=8k", "b"), WRITE("zeros", "b"),
	    TAKE("s", "b"), WRITE("other", "b") },
	  .words = { "amend", "-o", "compat=0.10", "b" } },
	{ "amend/version-3",
	  { NEW("cluster_size=512,compat=0.10", "random") },
	  .words = { "amend", "-o", "compat=1.1,refcount_bits=64,lazy_refcounts=on", "a" } },
	{ "amend/size",
	  { OVER("random", "raw", "-o", "cluster_size=4k,compat=0.10", "b"), TAKE("s", "b") },
	  .words = { "amend", "-o", "compat=1.1,size=200k", "b" } },
	{ "amend/narrower",
	  { NEW_PACKED("cluster_size=1k,refcount_bits=64"), TAKE("s", "a") },
	  .words = { "amend", "-o", "refcount_bits=8", "a" } },
	{ "amend/data-file",
	  { NEW("cluster_size=512,data_file=d,data_file_raw=on", "random") },
	  .words = { "amend", "--force", "-o", "data_file_raw=off,refcount_bits=1,size=60k",
		     "a" } },

	SNAPSHOTS("snapshot/512", "cluster_size=512", WRITE),
	SNAPSHOTS("snapshot/compressed", "cluster_size=4k,refcount_bits=8", PACK),
	SNAPSHOTS("snapshot/subclusters", "cluster_size=16k,extended_l2=on,refcount_bits=64",
		  WRITE),
	SNAPSHOTS("snapshot/version-2", "cluster_size=1k,compat=0.10", PACK),
	SNAPSHOTS("snapshot/two-bits", "cluster_size=512,refcount_bits=2", WRITE),

	{ "snapshot/unknown-features",
	  { NEW("cluster_size=4k", "random") },
	  unknown_features,
	  .words = TAKE("new", "a") },

	{ "bitmap/write",
	  { NOTED("cluster_size=4k") },
	  .words = WRITE("other", "a"),
	  .mixed = "a" },
	{ "bitmap/write-compressed",
	  { NOTED("cluster_size=2k,refcount_bits=64") },
	  .words = PACK("other", "a"),
	  .mixed = "a" },
	{ "bitmap/write-snapshot",
	  { NOTED("cluster_size=4k"), TAKE("s", "a") },
	  .words = WRITE("other", "a"),
	  .mixed = "a" },
	{ "bitmap/add", { NOTED("cluster_size=512") }, .words = ADD("-g", "4k", "a", "another") },
	{ "bitmap/add-first", { NEW("cluster_size=4k", "random") }, .words = ADD("a", "another") },
	{ "bitmap/add-reuse",
	  { USED("cluster_size=512") },
	  .words = ADD("-g", "512", "a", "another") },
	{ "bitmap/add-backing", { OVER("other", "raw", "a") }, .words = ADD("a", "another") },
	{ "bitmap/remove",
	  { NOTED("cluster_size=512"), { "resize", "a", "5M" } },
	  .words = { "bitmap", "--remove", "a", "on" } },
	{ "bitmap/remove-last",
	  { NEW("cluster_size=4k", "random"), ADD("a", "on") },
	  .words = { "bitmap", "--remove", "a", "on" } },
	{ "bitmap/clear",
	  { NOTED("cluster_size=512"), { "resize", "a", "5M" } },
	  .words = { "bitmap", "--clear", "a", "on" } },
	{ "bitmap/disable",
	  { NOTED("cluster_size=4k") },
	  .words = { "bitmap", "--disable", "a", "on" } },
	{ "bitmap/merge",
	  { NOTED("cluster_size=512") },
	  .words = { "bitmap", "--merge", "on", "--clear", "--merge", "off", "a", "new" } },

	{ "repair/leaks", DAMAGED_TAKEN("cluster_size=512,refcount_bits=64"), no_snapshots,
	  .words = { "check", "-r", "leaks", "a" } },
	{ "repair/no-snapshots", DAMAGED_TAKEN("cluster_size=4k,refcount_bits=8"), no_snapshots,
	  REPAIR },
	{ "repair/low-refcounts", DAMAGED("cluster_size=512,refcount_bits=1"), low_refcounts,
	  REPAIR },
	{ "repair/low-version-2", DAMAGED_TAKEN("cluster_size=1k,compat=0.10"), low_refcounts,
	  REPAIR },
	{ "repair/no-blocks", DAMAGED_TAKEN("cluster_size=512,refcount_bits=64"), no_blocks,
	  REPAIR },
	{ "repair/block-twice", DAMAGED_TAKEN("cluster_size=4k,refcount_bits=2"), block_twice,
	  REPAIR },
	{ "repair/not-copied", DAMAGED("cluster_size=512"), not_copied, REPAIR },
	{ "repair/reserved-places", DAMAGED_TAKEN("cluster_size=1k"), reserved_places, REPAIR },
	{ "repair/incomplete", DAMAGED_TAKEN("cluster_size=512"), incomplete, REPAIR },
	{ "repair/lost", DAMAGED_TAKEN("cluster_size=512,refcount_bits=32"), lost, REPAIR,
	  .code = 2, .repaired = 2 },
	{ "repair/dirty", DAMAGED("cluster_size=512,lazy_refcounts=on"), dirty,
	  .words = { "snapshot", "-c", "new", "a" } },

	/* what only reads */
	{ "compare/same",
	  { NEW("cluster_size=512", "random") },
	  .words = { "compare", "random", "a" },
	  .says = "identical" },
	{ "compare/longer",
	  { NEW("cluster_size=512", "zeros"), OVER("a", "qcow2", "b", "5M") },
	  .words = { "compare", "b", "zeros" },
	  .says = "Warning: Image size mismatch!\nImages are identical.\n" },
	{ "compare/differs",
	  { NEW("cluster_size=512", "random") },
	  .words = { "compare", "a", "few" },
	  .code = 1,
	  .says = "Content mismatch at offset " },
	{ "measure/chain",
	  { NEW("cluster_size=512", "random"), OVER("a", "qcow2", "b", "5M") },
	  .words = { "measure", "-O", "qcow2", "-o", "cluster_size=512", "b" },
	  .says = "bitmaps size: 0\n" },
	{ "measure/json", .words = { "measure", "--output=json", "-O", "qcow2", "random" },
	  .says = "\"required\": " },
	{ "measure/snapshot",
	  { NEW("cluster_size=512", "random"), TAKE("s", "a") },
	  .words = { "measure", "-l", "snapshot.id=1,snapshot.name=s", "-O", "qcow2", "a" },
	  .says = "required size: " },
	{ "measure/size",
	  .words = { "measure", "-O", "qcow2", "-o", "backing_file=b", "--size", "1G" },
	  .says = "required size: 393216\nfully allocated size: 1074135040\n" },
	{ "map/chain",
	  { NEW("cluster_size=512", "random"), OVER("a", "qcow2", "b", "5M") },
	  .words = { "map", "--output=json", "b" },
	  .says = "]" },
	{ "info/chain",
	  { NEW("cluster_size=512", "random"), OVER("a", "qcow2", "b", "5M"), ADD("b", "on") },
	  .words = { "info", "--backing-chain", "b" } },
	{ "check/plain",
	  { { "create", "-q", "-f", "qcow2", "a", "1M" } },
	  .words = { "check", "a" },
	  .says = "No errors" },
	{ "check/metadata",
	  { { "create", "-q", "-f", "qcow2", "-o",
	      "cluster_size=512,preallocation=metadata,refcount_bits=64", "a", "400k" } },
	  .words = { "check", "a" },
	  .says = "No errors" },
	{ "check/bitmaps",
	  { NOTED("cluster_size=512"), TAKE("s", "a") },
	  .words = { "check", "--output=json", "a" },
	  .says = "\"check-errors\": 0" },
	{ "check/data-file",
	  { NEW("cluster_size=512,data_file=d,data_file_raw=on", "random") },
	  .words = { "check", "a" },
	  .says = "No errors" },
	{ "check/no-refcounts", DAMAGED("cluster_size=4k"), block_nowhere,
	  .words = { "check", "a" }, .code = 1, .says = "internal errors" },
	{ "check/corrupt", DAMAGED("cluster_size=512"), low_refcounts, .words = { "check", "a" },
	  .code = 2, .says = "errors were found" },
};
const size_t n_operations = N_OF(operations);

void operation_files(void)
{
	/*
	 * of "other": pieces that begin and end inside clusters, with whole clusters between them
	 */
	static const char map[] =
		"# Mapfile.\n0x0 ? 1\n0x0 0x600 +\n0x600 0x400 ?\n0xa00 0x2000 +\n0x2a00 0x1c00 ?\n"
		"0x4600 0x7c00 +\n0xc200 0x200 ?\n0xc400 0x7c00 +\n";
	enum { DISK = 90 << 10, DENSE = 40 << 10 };
	static uint8_t bytes[DISK];
	uint32_t state = 1;

	put_raw("random", 1, DISK, 0);
	put_raw("other", 2, DISK - 10240, 2);
	put_raw("few", 3, DISK / 2, 4);
	put_raw("a-longer-name", 4, 4096, 0);
	sim_file_put("m", map, sizeof map - 1);
	sim_file_put("zeros", memset(bytes, 0, DISK), DISK);
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < DENSE; i++)
			bytes[i] = (uint8_t)(dice(&state) >> 16 | 1);
		sim_file_put(k == 0 ? "dense" : "dense2", bytes, DENSE);
	}
}
