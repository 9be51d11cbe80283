/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/*
 * Whether this is the boot processor, the only one that may call the firmware. Any processor may
 * ask.
 */
bool processors_is_boot(void);
