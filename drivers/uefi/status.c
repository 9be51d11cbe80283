/* SPDX-License-Identifier: BSD-2-Clause */
/* Translates EFI_STATUS (UEFI 2.10, appendix D) into enum status. */
#include <efi.h>

#include "status.h"

#include <stddef.h>

enum status status_from_efi(EFI_STATUS efi)
{
	static const struct {
		EFI_STATUS efi;
		enum status status;
	} table[] = {
		{ EFI_SUCCESS, ST_OK },
		{ EFI_OUT_OF_RESOURCES, ST_NO_MEMORY },
		{ EFI_INVALID_PARAMETER, ST_INVALID },
		{ EFI_BAD_BUFFER_SIZE, ST_INVALID },
		{ EFI_NOT_FOUND, ST_NOT_FOUND },
		{ EFI_NO_MAPPING, ST_NOT_FOUND },
		{ EFI_VOLUME_FULL, ST_NO_SPACE },
		{ EFI_END_OF_MEDIA, ST_NO_SPACE },
		{ EFI_WRITE_PROTECTED, ST_READ_ONLY },
		{ EFI_ACCESS_DENIED, ST_DENIED },
		{ EFI_SECURITY_VIOLATION, ST_DENIED },
		{ EFI_WARN_DELETE_FAILURE, ST_DENIED }, /* a warning, but the file still exists */
		{ EFI_NO_MEDIA, ST_NO_MEDIUM },
		{ EFI_MEDIA_CHANGED, ST_MEDIUM_CHANGED },
		{ EFI_VOLUME_CORRUPTED, ST_CORRUPT },
		{ EFI_CRC_ERROR, ST_CORRUPT },
		{ EFI_COMPROMISED_DATA, ST_CORRUPT },
		{ EFI_UNSUPPORTED, ST_UNSUPPORTED },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].efi == efi)
			return table[i].status;
	return ST_IO;
}
