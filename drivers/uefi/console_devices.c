/* SPDX-License-Identifier: BSD-2-Clause */
/* The consoles that ConOut consists of: EDK2's ConPlatformDxe marks their handles by a GUID. */
#include <efi.h>

#include "console_devices.h"

#include "firmware.h"

/* EDK2, MdeModulePkg/Include/Guid/ConsoleOutDevice.h */
static EFI_GUID console_out_device = {
	0xd3b36f2c, 0xd551, 0x11d4, { 0x9a, 0x46, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d }
};

size_t console_devices(struct console_device ret[static CONSOLE_DEVICES_MAX])
{
	EFI_HANDLE *handles = NULL;
	size_t n_handles = 0, n = 0;

	if (firmware_handles(&console_out_device, &handles, &n_handles) != ST_OK)
		n_handles = 0;
	for (size_t i = 0; i < n_handles && n < CONSOLE_DEVICES_MAX; i++) {
		EFI_SIMPLE_TEXT_OUT_PROTOCOL *text =
			firmware_protocol(handles[i],
					  &(EFI_GUID)EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL_GUID);

		if (text != NULL && text != firmware.system->ConOut)
			ret[n++] = (struct console_device){
				.handle = handles[i],
				.text = text,
				.graphics = PROTOCOL(handles[i], EFI_GRAPHICS_OUTPUT_PROTOCOL),
			};
	}
	firmware_free(handles);
	return n;
}

bool console_screen(struct console_device *ret)
{
	struct console_device device[CONSOLE_DEVICES_MAX];
	size_t n = console_devices(device);

	for (size_t i = 0; i < n; i++)
		if (device[i].graphics != NULL) {
			*ret = device[i];
			return true;
		}
	return false;
}
