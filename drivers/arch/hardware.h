/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the drivers need of the processor and of the machine around it, and UEFI has no call for.
 * Each folder beside this file implements all of it for one architecture, and brings:
 *   memory.asm    memcpy(), memmove(), memset() and memcmp() (base/memory.h)
 *   file_names.h  the architecture's names of files on a boot volume
 */

/* ---- The counter ---- */

/* A counter that runs at a constant rate and is never set back. Starts anywhere. */
uint64_t hardware_ticks(void);

/* Ticks per second, where the processor reports it; 0: measure it. */
uint64_t hardware_ticks_per_second(void);

/* ---- Virtual machines ---- */

/* Whether the processor reports a hypervisor. One that hides is not found. */
bool hardware_has_hypervisor(void);

/*
 * QEMU's fw_cfg device (QEMU, docs/specs/fw_cfg.rst). Select an item by its key, then read it in
 * order; past its end follow zeros. Only where hardware_has_hypervisor(): without the device the
 * registers belong to another one, or read as ones.
 */
void hardware_fw_cfg_select(uint16_t key);
void hardware_fw_cfg_read(void *to, size_t n);

/*
 * Ends a QEMU that has its isa-debug-exit device at port 0xf4, with exit code 2 * value + 1.
 * Returns where there is no such device. Only where hardware_has_hypervisor().
 */
void hardware_debug_exit(uint8_t value);
