/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The result of a call: the kind of failure, for callers to decide by. The text for users is in
 * struct error (error.h).
 */
enum [[nodiscard]] status{
	ST_OK = 0,
	ST_NO_MEMORY,      /* the machine has not enough memory */
	ST_INVALID,        /* a name, value or combination that cannot be right */
	ST_NOT_FOUND,      /* no such file, directory, volume or device */
	ST_EXISTS,         /* the file is already there */
	ST_NO_SPACE,       /* the volume is full */
	ST_TOO_LARGE,      /* beyond a limit of the file system or of the image format */
	ST_READ_ONLY,      /* write-protected medium, or a file opened for reading only */
	ST_DENIED,         /* in use, or forbidden by an attribute */
	ST_NO_MEDIUM,      /* a drive without a medium */
	ST_MEDIUM_CHANGED, /* the medium was exchanged, or the device is gone */
	ST_IO,             /* the device reports an error */
	ST_CORRUPT,        /* an image, table or volume is inconsistent */
	ST_UNSUPPORTED,    /* valid, but this program cannot do it */
	ST_CANCELLED,      /* cancelled by the user */
	ST_MISMATCH,       /* data read back differs from what was written */
	ST_REFUSED,        /* would endanger data */
	ST_SECTOR_SIZE,    /* made for another sector size */
	N_STATUSES,
};

/* Returns a short phrase that fits after a colon: "the volume is full". Never NULL. */
const char *status_text(enum status st);
