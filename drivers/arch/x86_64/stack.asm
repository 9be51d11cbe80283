; SPDX-License-Identifier: BSD-2-Clause
;
; A call on another stack. System V calling convention; rbp keeps the old stack, since a function
; that is called preserves it.

bits 64
default rel

global hardware_call_on_stack:function hidden

section .text

; void hardware_call_on_stack(void *end, void (*function)(void *arg), void *arg)
hardware_call_on_stack:
	push rbp
	mov rbp, rsp
	mov rsp, rdi
	mov rdi, rdx
	call rsi
	mov rsp, rbp
	pop rbp
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
