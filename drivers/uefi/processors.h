/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Returns whether the calling processor is the boot processor, which alone may call the firmware.
 * Callable on every processor.
 */
bool processors_is_boot(void);

/* The firmware's number of the calling processor. Callable on every processor. */
uint64_t processors_own_number(void);

/*
 * Resets the others, whatever they do, and leaves their stacks: before the program ends because of
 * a mistake.
 */
void processors_abandon(void);
