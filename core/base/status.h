/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a call can end in. A status says which kind of thing happened, so that callers can decide;
 * the words for people are in struct error (error.h).
 */
enum [[nodiscard]] status{
	ST_OK = 0,
	ST_NO_MEMORY,      /* the machine has no memory left for it */
	ST_INVALID,        /* the caller, or the person, asked for something that makes no sense */
	ST_NOT_FOUND,      /* no such file, directory, volume or device */
	ST_EXISTS,         /* the file is already there */
	ST_NO_SPACE,       /* the volume is full */
	ST_TOO_LARGE,      /* beyond a limit of the file system or of the image format */
	ST_READ_ONLY,      /* write-protected medium, or a file opened for reading only */
	ST_DENIED,         /* in use by somebody else, or an attribute forbids it */
	ST_NO_MEDIUM,      /* a drive without a medium */
	ST_MEDIUM_CHANGED, /* the medium was exchanged or the device went away */
	ST_IO,             /* the device reports an error */
	ST_CORRUPT,        /* the bytes of an image, table or volume contradict themselves */
	ST_UNSUPPORTED,    /* well-formed, but not something this program can do */
	ST_CANCELLED,      /* stopped by the person */
	ST_MISMATCH,       /* what was read back is not what was written */
	ST_REFUSED,        /* it would put data in danger */
	ST_SECTOR_SIZE,    /* made for sectors of another size */
	N_STATUSES,
};

/* A short phrase for `st` that fits after a colon: "the volume is full". Never NULL. */
const char *status_text(enum status st);
