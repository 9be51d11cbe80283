/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

/*
 * Returns an output to all serial ports that the firmware has drivers for (EFI_SERIAL_IO_PROTOCOL,
 * UEFI 2.10, 12.8). It bypasses the firmware's terminal, so that lines arrive unchanged. The ports
 * are looked up at the first write; a port that fails is not written to again.
 */
struct out *serial_out(void);
