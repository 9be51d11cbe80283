/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice of kernels on aarch64, by the register that tells which instructions there are (Arm
 * Architecture Reference Manual, D19.2, ID_AA64ISAR0_EL1). Firmware runs programs at EL1 or EL2,
 * which may read it; of a program for Linux, at EL0, the kernel does it instead (since 4.11), and
 * so does QEMU's user mode.
 */
#include "arch/arch.h"

/* sha256.c */
sha256_blocks sha256_blocks_sha2;

enum { SHA2_SHIFT = 12, FIELD_MASK = 0xf };

/* The field SHA2 is 0 without SHA256H and its kind. */
sha256_blocks *arch_sha256_blocks(void)
{
	uint64_t instructions;

	__asm__("mrs %0, id_aa64isar0_el1" : "=r"(instructions));
	return (instructions >> SHA2_SHIFT & FIELD_MASK) != 0 ? sha256_blocks_sha2
							      : sha256_blocks_generic;
}
