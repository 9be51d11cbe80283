/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * The types and macros that gnu-efi's headers expect from those of a processor (its efibind.h), for
 * 64-bit processors of which Debian's package has none: UEFI 2.10, 2.3.1, and the names of 2.3.1's
 * table. Functions of the firmware are called by the processor's usual convention (2.3.6, 2.3.7).
 */
#define VOID void

typedef int8_t INT8;
typedef uint8_t UINT8;
typedef int16_t INT16;
typedef uint16_t UINT16;
typedef int32_t INT32;
typedef uint32_t UINT32;
typedef int64_t INT64, INTN;
typedef uint64_t UINT64, UINTN;
typedef __WCHAR_TYPE__ WCHAR, CHAR16;
/* A macro, since older versions of the headers define the type once more, newer ones do not. */
#define CHAR8 UINT8

#define EFI_ERROR_MASK   0x8000000000000000
#define EFIERR(code)     (EFI_ERROR_MASK | (code))
#define EFIERR_OEM(code) (0xc000000000000000 | (code))
#define EFIAPI
#define INTERFACE_DECL(name) struct name
