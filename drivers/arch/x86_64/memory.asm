; SPDX-License-Identifier: BSD-2-Clause
;
; memcpy(), memmove(), memset() and memcmp(), which the compiler calls where a program assigns a
; structure or clears one, and firmware has no C library for. They are not in C because a compiler
; may recognise each of these loops as the function that it is in, and put a call of that function
; there.
;
; They move four words of 8 bytes at a time, then one, then single bytes (memcmp() begins with one).
; In QEMU's emulation, where this program is tested and often used, words are ten times as fast as
; SSE registers or REP MOVSB: QEMU keeps general registers in the host's, SSE registers in memory.
; On a processor, those two are up to 2.5 times as fast while both buffers are in its caches; the
; buffers of a copy are larger.
;
; tests/unit/test_memory.c compares them with the functions of the C library. System V calling
; convention; no stack is used; the direction flag is clear, as the convention demands.

bits 64
default rel

global memcpy:function hidden
global memmove:function hidden
global memset:function hidden
global memcmp:function hidden

section .text

; void *memcpy(void *to, const void *from, size_t n)
align 16
memcpy:
	mov rax, rdi
; Copies in ascending order; each step reads all of its bytes before it writes the first.
copy_forwards:
	cmp rdx, 32
	jb .words
align 16
.step:
	mov rcx, [rsi]
	mov r8, [rsi + 8]
	mov r9, [rsi + 16]
	mov r10, [rsi + 24]
	mov [rdi], rcx
	mov [rdi + 8], r8
	mov [rdi + 16], r9
	mov [rdi + 24], r10
	add rsi, 32
	add rdi, 32
	sub rdx, 32
	cmp rdx, 32
	jae .step
.words:
	cmp rdx, 8
	jb .bytes
.word:
	mov rcx, [rsi]
	mov [rdi], rcx
	add rsi, 8
	add rdi, 8
	sub rdx, 8
	cmp rdx, 8
	jae .word
.bytes:
	test rdx, rdx
	jz .done
.byte:
	movzx ecx, byte [rsi]
	mov [rdi], cl
	inc rsi
	inc rdi
	dec rdx
	jnz .byte
.done:
	ret

; void *memmove(void *to, const void *from, size_t n)
;
; Ascending order would overwrite bytes before they are read where `to` begins within the n bytes
; at `from`, which is where to - from, without sign, is below n.
align 16
memmove:
	mov rax, rdi
	mov rcx, rdi
	sub rcx, rsi
	cmp rcx, rdx
	jae copy_forwards
	cmp rdx, 32
	jb .words
align 16
.step:
	mov rcx, [rsi + rdx - 8]
	mov r8, [rsi + rdx - 16]
	mov r9, [rsi + rdx - 24]
	mov r10, [rsi + rdx - 32]
	mov [rdi + rdx - 8], rcx
	mov [rdi + rdx - 16], r8
	mov [rdi + rdx - 24], r9
	mov [rdi + rdx - 32], r10
	sub rdx, 32
	cmp rdx, 32
	jae .step
.words:
	cmp rdx, 8
	jb .bytes
.word:
	mov rcx, [rsi + rdx - 8]
	mov [rdi + rdx - 8], rcx
	sub rdx, 8
	cmp rdx, 8
	jae .word
.bytes:
	test rdx, rdx
	jz .done
.byte:
	movzx ecx, byte [rsi + rdx - 1]
	mov [rdi + rdx - 1], cl
	dec rdx
	jnz .byte
.done:
	ret

; void *memset(void *to, int byte, size_t n)
align 16
memset:
	mov rax, rdi
	movzx ecx, sil
	mov rsi, 0x0101010101010101
	imul rcx, rsi
	cmp rdx, 32
	jb .words
align 16
.step:
	mov [rdi], rcx
	mov [rdi + 8], rcx
	mov [rdi + 16], rcx
	mov [rdi + 24], rcx
	add rdi, 32
	sub rdx, 32
	cmp rdx, 32
	jae .step
.words:
	cmp rdx, 8
	jb .bytes
.word:
	mov [rdi], rcx
	add rdi, 8
	sub rdx, 8
	cmp rdx, 8
	jae .word
.bytes:
	test rdx, rdx
	jz .done
.byte:
	mov [rdi], cl
	inc rdi
	dec rdx
	jnz .byte
.done:
	ret

; int memcmp(const void *a, const void *b, size_t n)
;
; Words are compared as long as they are equal; the bytes of the first that differs, and those that
; fill no word, one by one.
align 16
memcmp:
	cmp rdx, 8
	jb .bytes
align 16
.word:
	mov rcx, [rdi]
	cmp rcx, [rsi]
	jne .bytes
	add rdi, 8
	add rsi, 8
	sub rdx, 8
	cmp rdx, 8
	jae .word
.bytes:
	test rdx, rdx
	jz .equal
.byte:
	movzx eax, byte [rdi]
	movzx ecx, byte [rsi]
	sub eax, ecx
	jnz .done
	inc rdi
	inc rsi
	dec rdx
	jnz .byte
.equal:
	xor eax, eax
.done:
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
