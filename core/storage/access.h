/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "base/tree.h"
#include "disk/selector.h"
#include "platform/files.h"
#include "platform/permit.h"

/*
 * All that one command touches: every file, with the parts that it has or may get, and every disk
 * and partition that the command reads, writes, makes or removes, each known by what it is and not
 * by how it was named. Each of them is added before the first write; what cannot be used together
 * is refused at that moment, in one function (access_add()), whatever the command and whatever
 * --force says. The platform changes nothing that is not in here.
 */
enum access_use {
	ACCESS_READ,
	ACCESS_WRITE,  /* it exists, and is changed or appended to */
	ACCESS_CREATE, /* it is made, in place of what may be there */
	ACCESS_REMOVE,
};

enum access_role {
	ROLE_IMAGE,
	ROLE_BACKING_FILE,
	ROLE_DATA_FILE,
	ROLE_PART, /* of a split image */
	ROLE_TARGET,
	ROLE_JOURNAL,
	ROLE_MAP,
	ROLE_MANIFEST,
	ROLE_LOG,
	ROLE_OUTPUT,  /* what the shell has redirected the output to */
	ROLE_BOOT,    /* the disk that efi-img was started from */
	ROLE_CURRENT, /* the one that the shell's current directory is on */
	N_ACCESS_ROLES,
};

/* One of them. Texts are the set's. */
struct access_entry {
	enum access_role role;
	enum access_use use;
	char *name;                /* as it was given, for messages */
	bool is_device;            /* a disk or partition; otherwise a file */
	bool has_parts;            /* a file, and all that may become its parts (split.h) */
	struct file_identity file; /* of a file */
	bool is_placed; /* `place` is known: of a device always, of a file once there is a device in
			   the set */
	struct selection place; /* the device, or what the file is on; disk NULL: on none that the
				   machine has */
	uintptr_t device_id; /* of a device that is written: what platform_open_target() opens; of
				output: what it is on */
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
 * Adds a file or a device and takes what `entry` points to, on failure too. `inventory`: of the
 * machine; NULL where no device has been named so far. Errors: ST_REFUSED, it cannot be used
 * together with another one, in words that name both; ST_NO_MEMORY.
 */
enum status access_add(struct access *, const struct inventory *, struct access_entry *entry,
		       struct error *);

/*
 * Adds what another set changes: that of whoever runs this command, and keeps a log of it. Errors:
 * ST_NO_MEMORY.
 */
enum status access_inherit(struct access *, const struct access *from, struct error *);

/* Whether two names led to the same file. */
bool access_same_file(const struct file_identity *, const struct file_identity *);

/* Whether there is a device among them. */
bool access_has_device(const struct access *);

/* Forgets the files that are only read. They are closed. */
void access_forget_reads(struct access *);

/* What the command touches: a line for each, the first one after `head`; and as an array of
 * objects. */
void access_print_text(const struct access *, const char *head, struct out *);
void access_print_json(const struct access *, const char *key, struct tree *);

/* For messages and for scripts: "backing file", "read". */
const char *access_role_text(enum access_role);
const char *access_use_text(enum access_use);
