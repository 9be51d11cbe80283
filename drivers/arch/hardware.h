/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the drivers need of the processor and of the machine around it, and UEFI has no call for.
 * Each folder beside this file that is named after an architecture implements all of it, alone or
 * with the folders that it shares with others (efi/processors.mk), and brings:
 *   memcpy(), memmove(), memset() and memcmp() (base/memory.h)
 *   file_names.h  the architecture's names of files on a boot volume
 *   entry.asm     if anything has to be done before efi_main()
 */

/* ---- The counter ---- */

/* A counter that runs at a constant rate and is never set back. Starts anywhere. */
uint64_t hardware_ticks(void);

/* Ticks per second, where the processor reports it; 0: measure it. */
uint64_t hardware_ticks_per_second(void);

/* ---- Stacks ---- */

/* Calls function(arg) on a stack that ends at `end`, an address on a boundary of 16 bytes. */
void hardware_call_on_stack(void *end, void (*function)(void *arg), void *arg);

/* ---- Exceptions ---- */

struct hardware_exception {
	uint64_t code; /* the address of the instruction */
	bool has_address;
	uint64_t address; /* that it accessed */
};

/*
 * The exceptions that a mistake of a program can cause, and that it is not continued after: a bit
 * for each vector. 0 where firmware of such processors starts no others.
 */
uint32_t hardware_exceptions(void);

/* What the EFI_SYSTEM_CONTEXT (UEFI 2.10, 18.2.4) of one of them tells. */
struct hardware_exception hardware_exception_of(unsigned vector, const void *context);

/* ---- Virtual machines ---- */

enum hypervisor {
	HYPERVISOR_NONE, /* or one that hides */
	HYPERVISOR_PRESENT,
	HYPERVISOR_UNKNOWN, /* processors of this kind do not tell */
};

/* Whether the processor reports a hypervisor. */
enum hypervisor hardware_hypervisor(void);

/*
 * QEMU's fw_cfg device (QEMU, docs/specs/fw_cfg.rst). Select an item by its key, then read it in
 * order; past its end follow zeros. Not where there is HYPERVISOR_NONE: without the device the
 * registers belong to another one, or read as ones.
 */
void hardware_fw_cfg_select(uint16_t key);
void hardware_fw_cfg_read(void *to, size_t n);

/*
 * Whether QEMU has its isa-debugcon device at port 0xe9, and writes `n` bytes to it, which are none
 * where there is no such device. Not where there is HYPERVISOR_NONE.
 */
bool hardware_has_debug_console(void);
void hardware_debug_write(const char *bytes, size_t n);

/*
 * Ends a QEMU that has its isa-debug-exit device at port 0xf4, with exit code 2 * value + 1.
 * Returns where there is no such device. Not where there is HYPERVISOR_NONE.
 */
void hardware_debug_exit(uint8_t value);
