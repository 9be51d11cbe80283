/* SPDX-License-Identifier: BSD-2-Clause */
/* AArch64: the generic timer (Arm Architecture Reference Manual, D11), which software may read. */
#include "hardware.h"

/* Not before what comes before it: reads of the counter are otherwise speculative. */
uint64_t hardware_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
	return ticks;
}

uint64_t hardware_ticks_per_second(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

/* x29 keeps the old stack: a function that is called preserves it. */
__asm__(".pushsection .text.hardware_call_on_stack, \"ax\"\n"
	".globl hardware_call_on_stack\n"
	".hidden hardware_call_on_stack\n"
	".type hardware_call_on_stack, %function\n"
	"hardware_call_on_stack:\n"
	"	stp x29, x30, [sp, -16]!\n"
	"	mov x29, sp\n"
	"	mov sp, x0\n"
	"	mov x0, x2\n"
	"	blr x1\n"
	"	mov sp, x29\n"
	"	ldp x29, x30, [sp], 16\n"
	"	ret\n"
	".popsection\n");
