#include <efi.h>

#include "connect.h"

#include <stdbool.h>

#include "firmware.h"

/* A bus that appears brings handles that want connecting in turn: controller, bus, device, partition, file system. */
enum { ROUNDS_MAX = 8 };

static bool connected;

void connect_all(void)
{
	size_t n_before = 0;

	if (connected)
		return;
	connected = true;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		EFI_HANDLE *handles;
		size_t n;

		if (firmware_handles(NULL, &handles, &n) != ST_OK)
			return; /* no memory: what is connected already will have to do */
		if (n == n_before) {
			firmware_free(handles);
			return;
		}
		/* Most handles are no controllers or have no driver, so that failure says nothing. */
		for (size_t i = 0; i < n; i++)
			(void)firmware.services->ConnectController(handles[i], NULL, NULL, TRUE);
		firmware_free(handles);
		n_before = n;
	}
}
