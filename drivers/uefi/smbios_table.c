/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's SMBIOS, which is found in the configuration tables (UEFI 2.10, 4.6), and what it
 * calls this machine. Its contents are read by platform/smbios.h, which does not trust them.
 */
#include <efi.h>

#include "smbios_table.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "firmware.h"
#include "platform/machine.h"
#include "platform/smbios.h"

static const void *configuration_table(const EFI_GUID *guid)
{
	for (UINTN i = 0; i < firmware.system->NumberOfTableEntries; i++)
		if (memcmp(&firmware.system->ConfigurationTable[i].VendorGuid, guid,
			   sizeof *guid) == 0)
			return firmware.system->ConfigurationTable[i].VendorTable;
	return NULL;
}

const uint8_t *smbios_table(size_t *ret_n)
{
	static const EFI_GUID of_3 = {
		0xf2fd1544, 0x9794, 0x4a2c, { 0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94 }
	};
	static const EFI_GUID of_2 = {
		0xeb9d2d31, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d }
	};
	const uint8_t *entry = configuration_table(&of_3);

	if (entry != NULL && memcmp(entry, "_SM3_", 5) == 0) {
		uint64_t address = bytes_from_le(entry + 16, 8);

		*ret_n = (size_t)bytes_from_le(entry + 12, 4);
		return address <= UINTPTR_MAX ? (const uint8_t *)(uintptr_t)address : NULL;
	}
	entry = configuration_table(&of_2);
	if (entry == NULL || memcmp(entry, "_SM_", 4) != 0)
		return NULL;
	*ret_n = (size_t)bytes_from_le(entry + 22, 2);
	return (const uint8_t *)(uintptr_t)bytes_from_le(entry + 24, 4);
}

const char *platform_model(void)
{
	static char text[128]; /* the caller keeps a pointer to it */
	struct out_buffer out;
	size_t n;
	const uint8_t *table = smbios_table(&n);

	out_buffer_init(&out, text, sizeof text);
	if (table != NULL)
		smbios_model(table, n, &out.out);
	return text;
}
