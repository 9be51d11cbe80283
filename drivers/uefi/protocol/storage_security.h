/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * EFI_STORAGE_SECURITY_COMMAND_PROTOCOL (UEFI 2.10, 13.14): security protocols of a drive. The
 * functions that write are not declared with their parameters: nobody here may call them.
 */

#define EFI_STORAGE_SECURITY_COMMAND_PROTOCOL_GUID \
	{ \
		0xc88b0b6d, 0x0dfc, 0x49a7, \
		{ \
			0x9c, 0xb4, 0x49, 0x07, 0x4b, 0x4c, 0x3a, 0x78 \
		} \
	}

typedef struct EFI_STORAGE_SECURITY_COMMAND_PROTOCOL EFI_STORAGE_SECURITY_COMMAND_PROTOCOL;

struct EFI_STORAGE_SECURITY_COMMAND_PROTOCOL {
	EFI_STATUS(EFIAPI *ReceiveData)
	(EFI_STORAGE_SECURITY_COMMAND_PROTOCOL *, UINT32 media_id, UINT64 timeout /* in 100 ns */,
	 UINT8 protocol, UINT16 specific, UINTN size, VOID *, UINTN *ret_size);
	VOID *SendData;
};
