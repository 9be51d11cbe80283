; SPDX-License-Identifier: BSD-2-Clause
;
; The first instructions of the program on x86-64 and ia32. UEFI 2.10, 2.3.4 promises that a program
; may use the SSE registers; U-Boot starts it with them disabled, so that the first use would be an
; exception. What enables them is in the Intel SDM, volume 3, 10.6. The processor has SSE2: the
; program is built for that.
;
; The firmware calls this by its own convention; the arguments stay where they are.

%ifidn __OUTPUT_FORMAT__, elf64
bits 64
default rel
%define control rax
%else
bits 32
%define control eax
%endif

%define CR0_MONITOR (1 << 1)
%define CR0_EMULATION (1 << 2)
%define CR4_OSFXSR (1 << 9)
%define CR4_OSXMMEXCPT (1 << 10)

extern efi_main
global hardware_entry:function hidden

section .text

hardware_entry:
	mov control, cr4
	test control, CR4_OSFXSR
	jnz efi_main
	or control, CR4_OSFXSR | CR4_OSXMMEXCPT
	mov cr4, control
	mov control, cr0
	and control, ~CR0_EMULATION
	or control, CR0_MONITOR
	mov cr0, control
	fninit
	jmp efi_main

section .note.GNU-stack noalloc noexec nowrite progbits
