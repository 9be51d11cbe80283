/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice of kernels for an architecture without a folder of its own: all of them in plain C. */
#include "arch/arch.h"

sha256_blocks *arch_sha256_blocks(void)
{
	return sha256_blocks_generic;
}
