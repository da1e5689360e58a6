// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/calls.S - hypercalls, and the vector registers around kernel code that uses them: for the uplink too,
// which has no programs.
.text

// long call_hypervisor_amd / _intel(long number, const uint64_t arguments[4], uint64_t results[4]) -> RAX.
.macro hypercall_body instruction
    pushq %rbx
    movq %rdi, %rax
    movq %rdx, %rbx
    movq 24(%rsi), %r10
    movq 16(%rsi), %rdx
    movq (%rsi), %rdi
    movq 8(%rsi), %rsi
    \instruction
    movq %rdi, (%rbx)
    movq %rsi, 8(%rbx)
    movq %rdx, 16(%rbx)
    movq %r10, 24(%rbx)
    popq %rbx
    ret
.endm
.globl call_hypervisor_amd, call_hypervisor_intel
call_hypervisor_amd:
    hypercall_body vmmcall
call_hypervisor_intel:
    hypercall_body vmcall

// void save_sse(std::byte area[256]), void load_sse(const std::byte area[256]): XMM0-15.
.globl save_sse, load_sse
save_sse:
.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\number, \number * 16(%rdi)
.endr
    ret
load_sse:
.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups \number * 16(%rdi), %xmm\number
.endr
    ret
.section .note.GNU-stack, "", @progbits
