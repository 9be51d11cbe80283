/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/target_contents.h"
#include "disk/confirm.h"
#include "menu/ask.h"
#include "platform/files.h"

/* Choosing a disk, a file, or a directory for a new file. */

enum { PATH_BYTES = 1024, WORDS_BYTES = 192, BRIEF_BYTES = 96 };

struct pick {
	/* what the screen shows; the caller's */
	const char *title, *step, *ask, *help;
	/*
	 * Returns whether the candidate (the name of a disk, or of a file in a directory) can be
	 * chosen; if not, `why` is the reason, never empty. NULL: every disk with a medium can.
	 */
	bool (*possible)(void *user, const char *candidate, char *why, size_t why_bytes);
	void *user;

	bool parts;  /* of disks: show their partitions, too */
	bool place;  /* of files: choose a directory */
	bool images; /* of files: choose an image; files that by their names are none are hidden */
	bool all;    /* of images: they are not */
	bool opens;  /* of files: only an image that can be opened */

	/* The choice. */
	char name[SELECTOR_BYTES];  /* of a disk: for a command line */
	struct confirm_word word;   /* to be typed before the disk is overwritten */
	char words[WORDS_BYTES];    /* a description of one line */
	char brief[BRIEF_BYTES];    /* the same for the title: "Samsung SSD 980 (S4X9R12)" */
	char contents[256];         /* of a disk; "": nothing that is known */
	bool whole;                 /* of a disk: the whole disk, not a partition */
	uint64_t disk_bytes;        /* of the disk in an image; 0: it cannot be opened */
	bool repairable;            /* of an image: its errors may be, as far as is known */
	enum doubt doubt;           /* of an image: its bytes do not look like a disk */
	char directory[PATH_BYTES]; /* "fs0:\dir"; in: where to start, "": the list of volumes */
	char file[PATH_BYTES];      /* "fs0:\dir\a.qcow2" */

	char text[2 * PATH_BYTES]; /* scratch */
};

enum way pick_disk(struct ui *, struct pick *);

/*
 * Takes the disk of that name, as if it had been chosen. False: it is not there; then only the name
 * is taken.
 */
bool pick_named_disk(struct pick *, const char *name);

enum way pick_file(struct ui *, struct pick *);

/* Describes the image that was chosen as it is now, after it was changed. */
void pick_look_again(struct pick *);

/* Joins "fs0:\dir" and "a.raw". Returns false if the path is too long. */
bool path_join(char to[static PATH_BYTES], const char *directory, const char *name);

/* Shows an error until a key is pressed. */
void pick_failed(struct ui *, const char *title, const struct error *);

/* Sets the root directory of a volume with files. False: the device is none. */
bool volume_root(const struct device *, char to[static PATH_BYTES]);

/* Compare file names, in any case: like memcmp(), and whether one ends in something. */
int file_compare(const char *, const char *);
bool file_ends_in(const char *name, const char *ending);

/* Prints when a file was last written: "2026-11-28 14:03"; nothing if that is not known. */
void file_print_date(const struct file_entry *, struct out *);

/* Frees what platform_list() has returned. */
void file_list_free(struct file_list *);

/* Prints "38 MiB, last written 2026-11-28 14:03". */
void file_print(const struct file_entry *, struct out *);
