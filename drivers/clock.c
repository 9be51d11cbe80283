#include <efi.h>

#include "base/platform.h"
#include "firmware.h"

int32_t platform_utc_offset(int64_t unix_seconds)
{
	EFI_TIME now = { 0 };
	EFI_STATUS efi = firmware.system->RuntimeServices->GetTime(&now, NULL);

	(void)unix_seconds; /* the firmware knows one offset, and no daylight saving rules */
	if (efi != EFI_SUCCESS || now.TimeZone < -1440 || now.TimeZone > 1440)
		return 0; /* EFI_UNSPECIFIED_TIMEZONE, 2047, included */
	return -60 * now.TimeZone; /* minutes; local time = UTC - TimeZone (UEFI 2.10, 8.3) */
}
