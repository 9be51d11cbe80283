/* SPDX-License-Identifier: BSD-2-Clause */
/* The phrases of statuses, for errors that have nothing more exact to say. */
#include "base/status.h"

#include "base/check.h"

const char *status_text(enum status st)
{
	static const char *const texts[N_STATUSES] = {
		[ST_OK] = "success",
		[ST_NO_MEMORY] = "not enough memory",
		[ST_INVALID] = "invalid argument",
		[ST_NOT_FOUND] = "no such file or directory",
		[ST_EXISTS] = "the file exists",
		[ST_NO_SPACE] = "the volume is full",
		[ST_TOO_LARGE] = "too large",
		[ST_READ_ONLY] = "write-protected",
		[ST_DENIED] = "access denied",
		[ST_NO_MEDIUM] = "no medium in the drive",
		[ST_MEDIUM_CHANGED] = "the medium was changed or removed",
		[ST_IO] = "the device reports an error",
		[ST_CORRUPT] = "the contents are damaged",
		[ST_UNSUPPORTED] = "not supported",
		[ST_CANCELLED] = "stopped",
		[ST_MISMATCH] = "not what was written",
		[ST_REFUSED] = "refused",
		[ST_SECTOR_SIZE] = "sectors of another size",
	};

	CHECK(st < N_STATUSES);
	return texts[st];
}
