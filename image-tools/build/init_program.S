/* SPDX-License-Identifier: Apache-2.0 */
/* image-tools/build/init_program.S - the program of partitions/init, as bytes of the tool. */
    .section .rodata
    .balign 16
    .globl caisson_init_begin, caisson_init_end
caisson_init_begin:
    .incbin CAISSON_INIT_PROGRAM
caisson_init_end:
    .byte 0
    .section .note.GNU-stack, "", @progbits
