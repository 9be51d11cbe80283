/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/*
 * Runs the UEFI shell, from a file on a volume or the one built into the firmware, and returns when
 * it ends. False: there is none, or the firmware refuses to start it (Secure Boot).
 */
bool shell_start(void);
