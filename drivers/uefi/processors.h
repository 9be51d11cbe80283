/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/*
 * Returns whether the calling processor is the boot processor, which alone may call the firmware.
 * Callable on every processor.
 */
bool processors_is_boot(void);
