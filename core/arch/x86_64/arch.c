/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice of kernels on x86-64, by CPUID (Intel SDM, volume 2, CPUID).
 *
 * Only instructions on the SSE registers qualify: UEFI 2.10, 2.3.4 has them enabled at the entry of
 * a program, on the other processors as well. AVX is off (CR4.OSXSAVE is 0 in EDK2, whatever CPUID
 * says of the processor), and the firmware's interrupt handler would not save its registers.
 */
#include <cpuid.h>
#include <stdbool.h>

#include "arch/arch.h"

/* sha256.asm */
sha256_blocks sha256_blocks_sha_ni;

enum { LEAF_FEATURES = 1, LEAF_EXTENDED = 7 };

/* SHA256RNDS2 and its kind, and PSHUFB and PALIGNR of SSSE3. */
static bool has_sha_ni(void)
{
	unsigned eax, ebx, ecx, edx;

	if (!__get_cpuid_count(LEAF_EXTENDED, 0, &eax, &ebx, &ecx, &edx) || (ebx & bit_SHA) == 0)
		return false;
	return __get_cpuid(LEAF_FEATURES, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSSE3) != 0;
}

sha256_blocks *arch_sha256_blocks(void)
{
	return has_sha_ni() ? sha256_blocks_sha_ni : sha256_blocks_generic;
}
