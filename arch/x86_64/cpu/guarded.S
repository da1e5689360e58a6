/* SPDX-License-Identifier: Apache-2.0 */
/* arch/x86_64/cpu/guarded.S - see guarded.hpp. EDI: index; RSI: value, or where RDMSR's goes. */

/* The next instruction may raise #GP. */
.macro may_fault
1:  .pushsection .rodata.guarded, "a", @progbits
    .quad 1b, guarded_fault
    .popsection
.endm

.section .rodata.guarded, "a", @progbits
.balign 8
.global guarded_moves, guarded_moves_end
guarded_moves:

.section .text.guarded, "ax", @progbits
.code64
.macro value_in_edx_eax
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
.endm

.global try_rdmsr, try_wrmsr, try_xsetbv
try_rdmsr:
    movl %edi, %ecx
    may_fault
    rdmsr
    movl %eax, (%rsi)
    movl %edx, 4(%rsi)
    jmp guarded_done
try_wrmsr:
    value_in_edx_eax
    may_fault
    wrmsr
    jmp guarded_done
try_xsetbv:
    value_in_edx_eax
    may_fault
    xsetbv
guarded_done:
    movl $1, %eax
    ret
guarded_fault:
    xorl %eax, %eax
    ret

.section .rodata.guarded, "a", @progbits
guarded_moves_end:

.section .note.GNU-stack, "", @progbits
