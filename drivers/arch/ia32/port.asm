; SPDX-License-Identifier: BSD-2-Clause
;
; The I/O ports (Intel SDM, volume 2: IN, OUT, INS), which C cannot reach: a function for each width
; that drivers/arch/x86/hardware.c needs. System V calling convention.

bits 32

global port_out_byte:function hidden
global port_out_word:function hidden
global port_in_bytes:function hidden

section .text

; void port_out_byte(uint16_t port, uint8_t value)
port_out_byte:
	mov edx, [esp + 4]
	mov eax, [esp + 8]
	out dx, al
	ret

; void port_out_word(uint16_t port, uint16_t value)
port_out_word:
	mov edx, [esp + 4]
	mov eax, [esp + 8]
	out dx, ax
	ret

; void port_in_bytes(uint16_t port, void *to, size_t n)
port_in_bytes:
	push edi
	mov edx, [esp + 8]
	mov edi, [esp + 12]
	mov ecx, [esp + 16]
	rep insb
	pop edi
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
