// SPDX-License-Identifier: Apache-2.0
// qemu-tests/bench/hello_static.S - the smallest container: write(1, ...) and exit_group(0), no C library.
        .globl  _start
        .section .rodata
text:   .ascii  "hello from caisson\n"
        .set    length, . - text
        .text
_start: movl    $1, %eax                // write
        movl    $1, %edi
        leaq    text(%rip), %rsi
        movl    $length, %edx
        syscall
        movl    $231, %eax              // exit_group
        xorl    %edi, %edi
        syscall
        .section .note.GNU-stack, "", @progbits
