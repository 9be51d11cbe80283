/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/confirm.h"
#include "menu/ask.h"

/* Choosing a disk, a file, or a directory for a new file. */

enum { PATH_BYTES = 1024, WORDS_BYTES = 192 };

struct pick {
	/* What the screen says. */
	const char *title, *step, *head, *ask, *help;
	/*
	 * Whether the candidate (a disk's name, or that of a file in a directory) may be chosen;
	 * otherwise the reason, never empty. NULL: all may that have a medium.
	 */
	bool (*possible)(void *user, const char *candidate, char *why, size_t why_bytes);
	void *user;

	bool parts;     /* of disks: show their partitions as well */
	bool place;     /* of files: a directory is wanted */
	bool backwards; /* of files: the last name comes first */
	/* of files: an image is wanted; what is none by its name is left out, */
	bool images;
	bool opens; /* and one that can be opened */
	/*
	 * of files: the directory that there is no way up from; NULL: none, the volumes come above
	 * all
	 */
	const char *top;

	/* What was chosen; of files, in: the directory to begin with, "": the list of volumes. */
	char name[SELECTOR_BYTES];  /* of a disk: for a command line */
	struct confirm_word word;   /* to be typed before it is written over */
	char words[WORDS_BYTES];    /* what it is, in a line */
	char contents[256];         /* what is on it; "": nothing that is recognised */
	bool whole;                 /* of a disk: all of it, no partition */
	bool doubtful;              /* of an image: its bytes do not look like a disk */
	char directory[PATH_BYTES]; /* "fs0:\dir" */
	char file[PATH_BYTES];      /* "fs0:\dir\a.qcow2" */

	char text[2 * PATH_BYTES]; /* what is being put together */
};

enum way pick_disk(struct ui *, struct pick *);
enum way pick_file(struct ui *, struct pick *);

/* "fs0:\dir" and "a.raw" as one; false: there is not so much room. */
bool path_join(char to[static PATH_BYTES], const char *directory, const char *name);

/* Says what went wrong, until a key. */
void pick_failed(struct ui *, const char *title, const struct error *);
