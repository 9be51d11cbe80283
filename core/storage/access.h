/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "base/tree.h"
#include "disk/selector.h"
#include "platform/files.h"
#include "platform/permit.h"

/*
 * The access set: every file (with the parts that it has or may get), disk and partition that one
 * command reads, writes, creates or removes, each known by its identity and not by the name that
 * was given for it. All are added before the first write. Entries that cannot be used together are
 * refused when the later one is added, by one function, access_add(), for every command and
 * regardless of --force. The platform changes nothing that is not in the set.
 */
enum access_use {
	ACCESS_READ,
	ACCESS_WRITE,  /* it exists, and is changed or appended to */
	ACCESS_CREATE, /* it is created, and replaces an existing one */
	ACCESS_REMOVE,
};

enum access_role {
	ROLE_IMAGE,
	ROLE_BACKING_FILE,
	ROLE_DATA_FILE,
	ROLE_EXTENT, /* a file with a part of the disk, which the image names */
	ROLE_PART,   /* of a split image */
	ROLE_TARGET,
	ROLE_JOURNAL,
	ROLE_MAP,
	ROLE_MANIFEST,
	ROLE_BMAP,
	ROLE_LOG,
	ROLE_OUTPUT,  /* the file that the shell has redirected the output to */
	ROLE_BOOT,    /* the disk that efi-img was started from */
	ROLE_CURRENT, /* the disk that the shell's current directory is on */
	N_ACCESS_ROLES,
};

/* One of them. The set owns the texts. */
struct access_entry {
	enum access_role role;
	enum access_use use;
	char *name;                /* as it was given, for messages */
	char *owner;               /* of a data file or extent, the image; otherwise NULL */
	bool is_device;            /* a disk or partition; otherwise a file */
	bool has_parts;            /* a file, and every file that may become its part (split.h) */
	struct file_identity file; /* of a file */
	/* `place` is known: of a device always, of a file once there is a device in the set */
	bool is_placed;
	/* the device, or the device that the file is on; disk NULL: none of the machine's */
	struct selection place;
	/* of a device that is written, the one that is opened; of output, the one that it is on */
	uintptr_t device_id;
};

struct access {
	struct permit permit; /* first: the platform's struct permit * is a struct access * */
	struct access_entry *entry;
	size_t n, capacity;
};

/* An empty set, which permits nothing. */
void access_begin(struct access *);
void access_end(struct access *);

/*
 * Adds a file or a device; the set owns the texts of `entry` from then on, on failure too.
 * `inventory`: that of the machine; NULL if the command has named no device so far. Errors:
 * ST_REFUSED, it conflicts with another entry, with a message that names both; ST_NO_MEMORY.
 */
enum status access_add(struct access *, const struct inventory *, struct access_entry *entry,
		       struct error *);

/*
 * Adds the files that another set changes: that of the script or menu that runs this command and
 * writes a log meanwhile. Errors: ST_NO_MEMORY; those of access_add().
 */
enum status access_inherit(struct access *, const struct access *from, struct error *);

/* Whether two identities are those of the same file. */
bool access_same_file(const struct file_identity *, const struct file_identity *);

/* Whether there is a device in the set. */
bool access_has_device(const struct access *);

/* Removes the files that are only read from the set. The caller has closed them. */
void access_forget_reads(struct access *);

/* What the command touches: a line for each, the first one after `head`; and as an array of
 * objects. */
void access_print_text(const struct access *, const char *head, struct out *);
void access_print_json(const struct access *, const char *key, struct tree *);

/* For messages and for scripts: "backing file", "read". */
const char *access_role_text(enum access_role);
const char *access_use_text(enum access_use);
