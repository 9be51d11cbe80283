/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_CPU_ARCH_PROTOCOL (PI 1.7, volume 2, 12.3): of it what exceptions are taken by. */

#define EFI_CPU_ARCH_PROTOCOL_GUID \
	{ \
		0x26baccb1, 0x6f42, 0x11d4, \
		{ \
			0xbc, 0xe7, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 \
		} \
	}

/* `context` is the EFI_SYSTEM_CONTEXT (UEFI 2.10, 18.2.4), a union of pointers. */
typedef VOID(EFIAPI *EFI_CPU_INTERRUPT_HANDLER)(INTN vector, VOID *context);

typedef struct EFI_CPU_ARCH_PROTOCOL EFI_CPU_ARCH_PROTOCOL;

struct EFI_CPU_ARCH_PROTOCOL {
	VOID *FlushDataCache, *EnableInterrupt, *DisableInterrupt, *GetInterruptState, *Init;
	/* A handler of NULL gives the vector back to the firmware. */
	EFI_STATUS(EFIAPI *RegisterInterruptHandler)
	(EFI_CPU_ARCH_PROTOCOL *, INTN vector, EFI_CPU_INTERRUPT_HANDLER);
};
