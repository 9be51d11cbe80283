; SPDX-License-Identifier: BSD-2-Clause
;
; A call on another stack. System V calling convention; ebp keeps the old stack, since a function
; that is called preserves it. The stack is aligned to 16 bytes where a function is called.

bits 32

global hardware_call_on_stack:function hidden

section .text

; void hardware_call_on_stack(void *end, void (*function)(void *arg), void *arg)
hardware_call_on_stack:
	push ebp
	mov ebp, esp
	mov ecx, [ebp + 12]
	mov edx, [ebp + 16]
	mov esp, [ebp + 8]
	sub esp, 12
	push edx
	call ecx
	mov esp, ebp
	pop ebp
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
