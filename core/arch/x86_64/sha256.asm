; SPDX-License-Identifier: BSD-2-Clause
;
; SHA-256 with the instructions made for it (Intel SDM, volume 2: SHA256RNDS2, SHA256MSG1,
; SHA256MSG2). The twin in plain C is core/arch/generic/sha256.c.
;
; The instructions keep the eight words of the state in two registers, here named after the words
; from the lowest on: FEBA and HGDC. SHA256RNDS2 does two rounds. It takes the sums w + k of both
; from the low half of xmm0, and writes the new f, e, b, a over h, g, d, c; the old f, e, b, a are
; then the new h, g, d, c, so that the registers change their parts after each two rounds, and have
; their own again after four.
;
; Four words of the message schedule are in each of W0 to W3. The words 16 to 63 are made four at a
; time, over the four oldest:
;     w[t] = s1(w[t-2]) + w[t-7] + s0(w[t-15]) + w[t-16]
; SHA256MSG1 adds s0, PALIGNR picks w[t-7] out of two registers, SHA256MSG2 adds s1.
;
; System V calling convention. No stack is used (firmware has no red zone), and no constant address:
; the program is loaded anywhere.

bits 64
default rel

%define STATE rdi
%define BYTES rsi
%define N_BLOCKS rdx
%define BLOCK_BYTES 64

%define SUM xmm0
%define FEBA xmm1
%define HGDC xmm2
%define W0 xmm3
%define W1 xmm4
%define W2 xmm5
%define W3 xmm6
%define TEMPORARY xmm7
%define BIG_ENDIAN xmm8
%define FEBA_BEFORE xmm9
%define HGDC_BEFORE xmm10

extern sha256_constants
global sha256_blocks_sha_ni:function hidden

section .rodata align=16

; PSHUFB's pattern that reverses the bytes of each of four words.
reversed:
	db 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12

; load W, n: word n of four of the block; its words are big-endian (FIPS 180-4, 5.2.1).
%macro load 2
	movdqu %1, [BYTES + 16 * (%2)]
	pshufb %1, BIG_ENDIAN
%endmacro

; four_rounds t, W: the rounds t to t + 3, whose words of the schedule are in W.
%macro four_rounds 2
	movdqa SUM, [r8 + 4 * (%1)]
	paddd SUM, %2
	sha256rnds2 HGDC, FEBA, SUM
	pshufd SUM, SUM, 0b00_00_11_10 ; the high half down
	sha256rnds2 FEBA, HGDC, SUM
%endmacro

; next_words A, B, C, D: the four words after D's, over those of A, which are the oldest.
%macro next_words 4
	movdqa TEMPORARY, %4
	palignr TEMPORARY, %3, 4
	sha256msg1 %1, %2
	paddd %1, TEMPORARY
	sha256msg2 %1, %4
%endmacro

section .text

; void sha256_blocks_sha_ni(uint32_t state[8], const uint8_t *bytes, size_t n_blocks)
sha256_blocks_sha_ni:
	test N_BLOCKS, N_BLOCKS
	jz .done
	lea r8, [sha256_constants]
	movdqa BIG_ENDIAN, [reversed]
	; a b c d and e f g h, as in memory, become f e b a and h g d c; at the end back again
	movdqu FEBA, [STATE + 16]
	movdqu TEMPORARY, [STATE]
	movdqa HGDC, FEBA
	shufps FEBA, TEMPORARY, 0b00_01_00_01
	shufps HGDC, TEMPORARY, 0b10_11_10_11

.block:
	movdqa FEBA_BEFORE, FEBA
	movdqa HGDC_BEFORE, HGDC
	load W0, 0
	load W1, 1
	load W2, 2
	load W3, 3
%assign t 0
%rep 3
	four_rounds t, W0
	next_words W0, W1, W2, W3
	four_rounds t + 4, W1
	next_words W1, W2, W3, W0
	four_rounds t + 8, W2
	next_words W2, W3, W0, W1
	four_rounds t + 12, W3
	next_words W3, W0, W1, W2
%assign t t + 16
%endrep
	four_rounds 48, W0
	four_rounds 52, W1
	four_rounds 56, W2
	four_rounds 60, W3
	paddd FEBA, FEBA_BEFORE
	paddd HGDC, HGDC_BEFORE
	add BYTES, BLOCK_BYTES
	dec N_BLOCKS
	jnz .block

	movdqa TEMPORARY, FEBA
	shufps TEMPORARY, HGDC, 0b10_11_10_11
	shufps FEBA, HGDC, 0b00_01_00_01
	movdqu [STATE], TEMPORARY
	movdqu [STATE + 16], FEBA
.done:
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
