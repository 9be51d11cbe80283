/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions of x86-64 and ia32 (Intel SDM, volume 3, 6.15), and what the firmware stores of one
 * (UEFI 2.10, 18.2.4: EFI_SYSTEM_CONTEXT_X64 and EFI_SYSTEM_CONTEXT_IA32). The two differ in the
 * size of a register, and in CR8.
 */
#include "hardware.h"

enum {
	DIVIDE_ERROR = 0,
	INVALID_OPCODE = 6,
	NO_DEVICE = 7,
	INVALID_TSS = 10,
	NO_SEGMENT = 11,
	STACK_FAULT = 12,
	PROTECTION = 13,
	PAGE_FAULT = 14,
	FLOATING_POINT = 16,
	ALIGNMENT = 17,
	SIMD = 19
};

struct context {
	uintptr_t data;
	uint8_t registers_of_sse[512];
	uintptr_t dr[6], cr0, cr1, cr2, cr3, cr4;
#ifdef __x86_64__
	uintptr_t cr8;
#endif
	uintptr_t flags, ldtr, tr, gdtr[2], idtr[2], ip;
};

/*
 * Not the double fault and the machine check, which are no mistakes of a program, nor what
 * debuggers use.
 */
uint32_t hardware_exceptions(void)
{
	return 1u << DIVIDE_ERROR | 1u << INVALID_OPCODE | 1u << NO_DEVICE | 1u << INVALID_TSS |
	       1u << NO_SEGMENT | 1u << STACK_FAULT | 1u << PROTECTION | 1u << PAGE_FAULT |
	       1u << FLOATING_POINT | 1u << ALIGNMENT | 1u << SIMD;
}

struct hardware_exception hardware_exception_of(unsigned vector, const void *context)
{
	const struct context *stored = context;

	return (struct hardware_exception){
		.code = stored->ip,
		.has_address = vector == PAGE_FAULT,
		.address = stored->cr2,
	};
}
