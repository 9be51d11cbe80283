; SPDX-License-Identifier: BSD-2-Clause
;
; The first instructions of the program. UEFI 2.10, 2.3.4 promises that a program may use the SSE
; registers; U-Boot starts it with them disabled, so that the first use would be an exception. What
; enables them is in the Intel SDM, volume 3, 10.6.
;
; The firmware calls this by Microsoft's convention; its arguments stay where they are.

bits 64
default rel

%define CR0_MONITOR (1 << 1)
%define CR0_EMULATION (1 << 2)
%define CR4_OSFXSR (1 << 9)
%define CR4_OSXMMEXCPT (1 << 10)

extern efi_main
global hardware_entry:function hidden

section .text

hardware_entry:
	mov rax, cr4
	test eax, CR4_OSFXSR
	jnz efi_main
	or eax, CR4_OSFXSR | CR4_OSXMMEXCPT
	mov cr4, rax
	mov rax, cr0
	and eax, ~CR0_EMULATION
	or eax, CR0_MONITOR
	mov cr0, rax
	fninit
	jmp efi_main

section .note.GNU-stack noalloc noexec nowrite progbits
