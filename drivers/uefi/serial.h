/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"

/*
 * All serial ports that the firmware has drivers for (EFI_SERIAL_IO_PROTOCOL, UEFI 2.10, 12.8),
 * past the terminals that may be on them, so that lines come out as they are. A port that takes
 * nothing is left alone from then on. They are looked for when something is written first.
 */
struct out *serial_out(void);
