/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/*
 * Starts the UEFI shell, from a volume or as the firmware has it built in, and comes back when it
 * has ended. False: none is found. The firmware decides whether it may be started (Secure Boot).
 */
bool shell_start(void);
