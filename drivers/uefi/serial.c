/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An output to all serial ports, for events as JSON lines.
 *
 * The console may be on the same ports, through the firmware's terminal driver. That driver wraps
 * lines and adds control sequences, so that the ports are written directly. Both share one line:
 * text of the console is flushed first.
 */
#include <efi.h>

#include "serial.h"

#include <stdbool.h>

#include "base/range.h"
#include "connect.h"
#include "console.h"
#include "firmware.h"

enum { PORTS_MAX = 8, PIECE_BYTES = 64 };

/* The ports found at the first write; NULL: a write to it has failed. */
static EFI_SERIAL_IO_PROTOCOL *ports[PORTS_MAX];
static size_t n_ports;

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

static void find_ports(void)
{
	EFI_HANDLE *handles;
	size_t n;

	connect_all();
	if (firmware_handles(&(EFI_GUID)EFI_SERIAL_IO_PROTOCOL_GUID, &handles, &n) != ST_OK)
		return;
	for (size_t i = 0; i < n && n_ports < PORTS_MAX; i++)
		ports[n_ports++] = PROTOCOL(handles[i], EFI_SERIAL_IO_PROTOCOL);
	firmware_free(handles);
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
	console_flush(); /* keeps the order of both outputs */
	for (size_t i = 0; i < n_ports; i++)
		if (ports[i] != NULL && !send_lines(ports[i], bytes, n))
			ports[i] = NULL;
}

struct out *serial_out(void)
{
	static struct out out = { .write = serial_write };

	return &out;
}
