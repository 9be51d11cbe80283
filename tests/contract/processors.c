/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What platform/processors.h says of drivers/uefi/, where the work goes wrong: a UEFI application
 * for the shell, which tests/boot/test_processors.py starts with the name of a mistake. It makes it
 * on another processor, and prints "processors done" only if the program was not ended.
 */
#include <efi.h>

#include "base/memory.h"
#include "base/out.h"
#include "console.h"
#include "firmware.h"
#include "platform/processors.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

enum { WAIT_MS = 30000, STACK_BYTES = 64 << 10, GUARD_BYTES = 4096, FRAME_BYTES = 512 };

struct work {
	CHAR16 mistake; /* its first letter */
	atomic_uint_least32_t done;
};

/* Calls itself until at least `deep` bytes of the stack are in use. */
static uint8_t use_stack(size_t deep)
{
	volatile uint8_t frame[FRAME_BYTES];

	frame[0] = (uint8_t)deep;
	if (deep > FRAME_BYTES)
		frame[1] = use_stack(deep - FRAME_BYTES);
	return (uint8_t)(frame[0] + 1);
}

static void work(void *arg, size_t n)
{
	struct work *w = arg;
	uintptr_t nowhere = (uintptr_t)1 << (sizeof nowhere * 8 - 18); /* not mapped by OVMF */

	(void)n;
	if (w->mistake == L'a')
		atomic_fetch_add(&w->done, *(volatile uint8_t *)nowhere);
	if (w->mistake == L'i')
		__builtin_trap();
	if (w->mistake == L's')
		atomic_fetch_add(&w->done, use_stack(STACK_BYTES - GUARD_BYTES));
	atomic_fetch_add(&w->done, 1);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct work w = { 0 };

	firmware_start(image, system);
	if (firmware.parameters != NULL && firmware.parameters->Argc == 2)
		w.mistake = firmware.parameters->Argv[1][0];
	if (platform_processors_start(1, 1, work, &w) != 1)
		out_text(console_out(), "no other processor\n");
	else if (!platform_word_wait(&w.done, 0, WAIT_MS))
		out_text(console_out(), "no answer\n");
	platform_processors_stop();
	out_text(console_out(), "processors done\n");
	return EFI_SUCCESS;
}
