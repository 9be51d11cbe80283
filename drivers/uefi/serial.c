/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An output for events as JSON lines: to the serial ports that are not a console, since nobody
 * wants to read JSON between the lines for a person, and to the debug console of QEMU.
 *
 * The firmware's consoles are the handles with the GUIDs of EDK2's ConPlatformDxe; a terminal's
 * path leads through the serial port that it is on. Firmware that has no such handles does not tell
 * where its console is, and no port is written to.
 */
#include <efi.h>

#include "serial.h"

#include <stdbool.h>

#include "base/range.h"
#include "connect.h"
#include "device_path.h"
#include "firmware.h"
#include "hardware.h"

enum { PORTS_MAX = 8, PIECE_BYTES = 64 };

/* The ports found at the first write; NULL: a write to it has failed. */
static EFI_SERIAL_IO_PROTOCOL *ports[PORTS_MAX];
static size_t n_ports;
static bool debug_console;

/* False: the port has timed out, or failed. */
static bool send(EFI_SERIAL_IO_PROTOCOL *port, const char *bytes, size_t n)
{
	while (n > 0) {
		UINTN piece = (UINTN)min_u64(n, PIECE_BYTES), sent = piece;

		if (port->Write(port, &sent, (VOID *)(uintptr_t)bytes) != EFI_SUCCESS ||
		    sent != piece)
			return false;
		bytes += piece;
		n -= piece;
	}
	return true;
}

/* Whether the path of one of the handles leads through the port. */
static bool has_console(EFI_HANDLE port, const EFI_HANDLE *console, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (device_path_is_below(device_path_of(console[i]), device_path_of(port)))
			return true;
	return false;
}

static void find_ports(void)
{
	/* EDK2, MdeModulePkg/Include/Guid/ConsoleOutDevice.h */
	static EFI_GUID console_out = {
		0xd3b36f2c, 0xd551, 0x11d4, { 0x9a, 0x46, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d }
	};
	EFI_HANDLE *handles = NULL, *consoles = NULL;
	size_t n = 0, n_consoles = 0;

	connect_all();
	if (firmware_handles(&console_out, &consoles, &n_consoles) == ST_OK && n_consoles > 0 &&
	    firmware_handles(&(EFI_GUID)EFI_SERIAL_IO_PROTOCOL_GUID, &handles, &n) == ST_OK)
		for (size_t i = 0; i < n && n_ports < PORTS_MAX; i++)
			if (!has_console(handles[i], consoles, n_consoles))
				ports[n_ports++] = PROTOCOL(handles[i], EFI_SERIAL_IO_PROTOCOL);
	firmware_free(handles);
	firmware_free(consoles);
	debug_console = hardware_hypervisor() != HYPERVISOR_NONE && hardware_has_debug_console();
}

/* Sends to one port, with \r before each newline. */
static bool send_lines(EFI_SERIAL_IO_PROTOCOL *port, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t line = 0;

		while (line < n && bytes[line] != '\n')
			line++;
		if (!send(port, bytes, line))
			return false;
		if (line < n) {
			line++;
			if (!send(port, "\r\n", 2))
				return false;
		}
		bytes += line;
		n -= line;
	}
	return true;
}

static void serial_write(struct out *out, const char *bytes, size_t n)
{
	static bool looked;

	(void)out;
	if (!looked)
		find_ports();
	looked = true;
	for (size_t i = 0; i < n_ports; i++)
		if (ports[i] != NULL && !send_lines(ports[i], bytes, n))
			ports[i] = NULL;
	if (debug_console)
		hardware_debug_write(bytes, n);
}

struct out *serial_out(void)
{
	static struct out out = { .write = serial_write };

	return &out;
}
