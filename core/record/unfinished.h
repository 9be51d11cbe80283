/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/journal_text.h"

/*
 * What is known of an unfinished image: a file with the mark (blk/mark.h), and the journal beside
 * it.
 */
struct unfinished {
	bool resumes;                /* its journal is there, and is about this file; otherwise: */
	struct error why;            /* the reason, in words */
	struct journal_text journal; /* what it says; only where it `resumes` */
};

/*
 * Looks whether the file of that name is an unfinished image. False: it is none, is not there, or
 * cannot be read. A journal that cannot be read is a reason why it cannot be resumed, not an error.
 */
bool unfinished_look(const char *name, struct unfinished *ret);

/* "64 MiB of 250 MiB of serial=S4X9NG0R12 are copied", or why it cannot be completed. */
void unfinished_print(const struct unfinished *, struct out *);

/* The command that completes it; only where it `resumes`. */
void unfinished_print_command(const struct unfinished *, const char *name, struct out *);
