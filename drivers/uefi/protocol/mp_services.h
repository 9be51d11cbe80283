/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_MP_SERVICES_PROTOCOL (PI 1.7, volume 2, 13.4): the processors of the machine. */

#define EFI_MP_SERVICES_PROTOCOL_GUID \
	{ \
		0x3fdda605, 0xa76e, 0x4f46, \
		{ \
			0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 \
		} \
	}

/* Bits of EFI_PROCESSOR_INFORMATION.StatusFlag */
#define PROCESSOR_AS_BSP_BIT        0x1
#define PROCESSOR_ENABLED_BIT       0x2
#define PROCESSOR_HEALTH_STATUS_BIT 0x4

typedef struct {
	UINT64 ProcessorId;
	UINT32 StatusFlag;
	UINT32 Package, Core, Thread;  /* EFI_CPU_PHYSICAL_LOCATION */
	UINT32 ExtendedInformation[6]; /* EFI_CPU_PHYSICAL_LOCATION2, its largest member */
} EFI_PROCESSOR_INFORMATION;

typedef struct EFI_MP_SERVICES_PROTOCOL EFI_MP_SERVICES_PROTOCOL;

struct EFI_MP_SERVICES_PROTOCOL {
	EFI_STATUS(EFIAPI *GetNumberOfProcessors)
	(EFI_MP_SERVICES_PROTOCOL *, UINTN *all, UINTN *enabled);
	EFI_STATUS(EFIAPI *GetProcessorInfo)
	(EFI_MP_SERVICES_PROTOCOL *, UINTN number, EFI_PROCESSOR_INFORMATION *);
	EFI_STATUS(EFIAPI *StartupAllAPs)
	(EFI_MP_SERVICES_PROTOCOL *, VOID(EFIAPI *procedure)(VOID *), BOOLEAN single, EFI_EVENT,
	 UINTN timeout_us, VOID *arg, UINTN **failed);
	EFI_STATUS(EFIAPI *StartupThisAP)
	(EFI_MP_SERVICES_PROTOCOL *, VOID(EFIAPI *procedure)(VOID *), UINTN number, EFI_EVENT,
	 UINTN timeout_us, VOID *arg, BOOLEAN *finished);
	EFI_STATUS(EFIAPI *SwitchBSP)(EFI_MP_SERVICES_PROTOCOL *, UINTN number, BOOLEAN enable_old);
	EFI_STATUS(EFIAPI *EnableDisableAP)
	(EFI_MP_SERVICES_PROTOCOL *, UINTN number, BOOLEAN enable, UINT32 *health);
	EFI_STATUS(EFIAPI *WhoAmI)(EFI_MP_SERVICES_PROTOCOL *, UINTN *number);
};
