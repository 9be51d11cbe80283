/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* EFI_HII_FONT_PROTOCOL (UEFI 2.10, 34.1): the firmware's font as bitmaps. */

#define EFI_HII_FONT_PROTOCOL_GUID \
	{ \
		0xe9ca4775, 0x8657, 0x47fc, \
		{ \
			0x97, 0xe7, 0x7e, 0xd6, 0x5a, 0x08, 0x43, 0x24 \
		} \
	}

typedef struct {
	UINT16 Width, Height;
	EFI_GRAPHICS_OUTPUT_BLT_PIXEL *Bitmap;
} EFI_IMAGE_OUTPUT;

typedef struct EFI_HII_FONT_PROTOCOL EFI_HII_FONT_PROTOCOL;

struct EFI_HII_FONT_PROTOCOL {
	VOID *StringToImage;
	VOID *StringIdToImage;
	/* `info` NULL: the system's font and colours. The caller frees *image and its bitmap. */
	EFI_STATUS(EFIAPI *GetGlyph)
	(EFI_HII_FONT_PROTOCOL *, CHAR16, VOID *info, EFI_IMAGE_OUTPUT **image, UINTN *baseline);
	VOID *GetFontInfo;
};
