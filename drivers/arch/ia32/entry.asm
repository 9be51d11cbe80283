; SPDX-License-Identifier: BSD-2-Clause
;
; The first instructions of the program: drivers/arch/x86_64/entry.asm with registers of 32 bits.
; The processor has SSE2, since the program is built for that.

bits 32

%define CR0_MONITOR (1 << 1)
%define CR0_EMULATION (1 << 2)
%define CR4_OSFXSR (1 << 9)
%define CR4_OSXMMEXCPT (1 << 10)

extern efi_main
global hardware_entry:function hidden

section .text

hardware_entry:
	mov eax, cr4
	test eax, CR4_OSFXSR
	jnz efi_main
	or eax, CR4_OSFXSR | CR4_OSXMMEXCPT
	mov cr4, eax
	mov eax, cr0
	and eax, ~CR0_EMULATION
	or eax, CR0_MONITOR
	mov cr0, eax
	fninit
	jmp efi_main

section .note.GNU-stack noalloc noexec nowrite progbits
