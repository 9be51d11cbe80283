/* SPDX-License-Identifier: BSD-2-Clause */
/* RISC-V: the timer that software may read (unprivileged specification, Zicntr: RDTIME). */
#include "hardware.h"

uint64_t hardware_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks)::"memory");
	return ticks;
}

/* The device tree and an ACPI table have it, the processor has not. */
uint64_t hardware_ticks_per_second(void)
{
	return 0;
}

/* s0 keeps the old stack: a function that is called preserves it. */
__asm__(".pushsection .text.hardware_call_on_stack, \"ax\"\n"
	".globl hardware_call_on_stack\n"
	".hidden hardware_call_on_stack\n"
	".type hardware_call_on_stack, %function\n"
	"hardware_call_on_stack:\n"
	"	addi sp, sp, -16\n"
	"	sd ra, 8(sp)\n"
	"	sd s0, 0(sp)\n"
	"	mv s0, sp\n"
	"	mv sp, a0\n"
	"	mv a0, a2\n"
	"	jalr a1\n"
	"	mv sp, s0\n"
	"	ld ra, 8(sp)\n"
	"	ld s0, 0(sp)\n"
	"	addi sp, sp, 16\n"
	"	ret\n"
	".popsection\n");
