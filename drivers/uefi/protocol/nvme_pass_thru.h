/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL (UEFI 2.10, 13.15): commands to an NVMe controller. */

#define EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL_GUID \
	{ \
		0x52c78312, 0x8edc, 0x4233, \
		{ \
			0x98, 0xf2, 0x1a, 0x1a, 0xa5, 0xe3, 0x88, 0xa5 \
		} \
	}

enum {
	NVME_ADMIN_QUEUE = 0,
	NVME_IO_QUEUE = 1,
	NVME_CDW10_VALID = 0x04, /* in Flags: which words of the command are used */
	NVME_CDW11_VALID = 0x08,
	NVME_CDW12_VALID = 0x10,
};

typedef struct {
	UINT32 Cdw0; /* the opcode in the low byte */
	UINT8 Flags;
	UINT32 Nsid;
	UINT32 Cdw2;
	UINT32 Cdw3;
	UINT32 Cdw10;
	UINT32 Cdw11;
	UINT32 Cdw12;
	UINT32 Cdw13;
	UINT32 Cdw14;
	UINT32 Cdw15;
} EFI_NVM_EXPRESS_COMMAND;

typedef struct {
	UINT32 DW0;
	UINT32 DW1;
	UINT32 DW2;
	UINT32 DW3;
} EFI_NVM_EXPRESS_COMPLETION;

typedef struct {
	UINT64 CommandTimeout; /* in 100 ns */
	VOID *TransferBuffer;
	UINT32 TransferLength;
	VOID *MetadataBuffer;
	UINT32 MetadataLength;
	UINT8 QueueType;
	EFI_NVM_EXPRESS_COMMAND *NvmeCmd;
	EFI_NVM_EXPRESS_COMPLETION *NvmeCompletion;
} EFI_NVM_EXPRESS_PASS_THRU_COMMAND_PACKET;

typedef struct {
	UINT32 Attributes;
	UINT32 IoAlign;
	UINT32 NvmeVersion;
} EFI_NVM_EXPRESS_PASS_THRU_MODE;

typedef struct EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL;

struct EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL {
	EFI_NVM_EXPRESS_PASS_THRU_MODE *Mode;
	EFI_STATUS(EFIAPI *PassThru)
	(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *, UINT32 namespace_id,
	 EFI_NVM_EXPRESS_PASS_THRU_COMMAND_PACKET *, EFI_EVENT);
	EFI_STATUS(EFIAPI *GetNextNamespace)
	(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *, UINT32 *namespace_id);
	EFI_STATUS(EFIAPI *BuildDevicePath)
	(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *, UINT32 namespace_id, EFI_DEVICE_PATH_PROTOCOL **);
	EFI_STATUS(EFIAPI *GetNamespace)
	(EFI_NVM_EXPRESS_PASS_THRU_PROTOCOL *, EFI_DEVICE_PATH_PROTOCOL *, UINT32 *namespace_id);
};
