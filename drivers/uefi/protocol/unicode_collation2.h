/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * EFI_UNICODE_COLLATION_PROTOCOL under the GUID that it has since UEFI 2.0 (UEFI 2.10, 13.6):
 * languages are named by RFC 4646.
 */
#define EFI_UNICODE_COLLATION2_PROTOCOL_GUID \
	{ \
		0xa4c751fc, 0x23ae, 0x4c3e, \
		{ \
			0x92, 0xe9, 0x49, 0x64, 0xcf, 0x63, 0xf3, 0x49 \
		} \
	}

typedef EFI_UNICODE_COLLATION_PROTOCOL EFI_UNICODE_COLLATION2_PROTOCOL;
