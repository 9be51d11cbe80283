/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

/*
 * Returns an output to all serial ports that the firmware has drivers for (EFI_SERIAL_IO_PROTOCOL,
 * UEFI 2.10, 12.8), except for those that its console is on, and to QEMU's isa-debugcon at port
 * 0xe9. The ports are looked up at the first write; a port that fails is not written to again.
 */
struct out *serial_out(void);
