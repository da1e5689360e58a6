// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sha256_ni.S - SHA-256 compression with the SHA extensions.
//
//   void caisson_sha256_ni(std::uint32_t state[8], const void* blocks, std::size_t count);
//
// Compresses `count` (> 0) blocks of 64 bytes. Uses xmm0-xmm9, rax, rdx, rsi and saves none of them: hosted callers
// expect that by the ABI, the hypervisor calls it only where no guest's vector state is live.
// 155 instructions a block. Spec: FIPS 180-4, section 6.2; Intel SDM vol. 2 SHA256RNDS2, SHA256MSG1, SHA256MSG2.
        .intel_syntax noprefix

// xmm1, xmm2: the working state as {a,b,e,f} and {c,d,g,h} from high to low; xmm8, xmm9: its value before the block.
// xmm3-xmm6: sixteen words of the message schedule.

// Rounds 4 * group to 4 * group + 3 with the words in `words`.
.macro ROUNDS group, words
        movdqa  xmm0, \words
        paddd   xmm0, [rax + 16 * (\group)]
        sha256rnds2 xmm2, xmm1
        pshufd  xmm0, xmm0, 0x0E
        sha256rnds2 xmm1, xmm2
.endm

// Replaces the oldest four words `w0` of the schedule w0..w3 by the next four.
.macro SCHEDULE w0, w1, w2, w3
        sha256msg1 \w0, \w1
        movdqa  xmm7, \w3
        palignr xmm7, \w2, 4
        paddd   \w0, xmm7
        sha256msg2 \w0, \w3
.endm

.macro LOAD words, offset
        movdqu  \words, [rsi + \offset]
        pshufb  \words, [rax + 256]
.endm

.macro ROUNDS_AND_SCHEDULE group
        SCHEDULE xmm3, xmm4, xmm5, xmm6
        ROUNDS  \group, xmm3
        SCHEDULE xmm4, xmm5, xmm6, xmm3
        ROUNDS  \group + 1, xmm4
        SCHEDULE xmm5, xmm6, xmm3, xmm4
        ROUNDS  \group + 2, xmm5
        SCHEDULE xmm6, xmm3, xmm4, xmm5
        ROUNDS  \group + 3, xmm6
.endm

        .section .text.caisson_sha256_ni, "ax", @progbits
        .globl  caisson_sha256_ni
        .type   caisson_sha256_ni, @function
        .p2align 5
caisson_sha256_ni:
        lea     rax, [rip + constants]
        // {d,c,b,a} {h,g,f,e} -> {a,b,e,f} {c,d,g,h}
        movdqu  xmm1, [rdi]
        movdqu  xmm2, [rdi + 16]
        pshufd  xmm1, xmm1, 0xB1
        pshufd  xmm2, xmm2, 0x1B
        movdqa  xmm7, xmm1
        palignr xmm1, xmm2, 8
        pblendw xmm2, xmm7, 0xF0

        .p2align 5
.Lblock:
        movdqa  xmm8, xmm1
        movdqa  xmm9, xmm2
        LOAD    xmm3, 0
        ROUNDS  0, xmm3
        LOAD    xmm4, 16
        ROUNDS  1, xmm4
        LOAD    xmm5, 32
        ROUNDS  2, xmm5
        LOAD    xmm6, 48
        ROUNDS  3, xmm6
        ROUNDS_AND_SCHEDULE 4
        ROUNDS_AND_SCHEDULE 8
        ROUNDS_AND_SCHEDULE 12
        paddd   xmm1, xmm8
        paddd   xmm2, xmm9
        add     rsi, 64
        dec     rdx
        jnz     .Lblock

        // {a,b,e,f} {c,d,g,h} -> {d,c,b,a} {h,g,f,e}
        pshufd  xmm1, xmm1, 0x1B
        pshufd  xmm2, xmm2, 0xB1
        movdqa  xmm7, xmm1
        pblendw xmm1, xmm2, 0xF0
        palignr xmm2, xmm7, 8
        movdqu  [rdi], xmm1
        movdqu  [rdi + 16], xmm2
        ret
        .size   caisson_sha256_ni, . - caisson_sha256_ni

        .section .rodata.caisson_sha256_ni, "a", @progbits
        .p2align 6
constants: // the round constants, then the shuffle from big-endian words
        .long   0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5
        .long   0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174
        .long   0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da
        .long   0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967
        .long   0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85
        .long   0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070
        .long   0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3
        .long   0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
        .byte   3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12

        .section .note.GNU-stack, "", @progbits
