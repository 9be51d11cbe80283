/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/confirm.h"
#include "menu/ask.h"

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

	bool parts;     /* of disks: show their partitions, too */
	bool place;     /* of files: choose a directory */
	bool backwards; /* of files: sort by name, the last one first */
	bool images; /* of files: choose an image; files that by their names are none are hidden */
	bool all;    /* of images: they are not */
	bool opens;  /* of files: only an image that can be opened */
	const char
		*top; /* of files: the topmost directory; NULL: the list of volumes is above all */

	/* The choice. */
	char name[SELECTOR_BYTES];  /* of a disk: for a command line */
	struct confirm_word word;   /* to be typed before the disk is overwritten */
	char words[WORDS_BYTES];    /* a description of one line */
	char brief[BRIEF_BYTES];    /* the same for the title: "Samsung SSD 980 (S4X9R12)" */
	char contents[256];         /* of a disk; "": nothing that is known */
	bool whole;                 /* of a disk: the whole disk, not a partition */
	bool doubtful;              /* of an image: its bytes do not look like a disk */
	char directory[PATH_BYTES]; /* "fs0:\dir"; in: where to start, "": the list of volumes */
	char file[PATH_BYTES];      /* "fs0:\dir\a.qcow2" */

	char text[2 * PATH_BYTES]; /* scratch */
};

enum way pick_disk(struct ui *, struct pick *);
enum way pick_file(struct ui *, struct pick *);

/* Joins "fs0:\dir" and "a.raw". Returns false if the path is too long. */
bool path_join(char to[static PATH_BYTES], const char *directory, const char *name);

/* Shows an error until a key is pressed. */
void pick_failed(struct ui *, const char *title, const struct error *);
